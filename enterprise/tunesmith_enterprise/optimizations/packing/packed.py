# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which linear layers are held in 12 bits a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith.engine.packing import Packed

if TYPE_CHECKING:
    import torch

__all__ = ["TwelveBits"]


class TwelveBits:
    """A :class:`tunesmith.engine.packing.Packing` (:mod:`tunesmith_enterprise.optimizations.packing.layout`).

    It takes layers whose weights are bf16's to the last bit, as those of most published models are, and whose inputs
    are a multiple of 64.

    Attributes:
        before: bytes that the layers it took had; 0: it took none.
        behind: bytes that they have now.
    """

    def __init__(self) -> None:
        self.before = self.behind = 0

    def pack(self, weight: torch.Tensor) -> Packed | None:
        """As :meth:`tunesmith.engine.packing.Packing.pack`."""
        packed = _packed(weight)
        if packed is not None:
            self.before += weight.nbytes
            self.behind += packed.data.nbytes
        return packed


def _packed(weight: torch.Tensor) -> Packed | None:
    import torch

    from tunesmith_enterprise.optimizations.packing.layout import OUTPUTS, TILE, block_bytes, pack
    from tunesmith_enterprise.optimizations.packing.machine_code import functions

    if weight.shape[1] % TILE:
        return None
    as_bits = {torch.bfloat16: torch.uint16, torch.float16: torch.int16}  # as compiled functions read them
    packed = pack(weight.contiguous().view(as_bits.get(weight.dtype, weight.dtype)).numpy())
    if packed is None:
        return None
    unpack, multiply = functions()
    address = 0 if multiply is None else multiply.address
    return Packed(torch.from_numpy(packed), block_bytes(weight.shape[1]) // OUTPUTS, unpack.address, address)
