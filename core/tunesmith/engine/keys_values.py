# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Memory for the keys and values of several sequences, taken once, a slot for each sequence.

On a processor the system hands out a page when it is first written, so slots cost what is in them.

Shapes: G key-value heads, C places of a slot, D head width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from tunesmith.engine.decoder import Shape
    from tunesmith.engine.steps import StepDecoder

__all__ = ["KeysValues", "bytes_per_token"]


def bytes_per_token(shape: Shape, dtype: torch.dtype) -> int:
    """What one token of one sequence takes, in all layers."""
    return 2 * shape.layers * shape.kv_heads * shape.width * dtype.itemsize


class KeysValues:
    """Keys and values by layer: each (slots, G, C, D).

    Attributes:
        slots: how many sequences it holds.
        capacity: C, tokens that each may have.
    """

    def __init__(self, shape: Shape, *, slots: int, capacity: int, dtype: torch.dtype, device: torch.device) -> None:
        self.slots, self.capacity = slots, capacity
        size = (slots, shape.kv_heads, capacity, shape.width)
        # Zeros: a masked place weighs nothing, and nothing times NaN would be NaN.
        self.keys = [torch.zeros(size, dtype=dtype, device=device) for _ in range(shape.layers)]
        self.values = [torch.zeros(size, dtype=dtype, device=device) for _ in range(shape.layers)]

    @classmethod
    def of(cls, decoder: StepDecoder, *, slots: int, capacity: int) -> KeysValues:
        """For a decoder, in its dtype and on its device."""
        return cls(decoder.shape, slots=slots, capacity=capacity, dtype=decoder.dtype, device=decoder.device)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """The first ``tokens`` of one slot into another."""
        for store in (self.keys, self.values):
            for layer in store:
                layer[target, :, :tokens].copy_(layer[source, :, :tokens])
