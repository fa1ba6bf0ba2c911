# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Products of a few rows of activations with many rows of weights.

Sums are in float32 whatever the weights are stored as. Four rows at once convert each weight once; a single row takes
eight outputs at once, for eight sums that do not wait for each other. Both take the same sums in the same order, so a
row's result does not depend, not in its last bit, on the rows beside it (``tests/core/engine/jit/test_products.py``).

Shapes: M rows, K inputs, N outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tunesmith.engine.jit.native import CACHE_LINE, compiled, matrix, multiply_one, prefetch, to_float, unpack

__all__ = ["STORED", "TOGETHER", "PackedWeights", "multiply", "multiply_packed", "multiply_stored", "share_of"]

STORED = {"fp32": 0, "bf16": 1, "fp16": 2, "int8": 3}
"""What weights are stored in -> its number. The bits of bf16 are held as uint16, those of fp16 as int16; the products
of int8 are in :mod:`tunesmith.engine.jit.quantized`."""

TOGETHER = 8
"""Outputs whose weights are unpacked together (:mod:`tunesmith.engine.packing`)."""

_FP32, _BF16 = STORED["fp32"], STORED["bf16"]


@compiled
def multiply_stored(x: Any, address: int, stored: int, first: int, last: int, ahead: int, made: Any) -> None:
    """:func:`multiply` with the weights at an address, stored as ``STORED`` numbers it, in any way but int8."""
    outputs, inputs = made.shape[1], x.shape[1]
    if stored == _FP32:
        multiply(x, matrix(address, outputs, inputs, np.float32), first, last, ahead, made)
    elif stored == _BF16:
        multiply(x, matrix(address, outputs, inputs, np.uint16), first, last, ahead, made)
    else:
        multiply(x, matrix(address, outputs, inputs, np.int16), first, last, ahead, made)


class PackedWeights(NamedTuple):
    """A matrix as a :class:`tunesmith.engine.packing.Packed` has it.

    Attributes:
        address: of its data.
        row_bytes: that an output's weights take.
        unpack: address of its function.
        multiply: likewise; 0: none.
    """

    address: int
    row_bytes: int
    unpack: int
    multiply: int


@compiled
def multiply_packed(x: Any, weights: Any, first: int, last: int, ahead: int, bits: Any, made: Any) -> None:
    """:func:`multiply` with weights in a form of their own.

    Args:
        x: as of :func:`multiply`; so are the others that are not named here.
        weights: a ``PackedWeights``.
        first: output, a multiple of ``TOGETHER``.
        bits: uint16, where they are unpacked to: room for (last - first, K), rounded up to a multiple of ``TOGETHER``.
    """
    count, inputs = x.shape
    if weights.multiply and count < 4:  # above, each weight is unpacked once for four rows
        for output in range(first, last // TOGETHER * TOGETHER, TOGETHER):
            packed = weights.address + output * weights.row_bytes
            for row in range(count):
                multiply_one(weights.multiply, packed, x[row].ctypes.data, made[row, output:].ctypes.data, ahead)
            ahead += TOGETHER * weights.row_bytes
        first = last // TOGETHER * TOGETHER
    for output in range(first, last, TOGETHER):
        target = bits.ctypes.data + (output - first) * inputs * bits.itemsize
        unpack(weights.unpack, weights.address + output * weights.row_bytes, target, ahead)
        ahead += TOGETHER * weights.row_bytes
    # The matrix as if all of it lay there: only these outputs are read.
    unpacked = matrix(bits.ctypes.data - first * inputs * bits.itemsize, last, inputs, np.uint16)
    _multiply(x, unpacked, first, last, 0, 0, made)


@compiled
def multiply(x: Any, weights: Any, first: int, last: int, ahead: int, made: Any) -> None:
    """Some outputs of ``x @ weights.T``.

    Args:
        x: float32 (M, K).
        weights: (N, K), as :func:`~tunesmith.engine.jit.native.to_float` reads them.
        first: output.
        last: behind the last output.
        ahead: address of weights that are read next; as much is asked for as is read here.
        made: float32 (M, N), of which the columns from ``first`` to ``last`` are written.
    """
    count, inputs = x.shape
    share = share_of((last - first) * inputs * weights.itemsize, count, (last - first) // 8 * 8)
    _multiply(x, weights, first, last, ahead, share, made)


@compiled
def _multiply(x: Any, weights: Any, first: int, last: int, ahead: int, share: int, made: Any) -> None:
    count = x.shape[0]
    even = first + (last - first) // 8 * 8
    fours = count // 4 * 4
    for row in range(0, fours, 4):
        for output in range(first, even, 2):
            prefetch(ahead, share)
            ahead += share
            _four_rows(x, weights, row, output, made)
    for row in range(fours, count):
        for output in range(first, even, 8):
            prefetch(ahead, share)
            ahead += share
            _eight_outputs(x, weights, row, output, made)
    for output in range(even, last):
        for row in range(count):
            _one(x, weights, row, output, made)


@compiled
def share_of(size: int, rows: int, outputs: int) -> int:
    """Of so many bytes, what each call below asks for: all of them are asked for by the end, a little at a time."""
    calls = rows // 4 * (outputs // 2) + rows % 4 * (outputs // 8)
    return (size // max(calls, 1) + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


@compiled
def _four_rows(x: Any, weights: Any, row: int, output: int, made: Any) -> None:
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for k in range(x.shape[1]):
        a, b = to_float(weights[output, k]), to_float(weights[output + 1, k])
        x0, x1, x2, x3 = x[row, k], x[row + 1, k], x[row + 2, k], x[row + 3, k]
        a0 += x0 * a
        a1 += x1 * a
        a2 += x2 * a
        a3 += x3 * a
        b0 += x0 * b
        b1 += x1 * b
        b2 += x2 * b
        b3 += x3 * b
    made[row, output], made[row, output + 1] = a0, b0
    made[row + 1, output], made[row + 1, output + 1] = a1, b1
    made[row + 2, output], made[row + 2, output + 1] = a2, b2
    made[row + 3, output], made[row + 3, output + 1] = a3, b3


@compiled
def _eight_outputs(x: Any, weights: Any, row: int, output: int, made: Any) -> None:
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
    for k in range(x.shape[1]):
        value = x[row, k]
        s0 += value * to_float(weights[output, k])
        s1 += value * to_float(weights[output + 1, k])
        s2 += value * to_float(weights[output + 2, k])
        s3 += value * to_float(weights[output + 3, k])
        s4 += value * to_float(weights[output + 4, k])
        s5 += value * to_float(weights[output + 5, k])
        s6 += value * to_float(weights[output + 6, k])
        s7 += value * to_float(weights[output + 7, k])
    made[row, output], made[row, output + 1] = s0, s1
    made[row, output + 2], made[row, output + 3] = s2, s3
    made[row, output + 4], made[row, output + 5] = s4, s5
    made[row, output + 6], made[row, output + 7] = s6, s7


@compiled
def _one(x: Any, weights: Any, row: int, output: int, made: Any) -> None:
    total = np.float32(0)
    for k in range(x.shape[1]):
        total += x[row, k] * to_float(weights[output, k])
    made[row, output] = total
