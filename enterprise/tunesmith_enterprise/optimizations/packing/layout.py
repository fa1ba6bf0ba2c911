# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""bf16 in 12 bits: how it lies in memory, and the machine code that writes and reads it.

A weight of bf16 is a sign, eight bits of exponent and seven of mantissa (s eeeeeeee mmmmmmm), and the exponents of one
layer's weights lie close together: weights near 0 get rarer with every power of two. Of each block, eight outputs, the
16 exponents are chosen that most weights have. A weight is then

- 8 bits as they are: the exponent's last bit, and the mantissa;
- 4 bits: the sign, and the exponent's first seven bits less those of the block's smallest, 0 to 7.

The few weights that have another exponent, zeros among them, stand in a list of their own, and are put in their places
when a block has been unpacked. The idea that exponents hold little is DFloat11's (arXiv:2504.11651), which codes each
by its frequency, for GPUs; here a fixed width lets vectors do it.

In memory: the blocks, and behind the last one the lists: of each weight its place in the block, ((tile · 8) + output) ·
64 + k, times 2^16, and its bits (int64). A block has a head and K / 64 tiles of eight outputs. Of an output, a tile has
64 bytes with 8 bits of each weight, and 32 bytes with the 4 bits of the k-th weight (bit 7: sign, 2 to 0: exponent) and
of the (k + 32)-nd (6: sign, 5 to 3: exponent). Weights are ordered so that two vectors of bytes, interleaved as
processors do it within 16 bytes, are eight pairs of the k-th and the (k + 8)-th weight.

Shapes: N outputs; K inputs, a multiple of 64; B blocks, N / 8 rounded up; T tiles of a block.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tunesmith.engine.jit.native import compiled, entry, to_float

__all__ = ["HEAD", "MARKED", "OUTPUTS", "TILE", "TILE_BYTES", "block_bytes", "pack"]

OUTPUTS: Final = 8
"""Of a block."""
TILE: Final = 64
"""Weights of an output that are unpacked together."""
TILE_BYTES: Final = TILE * 3 // 2
HEAD: Final = 64
"""Bytes in front of a block: int64, its tiles; its smallest exponent, without the last bit; how far behind its
beginning its list is, and how long; and a bit for each of its first ``MARKED`` tiles that has weights in the list."""
MARKED: Final = 256

_WINDOW = 8  # values of the exponent's first seven bits that have a code
_HALF = TILE // 2
_MOST_OTHERS = 1 / 256  # of all weights; each takes eight bytes, and is put in its place by itself


def block_bytes(inputs: int) -> int:
    """Of eight outputs with so many inputs, a multiple of ``TILE``."""
    return HEAD + OUTPUTS * inputs // TILE * TILE_BYTES


def pack(weights: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Weights as the machine code reads them, or ``None``: not all of them are bf16's, or too many are in lists.

    Args:
        weights: (N, K), as :func:`tunesmith.engine.jit.native.to_float` reads them.
    """
    outputs, inputs = weights.shape
    bits = np.empty((outputs, inputs), np.uint16)
    if not _narrow(weights, bits):
        return None
    count = -(-outputs // OUTPUTS)
    smallest, listed = np.zeros(count, np.uint8), np.zeros(count, np.int64)
    _choose(bits, smallest, listed)
    starts = np.concatenate([[0], listed.cumsum()])
    if starts[-1] > _MOST_OTHERS * bits.size:
        return None
    size = block_bytes(inputs)
    made = np.zeros(count * size + 8 * int(starts[-1]), np.uint8)
    blocks, others = made[: count * size].reshape(count, size), made[count * size :].view(np.int64)
    heads = blocks[:, :HEAD].view(np.int64)
    heads[:, 0], heads[:, 1], heads[:, 3] = inputs // TILE, smallest, listed
    heads[:, 2] = size * (count - np.arange(count)) + 8 * starts[:-1]
    tiles = blocks[:, HEAD:].reshape(count, inputs // TILE, OUTPUTS, TILE_BYTES)
    _write(bits, smallest, starts, heads, tiles, others)
    return made


@compiled
def _place(k: int) -> int:
    """Of the k-th of 32 weights, the byte that it has in a vector."""
    word = 2 * (k % 8) + (k % 16) // 8
    return (word if word < 8 else word + 8) + 8 * (k // 16)


@entry
def _narrow(weights: Any, bits: Any) -> bool:
    """Write weights as bf16, if all of them are bf16's.

    Args:
        weights: (N, K), as :func:`tunesmith.engine.jit.native.to_float` reads them.
        bits: uint16 (N, K), the result.

    Returns:
        Whether they are; if not, the result is none.
    """
    for row in range(weights.shape[0]):
        lost = np.uint32(0)
        for k in range(weights.shape[1]):
            whole = np.float32(to_float(weights[row, k])).view(np.uint32)
            lost |= whole & np.uint32(0xFFFF)
            bits[row, k] = whole >> np.uint32(16)
        if lost:
            return False
    return True


@entry
def _choose(bits: Any, smallest: Any, others: Any) -> None:
    """Choose each block's exponents.

    Args:
        bits: uint16 (N, K), of bf16.
        smallest: uint8 (B,), the result: the exponent's first seven bits that have code 0.
        others: int64 (B,), the result: weights that have no code.
    """
    found = np.zeros(128, np.int64)
    for block in range(len(smallest)):
        found[:] = 0
        for row in range(block * OUTPUTS, min((block + 1) * OUTPUTS, bits.shape[0])):
            for k in range(bits.shape[1]):
                found[(bits[row, k] >> 8) & 0x7F] += 1
        coded = most = found[:_WINDOW].sum()
        place = 0
        for first in range(1, 128 - _WINDOW + 1):
            coded += found[first + _WINDOW - 1] - found[first - 1]
            if coded > most:
                most, place = coded, first
        smallest[block], others[block] = place, found.sum() - most


@entry
def _write(bits: Any, smallest: Any, starts: Any, heads: Any, blocks: Any, others: Any) -> None:
    """Write the blocks and the lists.

    Args:
        bits: uint16 (N, K), of bf16.
        smallest: uint8 (B,), as :func:`_choose` has it.
        starts: int64 (B + 1,), where each block's list begins.
        heads: int64 (B, 8), whose marks are written; 0 at first.
        blocks: uint8 (B, T, 8, 96), the result; 0 at first.
        others: int64, the result.
    """
    for block in range(blocks.shape[0]):
        at, outputs = starts[block], min(OUTPUTS, bits.shape[0] - block * OUTPUTS)
        for tile in range(blocks.shape[1]):
            begin = at
            for output in range(outputs):
                row, made = block * OUTPUTS + output, blocks[block, tile, output]
                for k in range(TILE):
                    weight = bits[row, tile * TILE + k]
                    code = ((weight >> 8) & 0x7F) - smallest[block]
                    if code < 0 or code >= _WINDOW:
                        others[at] = ((tile * OUTPUTS + output) * TILE + k) << 16 | weight
                        at += 1
                        code = 0
                    half, place, sign = k // _HALF, _place(k % _HALF), weight >> 15
                    made[half * _HALF + place] = weight & 0xFF
                    made[TILE + place] |= np.uint8(sign << 6 | code << 3 if half else sign << 7 | code)
            if at > begin and tile < MARKED:
                heads[block, 4 + tile // 64] |= np.int64(1) << (tile % 64)
