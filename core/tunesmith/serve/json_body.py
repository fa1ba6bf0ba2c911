# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""JSON as RFC 8259 has it and as every reader reads it alike; anything two readers might read differently is refused.

Python's parser takes NaN, repeated names (the last counts), halves of surrogate pairs, and numbers that become
infinite.
Where a proxy in front of the server reads the same body otherwise, such differences are holes.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["JsonError", "parse_json"]

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NAMES = 4096  # in one object; a complaint for each of a million unknown ones would take gigabytes
_DIGITS = 64  # of an integer; no parameter needs more, and Python's conversion is quadratic in them


class JsonError(ValueError):
    """The body is no JSON that this server reads; the text says where and why."""


def parse_json(body: bytes, *, depth: int = 64) -> Any:
    """The value of a JSON text.

    Args:
        body: UTF-8, without a byte order mark.
        depth: arrays and objects within each other, at most.

    Raises:
        JsonError: it is no JSON; or has a name twice in an object or more than 4,096 of them, NaN or Infinity, a number
            too large for a double or of more than 64 digits, half a surrogate pair, or deeper nesting.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg}: line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise JsonError(f"nested more than {depth} deep") from None
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > depth or _ESCAPED_SURROGATE.search(body):
        _check(value, depth)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _NAMES:
        raise JsonError(f"an object with {len(pairs):,} names; at most {_NAMES:,}")
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonError(f"the name {_shown(twice)} comes twice in one object")
    return found


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonError(f"the number {_shown(text)} is too large")
    return value


def _int(text: str) -> int:
    if len(text) > _DIGITS:
        raise JsonError(f"a number of {len(text)} digits; at most {_DIGITS}")
    return int(text)


def _constant(name: str) -> float:
    raise JsonError(f"{name} is no JSON")


def _check(value: Any, depth: int) -> None:
    """Depth and surrogates, without recursion."""
    level, ahead = 1, [value]
    while ahead:
        behind: list[Any] = []
        for item in ahead:
            if isinstance(item, str):
                _whole(item)
            elif isinstance(item, (dict, list)):
                if level > depth:
                    raise JsonError(f"nested more than {depth} deep")
                if isinstance(item, dict):
                    for name in item:
                        _whole(name)
                    behind.extend(item.values())
                else:
                    behind.extend(item)
        ahead, level = behind, level + 1


def _whole(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonError(f"half a surrogate pair: {text[error.start].encode('unicode_escape').decode()}") from None


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "…")
