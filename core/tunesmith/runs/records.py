# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""JSON as runs hold it: strict, so that every other program reads it too.

JSON has no NaN and no infinities; they are stored as the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``,
and read back as numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

__all__ = ["from_json", "to_json"]

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON; paths become text, numbers of numpy and torch plain numbers.

    Raises:
        TypeError: something else is in it, or a key that is no text.
    """
    return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def from_json(text: str | bytes) -> Any:
    """The counterpart of :func:`to_json`.

    Raises:
        ValueError: not JSON, or not UTF-8.
    """
    return _numbers(json.loads(text))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        # A lone surrogate is in no encoding; a file name with odd bytes can put one here.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _word(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a key must be text, given {key!r}")
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item) for item in value]
    if isinstance(value, PathLike):
        return _plain(str(fspath(value)))
    if getattr(value, "shape", None) == ():
        return _plain(value.item())
    raise TypeError(f"cannot be stored as JSON: {value!r} ({type(value).__name__})")


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return _WORDS.get(value, value)
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    return value
