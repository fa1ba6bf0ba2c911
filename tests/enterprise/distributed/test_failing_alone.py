# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A process that cannot go on, while the others can: all of them end at once, and it is said why."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from tunesmith.errors import OutOfMemoryError, RecipeError, RunError, TrainingError
from tunesmith_enterprise.distributed import together, worker
from tunesmith_enterprise.distributed.group import EndedError, Group
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.strategy import DataParallel
from tunesmith_enterprise.distributed.together import Together

DAMAGED = RunError("the checkpoint is damaged", given="random.safetensors", expected="as written", fix="another one")


class Words:
    """The second of two processes, which hears these words and collects what it says."""

    rank, world, is_main, grant = 1, 2, False, None

    def __init__(self, *words: str, apart: bool = False, lost: bool = False, others: Sequence[Any] = ()) -> None:
        self._words, self.apart, self.lost = list(words), apart, lost
        self._others, self.said = others, list[Any]()

    def hear(self, *kinds: str) -> dict[str, str]:
        word = self._words.pop(0)
        if word == "end":
            raise EndedError
        if word == "gone":
            raise TrainingError("another process of the job does not answer any more")
        return {"kind": word}

    def collect(self, value: Any) -> list[Any]:
        self.said.append(value)
        return [*self._others, value]

    def take_from_main(self, *tensors: Any) -> None: ...

    def evaluating(self) -> None: ...

    def between_steps(self) -> None: ...

    def gather(self, part: bytes) -> None:
        self.said.append(part)


def ends(folder: Path, group: Words, error: Exception) -> tuple[int, Any]:
    order = Order(recipe="", sets=(), resume="", options=(), folder=str(folder), join_timeout=1)
    return worker._after(cast("Group", group), order, error), order.told()


def test_an_error_of_which_the_main_process_hears_is_left_to_it(tmp_path: Path) -> None:
    group = Words("granted", "feed", "end")
    assert ends(tmp_path, group, DAMAGED) == (0, None)
    assert "the checkpoint is damaged given: random.safetensors" in group.said[0]["error"]
    group = Words("divide", "end")
    assert ends(tmp_path, group, ValueError("3")) == (0, None)
    assert group.said == [{"error": "ValueError: 3"}]


@pytest.mark.parametrize("group", [Words("begin"), Words("step"), Words(apart=True)])
def test_an_error_that_the_main_process_does_not_wait_for_is_told_to_the_launcher(tmp_path: Path, group: Any) -> None:
    code, told = ends(tmp_path, group, DAMAGED)
    assert code == DAMAGED.exit_code
    assert told[0] == DAMAGED.exit_code
    assert told[1].startswith("process 1 of 2 on ")
    assert str(DAMAGED) in told[1]


def test_what_has_no_words_for_people_and_who_lost_others_is_tried_again(tmp_path: Path) -> None:
    assert ends(tmp_path, Words("step"), ValueError("3")) == (70, None)
    assert ends(tmp_path, Words(lost=True), DAMAGED) == (1, None)
    assert ends(tmp_path, Words("gone"), DAMAGED) == (1, None)


def divided(group: Words, compute: Any, kind: type[Together] = DataParallel) -> Any:
    strategy: Any = object.__new__(kind)
    strategy._group, strategy._statistics, strategy.is_main = group, [], False
    strategy.lane, strategy.lanes = 1, 2
    return strategy.divide("validation", [np.arange(2), np.arange(2)], compute)


def fails(_: Any) -> Any:
    raise MemoryError("no room")


def test_a_process_that_cannot_compute_its_rows_says_so_where_the_others_wait() -> None:
    group = Words(others=[["", True]])
    with pytest.raises(MemoryError):
        divided(group, fails)
    assert group.said == [["MemoryError: no room", False]]
    assert not group.apart
    with pytest.raises(TrainingError, match="process 0 of 2 failed in an evaluation") as caught:
        divided(Words(others=[["MemoryError: no room", False]]), lambda batch: list(batch))
    assert "given:    MemoryError: no room" in str(caught.value)
    assert "look at the log of that process" in str(caught.value)


def test_a_process_whose_model_is_in_parts_cannot_say_so_and_leaves_the_others() -> None:
    class InParts(DataParallel):
        in_step = True

    group = Words(others=[["", True]])
    with pytest.raises(MemoryError):
        divided(group, fails, InParts)
    assert (group.said, group.apart) == ([], True)
    divided(group := Words(others=[["", True]]), lambda batch: list(map(int, batch)), InParts)
    assert not group.apart


def test_more_processes_than_gpus_are_told_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert together._gpu() == 1
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(RecipeError, match="has fewer GPUs than processes") as caught:
        together._gpu()
    assert "given:    3 processes, 2 visible to PyTorch" in str(caught.value)
    assert "to do:    --nproc 2" in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="the processes of this test are forks")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_process_without_memory_in_an_evaluation_ends_the_job(site: Any, launched: Any, strategy: str) -> None:
    recipe = site.recipe(f"alone-{strategy}.yaml", output=f"alone-{strategy}")
    job = launched(recipe, name=f"alone-{strategy}-job", sets=(f"train.strategy={strategy}",))
    began = time.monotonic()
    codes = job.run(2, each={1: {"short_of_memory": True}})
    assert time.monotonic() - began < 30
    if strategy == "ddp":
        assert (codes, job.code) == ([0, 0], OutOfMemoryError.exit_code)
        assert "process 1 of 2 failed in an evaluation" in job.said
    else:
        assert codes == [1, OutOfMemoryError.exit_code]
        code, why = job.order.told()
        assert (code, "the memory is used up" in why) == (OutOfMemoryError.exit_code, True)
    assert "Traceback" not in job.said
