# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Reading fields of a document: exactly those that are known, each of exactly its type."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Any

from tunesmith.licensing.reasons import refusal, shown

__all__ = ["integer", "items", "members", "printable", "text"]

_JOINERS = "\u200c\u200d"  # parts of ordinary Persian, Hindi and emoji
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def members(value: object, where: str, *, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """The fields of an object.

    Raises:
        SignedDocumentError: ``type``: no object; ``missing-field``; ``unknown-field``: one that is in neither
            collection, such as ``alg`` or a twin of a name in other letters. A field that is ignored is one that signer
            and reader understand differently.
    """
    if type(value) is not dict:
        raise refusal("type", f"{where} has the wrong type", given=_kind(value), expected="an object")
    known = ", ".join([*required, *optional])
    missing = next((name for name in required if name not in value), None)
    if missing is not None:
        raise refusal("missing-field", f"{where} lacks a field", given=f"no {missing}", expected=known)
    unknown = next((name for name in value if name not in required and name not in optional), None)
    if unknown is not None:
        raise refusal("unknown-field", f"{where} has a field that nobody reads", given=shown(unknown), expected=known)
    return value


def text(value: object, where: str, *, longest: int = 200) -> str:
    """A text that may be shown: on one line, in Unicode's composed form (NFC), not empty.

    Raises:
        SignedDocumentError: ``type``; ``value``: its length; ``characters``: control characters (a terminal would obey
            them), marks that turn the direction of writing, unassigned characters, or another form than NFC.
    """
    if type(value) is not str:
        raise refusal("type", f"{where} has the wrong type", given=_kind(value), expected="a text")
    if not 1 <= len(value) <= longest:
        raise refusal("value", f"{where} is empty or too long", given=_kind(value), expected=f"1 to {longest}")
    for character in value:
        if unicodedata.category(character) in _REFUSED and character not in _JOINERS:
            raise refusal(
                "characters",
                f"{where} holds a character that is not for showing",
                given=f"U+{ord(character):04X}",
                expected="printable characters on one line",
            )
    if not unicodedata.is_normalized("NFC", value):
        raise refusal(
            "characters", f"{where} is not in composed form", given=_kind(value), expected="Unicode's form NFC"
        )
    return value


def printable(value: str) -> str:
    """A stranger's text for a terminal: what :func:`text` refuses is written as ``\\u202e``, in place of doing it."""
    return "".join(
        f"\\u{ord(character):04x}"
        if unicodedata.category(character) in _REFUSED and character not in _JOINERS
        else character
        for character in value
    )


def integer(value: object, where: str, *, least: int, most: int) -> int:
    """An integer; ``true`` is none, and neither is ``1.0``.

    Raises:
        SignedDocumentError: ``type`` or ``value``.
    """
    if type(value) is not int:
        raise refusal("type", f"{where} has the wrong type", given=_kind(value), expected="an integer")
    if not least <= value <= most:
        raise refusal("value", f"{where} is out of range", given=value, expected=f"{least:,} to {most:,}")
    return value


def items(value: object, where: str, *, least: int, most: int) -> list[Any]:
    """An array of ``least`` to ``most`` items.

    Raises:
        SignedDocumentError: ``type`` or ``value``.
    """
    if type(value) is not list:
        raise refusal("type", f"{where} has the wrong type", given=_kind(value), expected="an array")
    if not least <= len(value) <= most:
        raise refusal(
            "value", f"{where} has too few or too many items", given=len(value), expected=f"{least} to {most}"
        )
    return value


def _kind(value: object) -> str:
    """What a value is, without saying more of it than its size."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"a text of {len(value):,} characters"
    if isinstance(value, (list, dict)):
        return "an array" if isinstance(value, list) else "an object"
    return "a number"
