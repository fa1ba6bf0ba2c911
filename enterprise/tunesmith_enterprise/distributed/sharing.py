# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which process computes which rows of a step."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

__all__ = ["owners_of", "part_of"]


def part_of(batch: NDArray[np.int64], lengths: NDArray[np.int64], *, rank: int, world: int) -> NDArray[np.int64]:
    """The rows of a step that one process computes, so that all have about as many tokens.

    The longest rows are dealt first, each to whoever has the fewest tokens so far: no process has more than the
    fewest and one row. A function of its arguments alone: every process finds the same division.

    Args:
        batch: (R,) rows of the step.
        lengths: (N,) tokens of every row there is.

    Returns:
        Rows of ``batch`` in its order; none, where there are more processes than rows.
    """
    mine: NDArray[np.int64] = batch[owners_of(lengths[batch], world=world) == rank]
    return mine


def owners_of(lengths: NDArray[np.int64], *, world: int) -> NDArray[np.int64]:
    """Which process computes which row of a step.

    Args:
        lengths: (R,) tokens of the step's rows.

    Returns:
        (R,) ranks.
    """
    owner = np.zeros(len(lengths), dtype=np.int64)
    loads = [(0, one) for one in range(world)]
    for place in np.argsort(-lengths, kind="stable"):
        tokens, least = loads[0]
        owner[place] = least
        heapq.heapreplace(loads, (tokens + int(lengths[place]), least))
    return owner
