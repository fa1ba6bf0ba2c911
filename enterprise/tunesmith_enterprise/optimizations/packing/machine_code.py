# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Packed weights unpacked and multiplied, in vectors of LLVM's own language, of no processor in particular."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tunesmith.engine.jit.native import c_function, compiled, entry, matrix, prefetch
from tunesmith.engine.jit.native import multiply_one as call_multiply
from tunesmith.engine.jit.native import unpack as call_unpack
from tunesmith.engine.jit.products import multiply
from tunesmith_enterprise.optimizations.packing.layout import HEAD, MARKED, OUTPUTS, TILE, TILE_BYTES

__all__ = ["functions"]

_BLOCK_TILE = OUTPUTS * TILE_BYTES  # bytes of all outputs of a tile
_LANES = 8  # float32 that are added up at once, as the core's products do
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), 32)
_SHORTS = ir.VectorType(ir.IntType(16), 16)
_INTS = ir.VectorType(_INT32, _LANES)
_FLOATS = ir.VectorType(ir.FloatType(), _LANES)


def _lanes(chosen):
    return ir.Constant(ir.VectorType(_INT32, len(chosen)), [_INT32(lane) for lane in chosen])


_INTERLEAVED = [
    _lanes([byte for lane in (*range(at, at + 8), *range(at + 16, at + 24)) for byte in (lane, lane + 32)])
    for at in (0, 8)
]
_IN_ORDER = _lanes([*range(0, 16, 2), *range(1, 16, 2)])  # of pairs of the k-th and the (k + 8)-th


def _at(builder, address, offset, kind):
    return builder.inttoptr(builder.add(address, _INT64(offset)), kind.as_pointer())


def _read(builder, address, offset, kind):
    value = builder.load(_at(builder, address, offset, kind))
    value.align = 1
    return value


def _write(builder, value, address, offset):
    builder.store(value, _at(builder, address, offset, value.type)).align = 1


def _all_of(value):
    return ir.Constant(_BYTES, [ir.IntType(8)(value)] * 32)


def _base(builder, smallest):
    one = builder.insert_element(ir.Constant(_BYTES, ir.Undefined), builder.trunc(smallest, ir.IntType(8)), _INT32(0))
    return builder.shuffle_vector(one, one, _lanes([0] * 32))


def _pairs(builder, source, output, base):
    """An output's tile: four vectors of eight pairs of weights."""
    at = output * TILE_BYTES
    fours = _read(builder, source, at + TILE, _BYTES)
    first = builder.and_(fours, _all_of(0x87))
    numbers = builder.and_(builder.lshr(fours, _all_of(3)), _all_of(7))
    second = builder.or_(numbers, builder.and_(builder.shl(fours, _all_of(1)), _all_of(0x80)))
    for half, high in enumerate((first, second)):
        high = builder.add(high, base)
        low = _read(builder, source, at + half * 32, _BYTES)
        for mask in _INTERLEAVED:
            yield builder.shuffle_vector(low, high, mask)


@intrinsic
def _unpack_tile(context, source, smallest, target, apart):
    """Write a tile of eight outputs as bf16, each behind the other, so many bytes apart."""

    def code(context, builder, signature, arguments):
        source, smallest, target, apart = arguments
        base = _base(builder, smallest)
        for output in range(OUTPUTS):
            for place, pairs in enumerate(_pairs(builder, source, output, base)):
                shorts = builder.bitcast(pairs, _SHORTS)
                in_order = builder.shuffle_vector(shorts, shorts, _IN_ORDER)
                _write(builder, in_order, target, place * 32)
            target = builder.add(target, apart)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), code


def _add(builder, total, weights, x, k):
    """``total`` and eight products; the weights are the bits of float32."""
    products = builder.fmul(builder.bitcast(weights, _FLOATS), _read(builder, x, 4 * k, _FLOATS), flags=("contract",))
    return builder.fadd(total, products, flags=("contract",))


@intrinsic
def _add_tile(context, source, smallest, x, sums):
    """Add a tile's products to the sums of eight outputs."""

    def code(context, builder, signature, arguments):
        source, smallest, x, sums = arguments
        base = _base(builder, smallest)
        high = ir.Constant(_INTS, [_INT32(0xFFFF0000)] * _LANES)
        sixteen = ir.Constant(_INTS, [_INT32(16)] * _LANES)
        for output in range(OUTPUTS):
            total = _read(builder, sums, output * 4 * _LANES, _FLOATS)
            for place, pairs in enumerate(_pairs(builder, source, output, base)):
                both = builder.bitcast(pairs, _INTS)
                total = _add(builder, total, builder.shl(both, sixteen), x, 16 * place)
                total = _add(builder, total, builder.and_(both, high), x, 16 * place + _LANES)
            _write(builder, total, sums, output * 4 * _LANES)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), code


@intrinsic
def _add_unpacked_tile(context, weights, x, sums):
    """The same with weights as :func:`_unpack_tile` writes them."""

    def code(context, builder, signature, arguments):
        weights, x, sums = arguments
        sixteen = ir.Constant(_INTS, [_INT32(16)] * _LANES)
        for output in range(OUTPUTS):
            total = _read(builder, sums, output * 4 * _LANES, _FLOATS)
            for k in range(0, TILE, _LANES):
                shorts = _read(builder, weights, 2 * (output * TILE + k), ir.VectorType(ir.IntType(16), _LANES))
                total = _add(builder, total, builder.shl(builder.zext(shorts, _INTS), sixteen), x, k)
            _write(builder, total, sums, output * 4 * _LANES)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), code


@intrinsic
def _nothing(context, sums):
    """Sums of nothing yet."""

    def code(context, builder, signature, arguments):
        for output in range(OUTPUTS):
            _write(builder, ir.Constant(_FLOATS, None), arguments[0], output * 4 * _LANES)
        return context.get_dummy_value()

    return types.void(types.int64), code


@intrinsic
def _totals(context, sums, made):
    """Write the sums of eight outputs, each as one float32."""

    def code(context, builder, signature, arguments):
        sums, made = arguments
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _FLOATS])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{_LANES}f32")
        for output in range(OUTPUTS):
            lanes = _read(builder, sums, output * 4 * _LANES, _FLOATS)
            total = builder.call(function, [ir.FloatType()(-0.0), lanes], fastmath=("reassoc", "nsz"))
            _write(builder, total, made, 4 * output)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


def _room(size):
    """A function for compiled ones: the address of so many bytes of the stack."""

    @intrinsic
    def address(context):
        def code(context, builder, signature, arguments):
            place = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(8), size))
            place.align = 32
            return builder.ptrtoint(place, _INT64)

        return types.int64(), code

    return address


_room_of_sums, _room_of_weights = _room(OUTPUTS * _LANES * 4), _room(OUTPUTS * TILE * 2)


@compiled
def _replace(others: Any, at: int, tile: int, apart: int, target: int) -> int:
    """Put the listed weights of a tile in their places; where the next tile's begin.

    Args:
        others: int64, a block's list.
        at: where this tile's begin in it.
        tile: which one.
        apart: bytes from one output to the next.
        target: address of the tile's weights, as :func:`_unpack_tile` writes them.
    """
    while at < len(others) and others[at] >> 16 < (tile + 1) * OUTPUTS * TILE:
        place = (others[at] >> 16) - tile * OUTPUTS * TILE
        address = target + place // TILE * apart + place % TILE * 2
        matrix(address, 1, 1, np.uint16)[0, 0] = others[at] & 0xFFFF
        at += 1
    return at


def _unpack(packed: int, target: int, ahead: int) -> None:
    head = matrix(packed, 1, HEAD // 8, np.int64)[0]
    others = matrix(packed + head[2], 1, head[3], np.int64)[0]
    at, apart = 0, head[0] * TILE * 2
    for tile in range(head[0]):
        prefetch(ahead + tile * _BLOCK_TILE, _BLOCK_TILE)
        first = target + tile * TILE * 2
        _unpack_tile(packed + HEAD + tile * _BLOCK_TILE, head[1], first, apart)
        at = _replace(others, at, tile, apart, first)


def _multiply(packed: int, x: int, made: int, ahead: int) -> None:
    head = matrix(packed, 1, HEAD // 8, np.int64)[0]
    others = matrix(packed + head[2], 1, head[3], np.int64)[0]
    at = 0
    sums, weights = _room_of_sums(), _room_of_weights()
    _nothing(sums)
    for tile in range(head[0]):
        prefetch(ahead + tile * _BLOCK_TILE, _BLOCK_TILE)
        source, inputs = packed + HEAD + tile * _BLOCK_TILE, x + tile * TILE * 4
        if tile >= MARKED or (head[4 + tile // 64] >> (tile % 64)) & 1:
            _unpack_tile(source, head[1], weights, TILE * 2)
            at = _replace(others, at, tile, TILE * 2, weights)
            _add_unpacked_tile(weights, inputs, sums)
        else:
            _add_tile(source, head[1], inputs, sums)
    _totals(sums, made)


@entry
def _in_one_order(packed: int, unpack: int, multiply_row: int, x: Any, rows: Any, apart: Any, together: Any) -> None:
    """A block's products with one row, by the function of its own and by what was unpacked."""
    call_unpack(unpack, packed, rows.ctypes.data, packed)
    multiply(x, rows, 0, OUTPUTS, 0, together)
    call_multiply(multiply_row, packed, x.ctypes.data, apart.ctypes.data, packed)


@lru_cache(maxsize=1)
def functions() -> tuple[Any, Any | None]:
    """What unpacks, and what multiplies one row, as :class:`tunesmith.engine.packing.Packed` asks for them.

    Their ``address`` holds as long as they do. The second is ``None`` on a processor where the core's sums are taken in
    another order than here.
    """
    unpack, multiply_row = c_function(_unpack, 3), c_function(_multiply, 4)
    return unpack, multiply_row if _agree(unpack.address, multiply_row.address) else None


def _agree(unpack: int, multiply_row: int) -> bool:
    random = np.random.default_rng(0)
    tiles = 5
    packed = np.zeros(HEAD + tiles * _BLOCK_TILE, np.uint8)
    packed[:HEAD].view(np.int64)[:2] = tiles, 56  # exponents of 112 to 127: up to 2
    packed[HEAD:] = random.integers(0, 256, tiles * _BLOCK_TILE)
    x = random.standard_normal((1, tiles * TILE), np.float32)
    rows, (apart, together) = np.empty((OUTPUTS, tiles * TILE), np.uint16), np.full((2, 1, OUTPUTS), np.nan, np.float32)
    _in_one_order(packed.ctypes.data, unpack, multiply_row, x, rows, apart, together)
    return bool(np.array_equal(apart, together))
