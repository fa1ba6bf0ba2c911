# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Poisson sampling: in every step each row takes part with the same chance, whatever the others do."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe
from tunesmith.training.feed import Feed, feed_of
from tunesmith_privacy.dp.chance import Chance

__all__ = ["PoissonFeed", "poisson_feed"]


class PoissonFeed(Feed):
    """Steps of rows drawn independently; an epoch is as many steps as see each row once on average.

    Args:
        chance: where the draws come from.
        at_once: rows that are computed together, at most.
        rest: of :class:`Feed`; ``rows`` is given, ``tokens`` and ``mixture`` are not.

    Attributes:
        rate: chance of each row to be in a step.
    """

    def __init__(self, lengths: NDArray[np.int64], *, chance: Chance, at_once: int, **rest: Any) -> None:
        self._chance, self._at_once = chance, at_once
        self.rate = min(1.0, rest["rows"] / max(1, len(lengths)))
        self._per_epoch = max(1, round(1 / self.rate))
        super().__init__(lengths, **rest)

    def _drawn(self, epoch: int) -> list[NDArray[np.int64]]:
        first = epoch * self._per_epoch
        return [self._step(step) for step in range(first, first + self._per_epoch)]

    def _step(self, step: int) -> NDArray[np.int64]:
        # How many is binomial, which ones is any subset of that size: the same as a coin for each row, and as fast as
        # the step is small.
        draw, items = self._chance.sampling(step), len(self._lengths)
        count = int(draw.binomial(items, self.rate))
        if not count:
            raise RecipeError(
                f"no row was drawn for step {step + 1}",
                given=f"{items:,} rows, each drawn with a chance of {self.rate:.4g}",
                expected="at least one row in every step",
                fix=["larger batches: --set train.rows_per_batch=…", "or another draw: --set train.seed=…"],
            )
        chosen = draw.choice(items, count, replace=False, shuffle=False)
        return np.asarray(np.sort(chosen), dtype=np.int64)

    def parts(self, batch: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        order = batch[np.argsort(self._lengths[batch], kind="stable")]  # rows of like length share the padding
        count = min(len(order), max(self._parts, -(-len(order) // self._at_once)))
        return np.array_split(order, count)


def poisson_feed(recipe: Recipe, lengths: NDArray[np.int64], *, chance: Chance, at_once: int) -> PoissonFeed:
    """What a recipe says about batches, drawn at random."""
    kind = cast("type[Feed]", partial(PoissonFeed, chance=chance, at_once=at_once))
    return cast(PoissonFeed, feed_of(recipe, lengths, kind=kind))
