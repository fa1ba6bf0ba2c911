# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which rows each optimizer step sees: a pure function of lengths, seed and step, so resuming skips nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from tunesmith.data import batch_order, split_batch
from tunesmith.data.mixing import Mixture
from tunesmith.errors import DataError
from tunesmith.recipe import Recipe

__all__ = ["DEFAULT_EPOCHS", "Feed", "feed_of"]

DEFAULT_EPOCHS = 3


class Feed:
    """The batches of a whole job.

    Args:
        lengths: cost of every item in tokens.
        tokens: budget of a step, or None.
        rows: rows of a step, or None; exactly one of the two is given.
        epochs: passes over the items; a fraction ends within an epoch.
        max_steps: upper bound of steps, or None.
        accumulate: parts a step is computed in.
        seed: order of the items, together with the epoch.
        mixture: how often each epoch sees each item. Default: once.

    A subclass may say by :meth:`_drawn` which items the steps of an epoch see.
    """

    def __init__(
        self,
        lengths: Sequence[int] | NDArray[np.int64],
        *,
        tokens: int | None,
        rows: int | None,
        epochs: float,
        max_steps: int | None,
        accumulate: int,
        seed: int,
        mixture: Mixture | None = None,
    ) -> None:
        if not len(lengths):
            raise DataError(
                "no rows are left to train on",
                given="0 items after reading, splitting and encoding",
                expected="at least one",
                fix="read the notes above: rows may have been skipped as too long, or held out by data.split",
            )
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._tokens, self._rows, self._seed, self._parts = tokens, rows, seed, accumulate
        self._mixture = mixture
        self._cached: tuple[int, list[NDArray[np.int64]]] | None = None
        self._sizes = [len(self._order(epoch)) for epoch in range(math.ceil(epochs))]
        sizes = list(self._sizes)
        if not all(sizes):
            raise DataError(
                "data.weights leave an epoch without any row",
                given=f"no row in epoch {sizes.index(0) + 1}",
                expected="weights with which every epoch sees at least one row",
                fix="raise the weights; 1 sees each row once an epoch",
            )
        sizes[-1] = max(1, round(sizes[-1] * (epochs - (len(sizes) - 1))))
        self._ends = list(_running(sizes))
        self.total_steps = min(self._ends[-1], max_steps or self._ends[-1])

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        cached = self._cached  # looked at once: another thread may ask for another epoch's
        if cached is None or cached[0] != epoch:
            self._cached = cached = (epoch, self._drawn(epoch))
        return cached[1]

    def _drawn(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of the 0-based epoch: a function of the epoch alone. Every one holds at least one item."""
        seen = None if self._mixture is None else self._mixture.items(epoch)
        lengths = self._lengths if seen is None else self._lengths[seen]
        order = batch_order(lengths, tokens=self._tokens, rows=self._rows, seed=self._seed, epoch=epoch)
        return order if seen is None else [seen[batch] for batch in order]

    def _place(self, step: int) -> tuple[int, int]:
        """Epoch of a 0-based step, and its batch in that epoch."""
        epoch = next(index for index, end in enumerate(self._ends) if step < end)
        return epoch, step - (self._ends[epoch - 1] if epoch else 0)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The batches of the 0-based epoch, in order; also those behind the job's end."""
        return self._order(number)

    def batch(self, step: int) -> NDArray[np.int64]:
        """Items of the 0-based step."""
        epoch, position = self._place(step)
        return self._order(epoch)[position]

    def epoch_of(self, step: int) -> int:
        """The 0-based epoch of the 0-based step."""
        return self._place(step)[0]

    def parts(self, batch: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """A step's items in the parts it is computed in."""
        return split_batch(batch, self._lengths, self._parts)

    def epochs_done(self, steps: int) -> float:
        """Epochs after ``steps`` optimizer steps, fractional."""
        if steps == 0:
            return 0.0
        epoch, position = self._place(steps - 1)
        return epoch + (position + 1) / self._sizes[epoch]

    def ends_epoch(self, steps: int) -> bool:
        """True when exactly ``steps`` steps complete an epoch (or the job)."""
        return steps in self._ends or steps == self.total_steps


def feed_of(
    recipe: Recipe, lengths: NDArray[np.int64], mixture: Mixture | None = None, *, kind: type[Feed] = Feed
) -> Feed:
    """What a recipe says about batches, as a feed of these items."""
    section = recipe.train
    return kind(
        lengths,
        tokens=section.tokens_per_batch,
        rows=section.rows_per_batch,
        epochs=section.epochs or DEFAULT_EPOCHS,
        max_steps=section.max_steps,
        accumulate=section.accumulate,
        seed=section.seed,
        mixture=mixture,
    )


def _running(sizes: Sequence[int]) -> list[int]:
    return list(accumulate(sizes))
