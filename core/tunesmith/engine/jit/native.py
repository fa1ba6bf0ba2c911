# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What compiled functions need and Python has no word for: tensors by their address, and atomic operations."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import __version__ as numba_version
from numba import carray, cfunc, config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from tunesmith.data.cache import cache_folder

__all__ = [
    *(
        "CACHE_LINE",
        "atomic_add",
        "c_function",
        "code_folder",
        "compiled",
        "entry",
        "give_way",
        "load",
        "matrix",
        "multiply_one",
        "prefetch",
        "put",
        "rows",
        "store",
    ),
    "to_float",
    "unpack",
]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}
_WORD = ir.IntType(64)
CACHE_LINE = 64
"""Bytes that a processor's cache holds as one; on those where it is more, some are asked for twice."""

_log = logging.getLogger(__name__)


def compiled(function: F) -> F:
    """A function for other compiled functions: it becomes machine code as a part of theirs.

    Sums may be taken in any order, and multiplications and additions fused; but no step reckons with a value being
    finite: a NaN stays a NaN.
    """
    return njit(**_OPTIONS)(function)  # type: ignore[no-any-return]


def entry(function: F) -> F:
    """A function that Python calls, compiled when it is first called, and kept for the processes that come after.

    It runs without Python's lock. What is kept lies in the cache's folder ``compiled`` (:mod:`tunesmith.data.cache`),
    or in ``NUMBA_CACHE_DIR``, under a digest of this package's sources and those beside the function: Numba itself
    looks at one file only.
    """
    dispatcher = njit(**_OPTIONS)(function)
    with _code_kept_for(function) as kept:
        if kept:
            dispatcher.enable_caching()
    return dispatcher  # type: ignore[no-any-return]


def c_function(function: Callable[..., None], arguments: int) -> Any:
    """A function of so many int64 that C calls, compiled now and kept likewise. Its ``address`` holds as long as it."""
    with _code_kept_for(function) as kept:
        decorate = cfunc(types.void(*[types.int64] * arguments), cache=kept, error_model="numpy")
        return decorate(function)


@contextmanager
def _code_kept_for(function: Callable[..., Any]) -> Iterator[bool]:
    """Where Numba, which looks for the folder while caching is enabled, keeps code; whether it is kept at all."""
    folder = code_folder(Path(function.__code__.co_filename).parent)
    given, config.CACHE_DIR = config.CACHE_DIR, "" if folder is None else str(folder)
    try:
        yield folder is not None
    finally:
        config.CACHE_DIR = given


@lru_cache
def code_folder(beside: Path = Path(__file__).parent) -> Path | None:
    """Where machine code is kept; ``None``: nowhere. Its name is a digest of what the code is made from.

    Args:
        beside: folder of the sources. Default: this package's own, of which all others' code has parts.
    """
    given = Path(config.CACHE_DIR) if config.CACHE_DIR else cache_folder("compiled")
    if given is None:
        return None
    digest = hashlib.sha256(f"{numba_version} {sys.version}".encode())
    for sources in dict.fromkeys((Path(__file__).parent, beside)):
        for source in sorted(sources.glob("*.py")):
            digest.update(source.read_bytes())
    folder = given / digest.hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _log.warning("machine code is not kept: %s", error)
        return None
    return folder


@intrinsic
def _pointer(context, address):
    def code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.intp), code


@intrinsic
def atomic_add(context, address, value):
    """Add to the int64 at an address; what was there before."""

    def code(context, builder, signature, arguments):
        place = builder.inttoptr(arguments[0], _WORD.as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), code


@intrinsic
def load(context, address):
    """The int64 at an address, as other threads have left it."""

    def code(context, builder, signature, arguments):
        place = builder.inttoptr(arguments[0], _WORD.as_pointer())
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(types.int64), code


@intrinsic
def store(context, address, value):
    """Write an int64, for other threads to see."""

    def code(context, builder, signature, arguments):
        place = builder.inttoptr(arguments[0], _WORD.as_pointer())
        builder.store_atomic(arguments[1], place, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@intrinsic
def _prefetch(context, address):
    def code(context, builder, signature, arguments):
        number = ir.IntType(32)
        place = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(function, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), code


@compiled
def prefetch(address: int, size: int) -> None:
    """Ask for so many bytes that will be read soon; nothing waits for them, and an address may be none."""
    for place in range(address, address + size, CACHE_LINE):
        _prefetch(place)


def _call(context, builder, signature, arguments):
    function, *given = arguments
    kind = ir.FunctionType(ir.VoidType(), [_WORD] * len(given))
    builder.call(builder.inttoptr(function, kind.as_pointer()), given)
    return context.get_dummy_value()


@intrinsic
def unpack(context, function, packed, target, ahead):
    """Call the function ``unpack`` of a :class:`tunesmith.engine.packing.Packed`, which lies at an address."""
    return types.void(*[types.int64] * 4), _call


@intrinsic
def multiply_one(context, function, packed, x, made, ahead):
    """Likewise its function ``multiply``."""
    return types.void(*[types.int64] * 5), _call


if sys.platform == "win32":  # whose name for it Numba's linker is not known to find

    @compiled
    def give_way() -> None:
        """Nothing."""

else:
    give_way = types.ExternalFunction("sched_yield", types.int32())
    """Let another thread run on this core, if one waits for it."""


@intrinsic
def _to_half(context, value):
    def code(context, builder, signature, arguments):
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    return types.int16(types.float32), code


@intrinsic
def _from_half(context, bits):
    def code(context, builder, signature, arguments):
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.int16), code


@compiled
def matrix(address: int, count: int, width: int, dtype: Any) -> Any:
    """The array (count, width) at an address."""
    return carray(_pointer(address), (count, width), dtype)


@compiled
def rows(address: int, count: int) -> Any:
    """The float32 array (count,) at an address."""
    return carray(_pointer(address), (count,), np.float32)


def to_float(value: Any) -> Any:
    """A stored weight as float32: float32 itself, the bits of bf16 as uint16, or those of fp16 as int16."""
    raise NotImplementedError("only compiled functions call it")


@overload(to_float, inline="always")
def _to_float(value):
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    if value == types.int16:
        return lambda value: _from_half(value)
    if value == types.float32:
        return lambda value: value
    return None


def put(array: Any, row: int, column: int, value: Any) -> None:
    """Write a float32 into a matrix of float32, or of the bits of fp16 as int16."""
    raise NotImplementedError("only compiled functions call it")


@overload(put, inline="always")
def _put(array, row, column, value):
    if array.dtype == types.int16:

        def half(array, row, column, value):
            array[row, column] = _to_half(value)

        return half

    def single(array, row, column, value):
        array[row, column] = value

    return single
