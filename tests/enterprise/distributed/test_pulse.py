# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What processes say of themselves, and who of them is found to hang."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tunesmith_enterprise.distributed.pulse import (
    BETWEEN,
    EVALUATING,
    PREPARING,
    STEPPING,
    Beat,
    Pulse,
    hung,
    read_beats,
)
from tunesmith_enterprise.distributed.strategy import DataParallel

BEAT = Beat(
    rank=0, host="a", pid=7, step=3, phase=STEPPING, doing="a sum over all", talks=9, idle=50.0, silent=0.5
)  # fmt: skip
OTHER = replace(BEAT, rank=1, host="b", pid=8)


def test_what_a_process_writes_is_read(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "process-3.pulse")
    pulse.begin_at(4)
    pulse.begin_step()
    pulse.enter("a sum over all")
    (beat,) = read_beats(tmp_path, "here")
    assert (beat.rank, beat.host, beat.pid, beat.step) == (3, "here", os.getpid(), 5)
    assert (beat.phase, beat.doing, beat.talks) == (STEPPING, "a sum over all", 1)
    assert 0 <= beat.idle < 5
    pulse.leave()
    pulse.between()
    (beat,) = read_beats(tmp_path, "here")
    assert (beat.phase, beat.doing) == (BETWEEN, "")
    assert str(beat.pid) in beat.whereabouts
    assert "process 3 on here" in beat.whereabouts


def test_a_follower_knows_of_steps_by_the_words_it_hears(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "process-1.pulse")
    pulse.preparing()
    told = []
    for word, step in (
        ("feed", None),
        ("begin", 40),
        ("step", None),
        ("evaluate", None),
        ("checkpoint", None),
        ("step", None),
    ):
        pulse.heard(word, step)
        (beat,) = read_beats(tmp_path, "here")
        told.append((beat.phase, beat.step))
    assert told == [(PREPARING, 0), (BETWEEN, 40), (STEPPING, 41), (EVALUATING, 41), (BETWEEN, 41), (STEPPING, 42)]


def test_half_a_file_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "process-0.pulse").write_bytes(b"\0" * 10)
    assert read_beats(tmp_path, "here") == []


def test_who_moves_does_not_hang() -> None:
    assert hung([replace(BEAT, idle=1.0), replace(OTHER, idle=1.0)], 10) is None
    assert hung([], 10) is None


def test_the_one_that_computes_while_all_wait_hangs() -> None:
    found = hung([BEAT, replace(OTHER, doing="", talks=8)], 10)
    assert found is not None
    assert str(found) == ("process 1 on b, number 8: step 3, in a step, computing; it has not moved for 50 seconds")


def test_of_several_that_wait_the_one_that_talked_least_hangs() -> None:
    found = hung([BEAT, replace(OTHER, talks=8)], 10)
    assert found is not None
    assert found.beat.rank == 1


def test_one_that_does_not_run_hangs_whatever_it_does() -> None:
    found = hung([BEAT, replace(OTHER, phase=PREPARING, idle=1.0, silent=11.0)], 10)
    assert found is not None
    assert (found.beat.rank, found.seconds) == (1, 11.0)


def test_a_main_process_that_evaluates_for_an_hour_does_not_hang() -> None:
    evaluates = replace(BEAT, phase=BETWEEN, doing="", talks=8, idle=3600.0)
    waits = replace(OTHER, doing="a word of the main process", idle=3600.0)
    assert hung([evaluates, waits], 10) is None


def test_who_prepares_for_an_hour_does_not_hang() -> None:
    reads = replace(BEAT, phase=PREPARING, doing="", idle=3600.0)
    assert hung([reads, replace(reads, rank=1, doing="all to say")], 10) is None


def test_the_one_that_stands_still_in_an_evaluation_hangs() -> None:
    waits = replace(BEAT, phase=EVALUATING, doing="all to say")
    found = hung([waits, replace(OTHER, phase=EVALUATING, doing="")], 10)
    assert found is not None
    assert "process 1 on b, number 8: step 3, in an evaluation, computing; it has not moved" in str(found)
    assert hung([waits, replace(OTHER, phase=EVALUATING, doing="", idle=3.0)], 10) is None


def test_every_batch_of_an_evaluation_is_a_move(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "process-0.pulse")
    phases, moves = [], []

    def compute(batch: Any) -> Sequence[Any]:
        phases.append(read_beats(tmp_path, "here")[0].phase)
        moves.append(pulse._changed)
        time.sleep(0.001)
        return [0] * len(batch)

    place: Any = object.__new__(DataParallel)
    place.is_main, place.lane, place.lanes, place._statistics = True, 0, 1, []
    place._group = SimpleNamespace(
        say=lambda *_, **__: None, take_from_main=lambda *_: None, apart=False,
        evaluating=pulse.evaluating, between_steps=pulse.between,
    )  # fmt: skip
    assert place.divide("validation", [np.arange(2), np.arange(1)], compute) == [[0, 0], [0]]
    assert phases == [EVALUATING] * 2
    assert moves[0] < moves[1]
    assert read_beats(tmp_path, "here")[0].phase == BETWEEN
