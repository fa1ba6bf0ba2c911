# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""metrics.jsonl: whole lines, whatever happens."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import OutputError, RunError
from tunesmith.runs import Run
from tunesmith.runs.log import Log
from tunesmith.runs.records import from_json, to_json


def step(number: int) -> dict[str, Any]:
    return {"kind": "step", "step": number, "loss": 1 / number}


def test_records_come_back_in_order(run: Run) -> None:
    for number in (1, 2, 3):
        run.log(step(number))
    assert run.metrics() == [step(1), step(2), step(3)]
    assert (run.path / "metrics.jsonl").read_text().splitlines()[1] == '{"kind": "step", "step": 2, "loss": 0.5}'


def test_a_record_is_in_the_file_at_once(run: Run) -> None:
    run.log(step(1))
    assert Run.open(run.path).metrics() == [step(1)]


def test_numbers_that_json_has_not(run: Run) -> None:
    run.log({"loss": math.nan, "norm": math.inf, "low": np.float32(-math.inf), "count": np.int64(3)})
    line = (run.path / "metrics.jsonl").read_text()
    assert line == '{"loss": "NaN", "norm": "Infinity", "low": "-Infinity", "count": 3}\n'
    [record] = run.metrics()
    assert math.isnan(record["loss"])
    assert (record["norm"], record["low"], record["count"]) == (math.inf, -math.inf, 3)


@pytest.mark.parametrize("torn", [b'{"kind": "st', b"{", b"\xff\xfe", b'{"kind": "step", "step": 3}', b"x" * 200_000])
def test_a_torn_last_line_is_left_out_and_cut_off(run: Run, torn: bytes) -> None:
    run.log(step(1))
    run.log(step(2))
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(torn)
    again = Run.open(run.path)
    assert again.metrics() == [step(1), step(2)]
    again.log(step(3))
    again.log(step(4))
    assert again.metrics() == [step(1), step(2), step(3), step(4)]


def test_a_first_line_that_is_torn(run: Run) -> None:
    (run.path / "metrics.jsonl").write_text('{"kind"')
    assert run.metrics() == []
    run.log(step(1))
    assert run.metrics() == [step(1)]


def test_damage_in_the_middle_is_told(run: Run) -> None:
    run.log(step(1))
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write("{oops\n")
    run.log(step(2))
    with pytest.raises(RunError, match=r"metrics.jsonl, line 2 is damaged") as caught:
        run.metrics()
    assert "given:    '{oops'" in str(caught.value)


def test_a_resumed_job_leaves_no_line_twice(run: Run) -> None:
    assert run.flush_metrics() == 0
    run.log({"kind": "note", "message": "2 rows skipped"})
    run.log(step(1))
    size = run.flush_metrics()
    assert size == (run.path / "metrics.jsonl").stat().st_size
    run.log({"kind": "evaluation", "step": 1})
    run.log({"kind": "note", "message": "of a session that was killed"})
    run.truncate_metrics(size)
    kept = [{"kind": "note", "message": "2 rows skipped"}, step(1)]
    assert run.metrics() == kept
    run.log(step(2))
    assert run.metrics() == [*kept, step(2)]
    run.truncate_metrics(10**6)
    assert run.metrics() == [*kept, step(2)], "what is shorter already stays as it is"
    run.truncate_metrics(0)
    assert run.metrics() == []


def test_nothing_to_drop(run: Run) -> None:
    run.truncate_metrics(0)
    assert not (run.path / "metrics.jsonl").exists()


def test_a_disk_that_fills_up_in_the_middle_of_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.log(step(1))
    write = os.write

    def fills_up(handle: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(handle, bytes(data)[:7])

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(OutputError, match=r"cannot write .*metrics.jsonl: the disk is full"):
        run.log(step(2))
    monkeypatch.setattr(os, "write", write)
    assert (run.path / "metrics.jsonl").read_bytes().endswith(b"}\n")
    run.log(step(3))
    assert run.metrics() == [step(1), step(3)]


words = {"NaN", "Infinity", "-Infinity"}
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text not in words),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)
records = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=4)


@settings(deadline=None, derandomize=True)
@given(values)
def test_values_read_back_as_they_were(value: object) -> None:
    assert from_json(to_json(value)) == value
    json.loads(to_json(value), parse_constant=pytest.fail)


@settings(deadline=None, derandomize=True)
@given(st.lists(records, max_size=5), st.integers(0))
def test_cut_anywhere_the_whole_lines_are_there(written: list[dict[str, Any]], cut: int) -> None:
    with TemporaryDirectory() as folder:
        log = Log(Path(folder) / "metrics.jsonl")
        for record in written:
            log.append(record)
        data = log.path.read_bytes() if written else b""
        end = cut % (len(data) + 1)
        log.path.write_bytes(data[:end])
        whole = data[:end].count(b"\n")
        again = Log(log.path)
        assert again.read() == written[:whole]
        again.append({"last": True})
        assert again.read() == [*written[:whole], {"last": True}]


def test_a_name_with_odd_bytes_can_be_stored(run: Run) -> None:
    run.log({"file": os.fsdecode(b"caf\xe9.csv")})
    assert run.metrics() == [{"file": "caf\\udce9.csv"}]
