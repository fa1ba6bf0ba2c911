# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batches computed side by side, one on each core.

PyTorch shares every operation among all cores. Where operations are small, as those of an encoder for short texts, a
good part of the time goes into beginning and ending that; a batch for each core has nothing to share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["SideBySide"]

T = TypeVar("T")
R = TypeVar("R")


class SideBySide:
    """Threads that compute, each with one thread of PyTorch's.

    Args:
        threads: how many; at least 2.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self.threads = threads
        before = torch.get_num_threads()
        here = threading.Barrier(threads)
        self._pool = ThreadPoolExecutor(threads, name, _take_one_core)
        for waiting in [self._pool.submit(here.wait) for _ in range(threads)]:
            waiting.result()
        # The number is each thread's own, but also what threads that are yet to come begin with.
        torch.set_num_threads(before)

    def map(self, compute: Callable[[T], R], batches: Sequence[T]) -> list[R]:
        """``compute`` of each batch, under ``torch.inference_mode``; raises what the first that failed raised."""

        def one(batch: T) -> R:
            with torch.inference_mode():
                return compute(batch)

        futures = [self._pool.submit(one, batch) for batch in batches]
        for future in futures:
            future.exception()  # nobody may still be computing when this returns
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def _take_one_core() -> None:
    torch.get_num_threads()  # when it is first asked, a thread takes over the number of the process
    torch.set_num_threads(1)
