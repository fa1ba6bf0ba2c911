# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Linear layers whose weights are held in 8 bits, with one scale for each output; everything else stays as it is.

A step of one answer reads every weight once and does little with it, so a quarter of the bytes (of fp32; half of bf16)
is nearly a quarter of the time, where the kernel keeps up. The products are PyTorch's ``_weight_int8pack_mm``.

Shapes: I inputs, O outputs, N tokens.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Int8Linear"]


class Int8Linear:
    """A linear layer whose weights are rounded to 255 steps between plus and minus the largest of their output.

    Args:
        linear: the layer to hold in 8 bits; not changed.

    Attributes:
        weight: int8 (O, I).
        scale: (O,), in the dtype of the layer.
        bias: (O,); ``None`` where the layer has none.
    """

    def __init__(self, linear: nn.Linear) -> None:
        weight = linear.weight.detach()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        scale = weight.float().abs().amax(dim=1).clamp(min=1e-12) / 127
        self.weight = (weight.float() / scale[:, None]).round().to(torch.int8)
        self.scale = scale.to(weight.dtype)
        bias: torch.Tensor | None = linear.bias
        self.bias = None if bias is None else bias.detach()

    @property
    def nbytes(self) -> int:
        """Of the weights."""
        return self.weight.nbytes

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I) to (N, O), in the dtype of ``x``."""
        result = torch._weight_int8pack_mm(x.contiguous(), self.weight, self.scale)
        return result if self.bias is None else result + self.bias
