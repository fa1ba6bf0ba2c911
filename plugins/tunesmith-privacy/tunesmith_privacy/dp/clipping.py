# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The sum of clipped gradients, and the noise on it.

Shapes: P one parameter's own shape, R rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

__all__ = ["ClippedSum"]


class ClippedSum:
    """Adds up the gradients of rows, each shortened to a norm, in float32.

    Args:
        parameters: all that train; one that a row does not touch gets noise like the others.
        clip: norm over all of them together.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], clip: float) -> None:
        self.parameters, self._clip = parameters, clip
        self.sums = [torch.zeros(one.shape, dtype=torch.float32, device=one.device) for one in parameters]

    def add_row(self, gradients: Sequence[torch.Tensor | None]) -> None:
        """Of one row: P each, or None where the row does not touch the parameter."""
        squares = [gradient.float().square().sum() for gradient in gradients if gradient is not None]
        if not squares:
            return
        factor = self._factors(torch.stack(squares).sum())
        for total, gradient in zip(self.sums, gradients, strict=True):
            if gradient is not None:
                total += gradient.float() * factor

    def add_rows(self, gradients: Sequence[torch.Tensor | None], scale: torch.Tensor) -> None:
        """Of several rows: (R, P) each, or None.

        Args:
            scale: what the gradient of each row is multiplied by before it is measured, (R,).
        """
        squares = [gradient.float().flatten(1).square().sum(1) for gradient in gradients if gradient is not None]
        if not squares:
            return
        factors = self._factors(torch.stack(squares).sum(0) * scale.square()) * scale
        for total, gradient in zip(self.sums, gradients, strict=True):
            if gradient is not None:
                total += torch.tensordot(factors, gradient.float(), dims=1)

    def _factors(self, squares: torch.Tensor) -> torch.Tensor:
        # The small number keeps the product within the norm in spite of rounding.
        return (self._clip / (squares.sqrt() + 1e-6)).clamp(max=1.0)

    def noised(self, noise: np.random.Generator, multiplier: float, expected: float) -> list[torch.Tensor]:
        """The sums with Gaussian noise of ``multiplier`` times the norm on each number, divided by ``expected``."""
        made = []
        for total, parameter in zip(self.sums, self.parameters, strict=True):
            drawn = torch.from_numpy(noise.standard_normal(parameter.numel(), dtype=np.float32)).view(parameter.shape)
            noisy = (total + drawn.to(total.device) * (multiplier * self._clip)) / expected
            made.append(noisy.to(parameter.dtype))
        return made
