# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a strategy of one process does with a model that trains in float8; ``train.strategy: float8`` does only that."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tunesmith.recipe import Recipe
from tunesmith.training.feed import Feed
from tunesmith.training.strategy import Single
from tunesmith_enterprise.optimizations.float8.layers import Float8Layers, float8_of

__all__ = ["Float8Training"]


class Float8Training(Single):
    """As ``single``, but the linear layers multiply in float8 where the recipe asks for it. Checkpoints and weights are
    those of ``single``: its jobs can go on there, in bf16.
    """

    portable = True
    compiles = True

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._float8 = float8_of(recipe)
        self._layers: Float8Layers | None = None

    def prepare(self, model: nn.Module) -> nn.Module:
        if self._float8 is not None:
            self._layers = self._float8.convert(model, self.device)
        return super().prepare(model)

    def notes(self, feed: Feed) -> Sequence[str]:
        return () if self._layers is None else (self._layers.note(),)
