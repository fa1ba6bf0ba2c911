# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Linear layers of compiled steps in a form of their own, which a plugin's function unpacks as they are multiplied.

Each thread unpacks a few outputs into a place that stays in its core's cache, as bf16, and multiplies them as if they
had been stored so. A form that keeps every weight as it is changes no bit of a result, and one that takes less memory
saves the time of reading it: with one answer under way a step waits for little else.

Shapes: N outputs, K inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch

__all__ = ["Packed", "Packing"]


class Packed(NamedTuple):
    """The weights of a linear layer.

    Attributes:
        data: uint8 (B,), which stays where it is. The outputs' weights lie behind each other, eight by eight; what lies
            behind the last is the form's own.
        row_bytes: that an output takes: an eighth of eight outputs.
        unpack: address of a function ``void(int64 packed, int64 target, int64 ahead)``, called as C does. It writes the
            eight outputs at an address behind each other as the bits of bf16, uint16 (8, K); where there are fewer,
            anything for the others. Of what lies ``ahead``, which will be read next, it asks the processor for as many
            bytes as it reads. Several threads call it at once, without Python's lock; it cannot fail.
        multiply: address of a function ``void(int64 packed, int64 x, int64 made, int64 ahead)``, likewise, which writes
            the products of one row of activations, float32 (K,) at ``x``, and all eight outputs, float32 (8,): to the
            last bit those of :func:`tunesmith.engine.jit.products.multiply` and what ``unpack`` writes. 0: none.
    """

    data: torch.Tensor
    row_bytes: int
    unpack: int
    multiply: int = 0


class Packing(Protocol):
    """A form that weights can be held in."""

    def pack(self, weight: torch.Tensor) -> Packed | None:
        """The weights (N, K) of a linear layer, in fp32, bf16 or fp16; ``None``: they stay as they are."""
        ...
