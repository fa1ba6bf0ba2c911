# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Vectors of whole numbers as values in compiled functions, and their products as processors have them.

Compilers make vectors of loops over float32 by themselves, but not of loops that multiply int16 and add up int32. What
is written here is the vector form of LLVM's own language, of no processor in particular: on x86 it becomes ``pmaddwd``,
with AVX-512 VNNI ``vpdpwssd``.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

__all__ = ["LANES", "add_products", "bytes_at", "nothing", "shorts_at", "total", "totals"]

LANES = 32 if binding.get_host_cpu_features().get("avx512bw") else 16
"""Numbers that are multiplied at once: a register of the processor holds as many int16."""

_INT32 = ir.IntType(32)
_SHORTS = ir.VectorType(ir.IntType(16), LANES)
_WIDE = ir.VectorType(_INT32, LANES)
_SUMS = ir.VectorType(_INT32, LANES // 2)

_TRANSPOSED = (
    ((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)),
    ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
)
"""Lanes of two vectors that are added up, in three steps from eight vectors to one; in each the halves of a register of
256 bits stay apart as long as they can, for crossing them takes longer."""


class _Vector(types.Type):  # type: ignore[misc]
    """A vector in a register."""


class _Shorts(_Vector):
    """int16 (LANES,)."""


class _Sums(_Vector):
    """int32 (LANES / 2,)."""


_shorts, _sums = _Shorts("int16 lanes"), _Sums("int32 lanes")


@register_model(_Shorts)
class _ShortsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _SHORTS)


@register_model(_Sums)
class _SumsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _SUMS)


@intrinsic
def nothing(context):
    """Sums of nothing yet."""

    def code(context, builder, signature, arguments):
        return ir.Constant(_SUMS, None)

    return _sums(), code


@intrinsic
def shorts_at(context, address):
    """The int16 at an address."""

    def code(context, builder, signature, arguments):
        return _read(builder, arguments[0], _SHORTS, 2)

    return _shorts(types.int64), code


@intrinsic
def bytes_at(context, address):
    """The int8 at an address, as int16."""

    def code(context, builder, signature, arguments):
        return builder.sext(_read(builder, arguments[0], ir.VectorType(ir.IntType(8), LANES), 1), _SHORTS)

    return _shorts(types.int64), code


@intrinsic
def add_products(context, sums, left, right):
    """``sums`` and the products of two vectors; each of the sums takes two of them."""

    def code(context, builder, signature, arguments):
        sums, left, right = arguments
        products = builder.mul(builder.sext(left, _WIDE), builder.sext(right, _WIDE), flags=("nsw",))
        even, odd = (_every_second(builder, products, first) for first in (0, 1))
        return builder.add(sums, builder.add(even, odd))

    return _sums(_sums, _shorts, _shorts), code


@intrinsic
def totals(context, a, b, c, d, e, f, g, h):
    """Of each of eight sums all in one int32: a tuple of eight.

    Together they take a third of the instructions that eight by themselves take.
    """

    def code(context, builder, signature, arguments):
        vectors = [_folded(builder, vector) for vector in arguments]
        for low, high in _TRANSPOSED:
            vectors = [
                builder.add(*(builder.shuffle_vector(*pair, _lanes(chosen)) for chosen in (low, high)))
                for pair in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        whole = [builder.extract_element(vectors[0], _INT32(lane)) for lane in range(8)]
        return context.make_tuple(builder, signature.return_type, whole)

    return types.UniTuple(types.int32, 8)(*[_sums] * 8), code


@intrinsic
def total(context, sums):
    """All sums in one int32."""

    def code(context, builder, signature, arguments):
        kind = ir.FunctionType(_INT32, [_SUMS])
        name = f"llvm.vector.reduce.add.v{LANES // 2}i32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return types.int32(_sums), code


def _read(builder, address, kind, align):
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def _every_second(builder, products, first):
    return builder.shuffle_vector(products, ir.Constant(_WIDE, ir.Undefined), _lanes(range(first, LANES, 2)))


def _folded(builder, sums):
    """Eight sums of sixteen."""
    if LANES == 16:
        return sums
    return builder.add(*(builder.shuffle_vector(sums, sums, _lanes(range(at, at + 8))) for at in (0, 8)))


def _lanes(chosen):
    return ir.Constant(ir.VectorType(_INT32, len(chosen)), [_INT32(lane) for lane in chosen])
