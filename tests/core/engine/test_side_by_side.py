# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batches side by side: in order, each on one core, and what fails is told when all have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from tunesmith.engine.side_by_side import SideBySide


@pytest.fixture
def beside() -> Iterator[SideBySide]:
    made = SideBySide(3, "side")
    yield made
    made.close()


def test_results_are_in_the_order_of_the_batches(beside: SideBySide) -> None:
    def compute(number: int) -> tuple[int, bool]:
        time.sleep(0.02 * (3 - number))
        return number, torch.is_inference_mode_enabled()

    assert beside.map(compute, [0, 1, 2]) == [(0, True), (1, True), (2, True)]


def test_each_has_one_of_pytorchs_threads_and_nobody_else_loses_any(beside: SideBySide) -> None:
    def compute(_: int) -> int:
        time.sleep(0.02)
        torch.randn(300, 300) @ torch.randn(300, 300)
        return torch.get_num_threads()

    here = torch.get_num_threads()
    assert beside.map(compute, range(3)) == [1, 1, 1]
    assert torch.get_num_threads() == here
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [here]


def test_a_failure_is_raised_when_nobody_computes_any_more(beside: SideBySide) -> None:
    ended: list[int] = []

    def compute(number: int) -> None:
        if number == 0:
            raise ValueError("batch 0")
        time.sleep(0.05)
        ended.append(number)

    with pytest.raises(ValueError, match="batch 0"):
        beside.map(compute, [0, 1, 2])
    assert sorted(ended) == [1, 2]
    assert beside.map(lambda number: number, [5]) == [5]


def test_closed_its_threads_are_gone() -> None:
    made = SideBySide(2, "passing by")
    made.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("passing by")]
