# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batches by token budget, with rows of like length together, so that little is spent on padding.

Shapes: N rows of a split, R rows of a batch, L length in tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["batch_order", "padding_share", "split_batch"]

Indices = NDArray[np.int64]
_WINDOW = 50  # batches; wider finds better neighbours, narrower keeps more of the shuffle


def batch_order(
    lengths: NDArray[np.integer[Any]],
    *,
    tokens: int | None,
    rows: int | None,
    seed: int,
    epoch: int,
    shuffle: bool = True,
) -> list[Indices]:
    """Which rows share a batch, and in which order the batches come.

    Shuffled: a permutation drawn from ``(seed, epoch)`` alone is cut into windows of about 50 batches; in
    a window rows are sorted by length and cut into batches; then the batches are shuffled. Not shuffled:
    one window, longest first (evaluation; memory is tried out at once).

    Args:
        lengths: (N,) cost of each row in tokens, at least 1.
        tokens: budget of a batch, padding included: R x longest L stays within it, unless one row alone is
            longer; that row is a batch of its own.
        rows: rows of a batch, instead of ``tokens``.

    Returns:
        Indices per batch; every row of ``0 … N-1`` exactly once.

    Raises:
        ValueError: both or neither of ``tokens`` and ``rows``, or a length below 1.
    """
    _check(lengths, tokens, rows)
    count = len(lengths)
    if count == 0:
        return []
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([abs(seed), int(seed < 0), epoch])))
    order = np.arange(count, dtype=np.int64)
    window = count
    if shuffle:
        order = generator.permutation(count).astype(np.int64)
        per_batch = rows if rows is not None else max(1, int((tokens or 1) / float(np.mean(lengths))))
        window = _WINDOW * per_batch
    # One sort for all windows: by window first, then longest first; lexsort is stable, so ties keep the shuffle.
    order = order[np.lexsort((-lengths[order].astype(np.int64), np.arange(count) // window))]
    starts = _starts(lengths[order], tokens, rows, window)
    batches = np.split(order, starts[1:])
    if not shuffle:
        return batches
    return [batches[place] for place in generator.permutation(len(batches))]


def split_batch(indices: Indices, lengths: NDArray[np.integer[Any]], parts: int) -> list[Indices]:
    """Cut one step's batch into parts of like cost, to compute them one after the other.

    The cost of a part is its padded size, R x longest L; the largest part is as small as it can be among
    cuts of the rows sorted by length.

    Args:
        indices: (R,) rows of the batch, as :func:`batch_order` gives them.
        lengths: (N,) lengths of all rows of the split.
        parts: at least 1.

    Returns:
        At most ``parts`` parts, none empty; fewer only where more would not make the largest smaller.
    """
    if parts < 1:
        raise ValueError(f"parts must be at least 1, given {parts}")
    if len(indices) == 0:
        return []
    order = indices[np.argsort(-lengths[indices].astype(np.int64), kind="stable")]
    costs = lengths[order].astype(np.int64)
    low, high = int(costs[0]), int(costs[0]) * len(order)
    while low < high:  # the smallest budget that needs no more than `parts` parts
        budget = (low + high) // 2
        if len(_starts(costs, budget, None, len(order))) <= parts:
            high = budget
        else:
            low = budget + 1
    return np.split(order, _starts(costs, low, None, len(order))[1:])


def padding_share(batches: Sequence[Indices], lengths: NDArray[np.integer[Any]]) -> float:
    """Share of the computed tokens that are padding, 0 to 1; 0 for no batches."""
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    used = sum(int(lengths[batch].sum()) for batch in batches)
    return 1 - used / padded if padded else 0.0


def _starts(costs: NDArray[np.integer[Any]], tokens: int | None, rows: int | None, window: int) -> list[int]:
    """Where batches start in rows that are sorted, longest first, within each window."""
    count = len(costs)
    if rows is not None:
        return list(range(0, count, rows))  # windows are whole batches
    budget = tokens or 1
    fitting = np.maximum(1, budget // costs.astype(np.int64)).tolist()  # rows, if this one is the longest
    starts = []
    place, edge = 0, min(window, count)
    while place < count:
        starts.append(place)
        place = min(place + fitting[place], edge)
        if place == edge:
            edge = min(edge + window, count)
    return starts


def _check(lengths: NDArray[np.integer[Any]], tokens: int | None, rows: int | None) -> None:
    if (tokens is None) == (rows is None):
        raise ValueError(f"give tokens or rows, exactly one, given tokens={tokens} and rows={rows}")
    size = tokens if tokens is not None else rows
    if size is None or size < 1:
        raise ValueError(f"{'rows' if tokens is None else 'tokens'} must be at least 1, given {size}")
    if len(lengths) and int(lengths.min()) < 1:
        raise ValueError(f"lengths must be at least 1, given {int(lengths.min())} at row {int(lengths.argmin())}")
