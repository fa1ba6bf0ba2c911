# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Sources that are seen more often, or less, than once an epoch (``data.weights``).

A weight is how many times an epoch sees each row of its source. The whole part repeats every row; what is left is a
share of the rows, drawn without replacement from a shuffle of the source that stays the same: each epoch takes up where
the one before ended, so that with a weight of 0.25 every row is seen once in four epochs. Which rows an epoch sees
depends on the seed and its number alone.

Shapes: N items, S sources.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mixture", "mixing_notes"]

Integers = NDArray[np.int64]
_STREAM = 0x6D6978  # tells these draws from those of the order of rows, which have the same seed


class Mixture:
    """How often each item is seen in each epoch.

    Args:
        weights: (S,) of the sources.
        sources: (rows,) which source each training row comes from.
        rows: (N,) which row each item comes from; the items of a row are seen together.
        seed: ``train.seed``.
    """

    def __init__(self, weights: Sequence[float], sources: Integers, rows: Integers, *, seed: int) -> None:
        self._rows = rows
        self._times = np.floor(np.asarray(weights, dtype=np.float64))[sources].astype(np.int64)
        self._parts: list[tuple[float, Integers]] = []
        for source, weight in enumerate(weights):
            share = weight - math.floor(weight)
            if share:
                generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM, source])))
                shuffled = generator.permutation(np.flatnonzero(sources == source)).astype(np.int64)
                self._parts.append((share, shuffled))

    def items(self, epoch: int) -> Integers:
        """The items that the 0-based epoch sees, in their order, each as often as it is seen."""
        times = self._times.copy()
        for share, shuffled in self._parts:
            count = len(shuffled)
            first, last = math.floor(share * count * epoch), math.floor(share * count * (epoch + 1))
            if count:
                times[shuffled[np.arange(first, last) % count]] += 1
        return np.repeat(np.arange(len(self._rows), dtype=np.int64), times[self._rows])


def mixing_notes(entries: Sequence[str], weights: Mapping[str, float], sources: Integers) -> list[str]:
    """What the weights come to, one sentence for each entry of ``data.train``."""
    counts = np.bincount(sources, minlength=len(entries)).tolist()
    seen = [count * weights.get(entry, 1.0) for entry, count in zip(entries, counts, strict=True)]
    total = sum(seen) or 1.0
    return [
        f"{entry}: {count:,} training {'row' if count == 1 else 'rows'}, each seen {weights.get(entry, 1.0):g} "
        f"× an epoch: {share / total * 100:.1f} % of the rows of an epoch"
        for entry, count, share in zip(entries, counts, seen, strict=True)
    ]
