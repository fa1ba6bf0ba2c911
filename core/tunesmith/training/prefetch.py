# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""On a GPU, the next steps' batches are made while this step is computed.

One thread makes them, at most two steps ahead, in pinned memory, from which ``Batch.to`` copies without waiting. On a
processor nothing is made ahead: its cores are computing the step, and what making a batch takes of it is in
docs/benchmarks.md.

Which rows a step sees does not change, for it is a function of the step. Nor may random numbers: where making the first
batch moves a random state, as that of a plugin's task may, batches are made when it is their turn, so that a checkpoint
holds the state that belongs to its step.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace

import torch

from tunesmith.tasks.base import Batch
from tunesmith.training.batches import parts_of_step
from tunesmith.training.prepare import Work
from tunesmith.training.randomness import random_tensors

__all__ = ["AHEAD", "Batches", "batches_of"]

AHEAD = 2
"""Steps."""

_log = logging.getLogger(__name__)


class Batches:
    """The parts of every step, to be asked for in turn.

    Args:
        work: the job.
        end: the step behind the last one, which is not made.
        pool: of one thread, that makes batches ahead. ``None``: each is made when it is asked for.
        ready: steps that are made already.
    """

    def __init__(
        self,
        work: Work,
        end: int,
        pool: ThreadPoolExecutor | None = None,
        ready: Mapping[int, list[Batch]] | None = None,
    ) -> None:
        self._work, self._end, self._pool = work, end, pool
        self._ready = dict(ready or {})
        self._making: dict[int, Future[list[Batch]]] = {}

    def parts(self, step: int) -> list[Batch]:
        """Of the 0-based step. What went wrong while they were made is raised here, with its own traceback."""
        if self._pool is None:
            return self._ready.pop(step, None) or parts_of_step(self._work, step)
        for coming in range(step, min(step + 1 + AHEAD, self._end)):
            if coming not in self._making and coming not in self._ready:
                self._making[coming] = self._pool.submit(self._make, coming)
        return self._ready.pop(step) if step in self._ready else self._making.pop(step).result()

    def wait(self) -> None:
        """Until nothing is being made: whoever comes now may use what makes batches, a tokenizer for example."""
        wait(self._making.values())

    def _make(self, step: int) -> list[Batch]:
        parts = parts_of_step(self._work, step)
        return [_pinned(part) for part in parts] if self._work.strategy.device.type == "cuda" else parts


@contextmanager
def batches_of(work: Work, first: int, end: int, *, ahead: bool | None = None) -> Iterator[Batches]:
    """The batches of the steps from ``first`` to before ``end``. When the block ends, the thread has ended.

    Args:
        ahead: make batches ahead. Default: on a GPU.
    """
    if ahead is None:
        ahead = work.strategy.device.type == "cuda"
    if not ahead or first >= end:
        yield Batches(work, end)
        return
    before = random_tensors(torch.device("cpu"))
    ready = {first: parts_of_step(work, first)}
    after = random_tensors(torch.device("cpu"))
    if any(not torch.equal(state, after[name]) for name, state in before.items()):
        _log.info("making a batch draws random numbers: batches are not made ahead")
        yield Batches(work, end, None, ready)
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        yield Batches(work, end, pool, ready)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pinned(batch: Batch) -> Batch:
    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.contiguous().pin_memory()  # an expanded one has no memory of its own to be copied to

    labels = None if batch.labels is None else pinned(batch.labels)
    return replace(batch, inputs={name: pinned(tensor) for name, tensor in batch.inputs.items()}, labels=labels)
