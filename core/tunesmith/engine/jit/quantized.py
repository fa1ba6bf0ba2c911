# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Products of activations with weights in 8 bits, in whole numbers.

A row of activations is cut into blocks of at most 1,024, and each block is rounded to 15 bits with a scale of its own:
a large value costs its own block its precision, and no other. A block's products are summed in int32, which cannot
overflow (1,024 · 127 · 16,383 < 2³¹) and is exact in any order: so a row's result is the same whatever lies beside it,
to the last bit, and whichever of the ways below it takes.

Shapes: M rows, K inputs, K' the next multiple of 32, N outputs, S blocks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tunesmith.engine.jit.lanes import LANES, add_products, bytes_at, nothing, shorts_at, total, totals
from tunesmith.engine.jit.native import compiled, prefetch
from tunesmith.engine.jit.products import share_of

__all__ = ["ALIGNED", "Activations", "Weights", "blocks", "multiply_quantized", "quantize"]

ALIGNED = 32
"""Rows of weights and of activations are filled up with zeros to a multiple of this."""

_LONGEST = 1024
_MOST = np.float32(16383)
_TO_WHOLE = np.float32(3 << 22)  # added to a float32 of less than 2^22, it leaves the nearest whole number in its bits
_TO_WHOLE_BITS = np.int32(0x4B400000)
_MAGNITUDE = np.int32(0x7FFFFFFF)


class Activations(NamedTuple):
    """Rows in whole numbers.

    Attributes:
        numbers: int16 (M, K'), zero behind K.
        scales: float32 (M, S or more), what a block's numbers are to be multiplied by.
        inputs: K.
    """

    numbers: Any
    scales: Any
    inputs: int


class Weights(NamedTuple):
    """A matrix in whole numbers.

    Attributes:
        address: of int8 (N, K'), none of them -128, zero behind K.
        scales: float32 (N,), what an output's weights are to be multiplied by.
    """

    address: int
    scales: Any


def blocks(inputs: int) -> int:
    """The most blocks that so many inputs are cut into."""
    return -(-inputs // _LONGEST)


@compiled
def _block(inputs: int) -> int:
    """The length of a block: a multiple of ``ALIGNED``, about the same for all of them."""
    count = (inputs + _LONGEST - 1) // _LONGEST
    return (inputs + count * ALIGNED - 1) // (count * ALIGNED) * ALIGNED


@compiled
def quantize(x: Any, made: Any) -> None:
    """Write a float32 (M, K) as :class:`Activations`. Where one is not finite, neither is its block's scale."""
    count, inputs = x.shape
    length = _block(inputs)
    for row in range(count):
        for block in range((inputs + length - 1) // length):
            start, end = block * length, min(block * length + length, inputs)
            part, whole = x[row, start:end], made.numbers[row, start:end]
            bits = part.view(np.int32)
            most = np.int32(0)  # of the bits: they are in the order of the values, and a NaN is above all
            for k in range(end - start):
                most = max(most, bits[k] & _MAGNITUDE)
            largest = np.int32(most).view(np.float32)
            made.scales[row, block] = largest / _MOST
            rate = _MOST / max(largest, np.float32(1e-30))
            for k in range(end - start):
                whole[k] = np.int32(np.float32(part[k] * rate + _TO_WHOLE).view(np.int32)) - _TO_WHOLE_BITS
        made.numbers[row, inputs:] = 0


@compiled
def multiply_quantized(x: Any, weights: Any, first: int, last: int, ahead: int, made: Any) -> None:
    """Some outputs of ``x @ weights.T``.

    Args:
        x: :class:`Activations`.
        weights: :class:`Weights`.
        first: output.
        last: behind the last output.
        ahead: address of weights that are read next; as much is asked for as is read here.
        made: float32 (M, N), of which the columns from ``first`` to ``last`` are written.
    """
    count, width = x.numbers.shape
    even = first + (last - first) // 8 * 8
    share = share_of((last - first) * width, count, even - first)
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
def _four_rows(x: Any, weights: Any, row: int, output: int, made: Any) -> None:
    width, length, rates = x.numbers.shape[1], _block(x.inputs), weights.scales
    x0 = np.int64(x.numbers.ctypes.data) + 2 * row * width
    x1, x2, x3 = x0 + 2 * width, x0 + 4 * width, x0 + 6 * width
    w0 = weights.address + output * width
    w1 = w0 + width
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for block in range((x.inputs + length - 1) // length):
        i0 = i1 = i2 = i3 = j0 = j1 = j2 = j3 = nothing()
        for k in range(block * length, min(block * length + length, width), LANES):
            a, b = bytes_at(w0 + k), bytes_at(w1 + k)
            v = shorts_at(x0 + 2 * k)
            i0, j0 = add_products(i0, v, a), add_products(j0, v, b)
            v = shorts_at(x1 + 2 * k)
            i1, j1 = add_products(i1, v, a), add_products(j1, v, b)
            v = shorts_at(x2 + 2 * k)
            i2, j2 = add_products(i2, v, a), add_products(j2, v, b)
            v = shorts_at(x3 + 2 * k)
            i3, j3 = add_products(i3, v, a), add_products(j3, v, b)
        t = totals(i0, i1, i2, i3, j0, j1, j2, j3)
        s0, s1, s2, s3 = (
            x.scales[row, block],
            x.scales[row + 1, block],
            x.scales[row + 2, block],
            x.scales[row + 3, block],
        )
        a0 += np.float32(t[0]) * s0
        a1 += np.float32(t[1]) * s1
        a2 += np.float32(t[2]) * s2
        a3 += np.float32(t[3]) * s3
        b0 += np.float32(t[4]) * s0
        b1 += np.float32(t[5]) * s1
        b2 += np.float32(t[6]) * s2
        b3 += np.float32(t[7]) * s3
    a, b = rates[output], rates[output + 1]
    made[row, output], made[row, output + 1] = a0 * a, b0 * b
    made[row + 1, output], made[row + 1, output + 1] = a1 * a, b1 * b
    made[row + 2, output], made[row + 2, output + 1] = a2 * a, b2 * b
    made[row + 3, output], made[row + 3, output + 1] = a3 * a, b3 * b


@compiled
def _eight_outputs(x: Any, weights: Any, row: int, output: int, made: Any) -> None:
    width, length, rates = x.numbers.shape[1], _block(x.inputs), weights.scales
    at, w = np.int64(x.numbers.ctypes.data) + 2 * row * width, weights.address + output * width
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
    for block in range((x.inputs + length - 1) // length):
        i0 = i1 = i2 = i3 = i4 = i5 = i6 = i7 = nothing()
        for k in range(block * length, min(block * length + length, width), LANES):
            v, wk = shorts_at(at + 2 * k), w + k
            i0 = add_products(i0, v, bytes_at(wk))
            i1 = add_products(i1, v, bytes_at(wk + width))
            i2 = add_products(i2, v, bytes_at(wk + 2 * width))
            i3 = add_products(i3, v, bytes_at(wk + 3 * width))
            i4 = add_products(i4, v, bytes_at(wk + 4 * width))
            i5 = add_products(i5, v, bytes_at(wk + 5 * width))
            i6 = add_products(i6, v, bytes_at(wk + 6 * width))
            i7 = add_products(i7, v, bytes_at(wk + 7 * width))
        scale = x.scales[row, block]
        t = totals(i0, i1, i2, i3, i4, i5, i6, i7)
        s0 += np.float32(t[0]) * scale
        s1 += np.float32(t[1]) * scale
        s2 += np.float32(t[2]) * scale
        s3 += np.float32(t[3]) * scale
        s4 += np.float32(t[4]) * scale
        s5 += np.float32(t[5]) * scale
        s6 += np.float32(t[6]) * scale
        s7 += np.float32(t[7]) * scale
    r = rates[output : output + 8]
    made[row, output], made[row, output + 1] = s0 * r[0], s1 * r[1]
    made[row, output + 2], made[row, output + 3] = s2 * r[2], s3 * r[3]
    made[row, output + 4], made[row, output + 5] = s4 * r[4], s5 * r[5]
    made[row, output + 6], made[row, output + 7] = s6 * r[6], s7 * r[7]


@compiled
def _one(x: Any, weights: Any, row: int, output: int, made: Any) -> None:
    width, length, rates = x.numbers.shape[1], _block(x.inputs), weights.scales
    at, w = np.int64(x.numbers.ctypes.data) + 2 * row * width, weights.address + output * width
    whole = np.float32(0)
    for block in range((x.inputs + length - 1) // length):
        sums = nothing()
        for k in range(block * length, min(block * length + length, width), LANES):
            sums = add_products(sums, shorts_at(at + 2 * k), bytes_at(w + k))
        whole += np.float32(total(sums)) * x.scales[row, block]
    made[row, output] = whole * rates[output]
