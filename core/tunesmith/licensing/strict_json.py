# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""JSON of which there is one reading: what two parsers might read differently is refused.

Python's parser takes byte order marks, UTF-16, repeated names (the last counts), NaN, numbers that become infinite and
halves of surrogate pairs. In a signed document each of these would let signer and reader see different things.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.reasons import refusal, shown

__all__ = ["DEPTH", "INTEGER", "SIZE", "parse_json"]

SIZE: Final = 1 << 20
"""Bytes of a document, at most: a license has 2,000, a list of 10,000 revocations 500,000."""
DEPTH: Final = 32
"""Arrays and objects within each other, at most."""
INTEGER: Final = 2**53 - 1
"""The largest integer, as in RFC 7493: readers that keep numbers as doubles have it exactly."""

# An open string runs to the end: with a closing quote demanded, `"\"\"\"…` would be scanned once for each quote in it.
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|([\[{])|([\]}])', re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes, *, size: int = SIZE, depth: int = DEPTH) -> Any:
    """The value of a JSON text.

    Args:
        data: UTF-8 without a byte order mark.
        size: bytes, at most; looked at before anything is read.
        depth: arrays and objects within each other, at most; looked at before anything is parsed.

    Raises:
        SignedDocumentError: it is no JSON of one reading; the only error it raises for any bytes whatever. Reasons:
            ``too-large``, ``byte-order-mark``, ``not-text``, ``depth``, ``json``, ``duplicate-name``, ``number``
            (NaN, infinite, an integer beyond ±(2^53 - 1)), ``surrogate``.
    """
    if len(data) > size:
        raise refusal("too-large", "the JSON is too large", given=f"{len(data):,} bytes", expected=f"at most {size:,}")
    text = _text(data)
    _measure(text, depth)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
        )
    except SignedDocumentError:
        raise
    except json.JSONDecodeError as error:
        raise refusal(
            "json", "this is no JSON", given=f"{error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:  # the caller may have left little of the stack
        raise refusal("json", "this is no JSON", given=type(error).__name__) from None
    if _ESCAPED_SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise refusal(
                "surrogate",
                "a text in the JSON holds half a surrogate pair",
                expected="escapes of characters beyond U+FFFF in pairs, high half first",
            ) from None
    return value


def _text(data: bytes) -> str:
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise refusal(
            "byte-order-mark", "the JSON begins with a byte order mark", expected="UTF-8 without a byte order mark"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal("not-text", "the JSON is not UTF-8", given=f"a wrong byte at {error.start:,}") from None
    if "\0" in text:
        raise refusal(
            "not-text", "the JSON holds zero bytes", given=f"the first at {data.index(0):,}", expected="UTF-8"
        )
    return text


def _measure(text: str, depth: int) -> None:
    level = 0
    for found in _BRACKETS.finditer(text):
        level += 1 if found[1] else -1 if found[2] else 0
        if level > depth:
            raise refusal("depth", "the JSON is nested too deep", expected=f"at most {depth} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise refusal(
                "duplicate-name", "a name comes twice in one object", given=shown(name), expected="each name once"
            )
        found[name] = value
    return found


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise refusal("number", "a number is too large", given=shown(text), expected="a number that a double can hold")
    return value


def _int(text: str) -> int:
    # The length first: Python's conversion is quadratic in the digits.
    if len(text) > 17 or abs(int(text)) > INTEGER:
        raise refusal(
            "number",
            "an integer is too large",
            given=f"{len(text.lstrip('-'))} digits",
            expected=f"-{INTEGER:,} to {INTEGER:,}",
        )
    return int(text)


def _constant(name: str) -> float:
    raise refusal("number", f"{name} is no number of JSON", expected="a finite number")
