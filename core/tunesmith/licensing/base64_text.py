# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Base64 with one text for each value: the standard alphabet, padded, nothing between, no stray bits.

Lenient decoders give one value for many texts, so that a document refused by its text comes back in another one.
"""

from __future__ import annotations

import binascii
import re

from tunesmith.licensing.reasons import refusal, shown

__all__ = ["decode_base64", "encode_base64"]

_STRANGE = re.compile(r"[^A-Za-z0-9+/]")


def encode_base64(data: bytes) -> str:
    """The one text that ``decode_base64`` takes for ``data``."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str, where: str) -> bytes:
    """The bytes of a base64 text.

    Args:
        text: of RFC 4648, section 4, padded to a multiple of four characters; empty for no bytes.
        where: what it is, for the error: ``the payload``.

    Raises:
        SignedDocumentError: it is another text than ``encode_base64`` would write. Reasons: ``url-safe``, ``alphabet``,
            ``padding``, ``trailing-bits``.
    """
    digits = text[:-2] + text[-2:].rstrip("=")
    strange = _STRANGE.search(digits)
    if strange:
        url_safe = strange[0] in "-_"
        raise refusal(
            "url-safe" if url_safe else "alphabet",
            f"{where} is written in the base64 of web addresses" if url_safe else f"{where} is no base64",
            given=f"the character {shown(strange[0])} at position {strange.start() + 1:,}",
            expected="the letters A-Z and a-z, the digits, + and /",
        )
    if len(text) % 4 or len(digits) % 4 == 1:
        raise refusal(
            "padding",
            f"{where} has the wrong length for base64",
            given=f"{len(digits):,} characters and {len(text) - len(digits)} of =",
            expected="a multiple of four, filled up with = at the end",
        )
    data = binascii.a2b_base64(text)
    if encode_base64(data) != text:
        raise refusal(
            "trailing-bits",
            f"the last character of {where} holds bits that belong to no byte",
            expected="zeros in the unused bits, as every encoder writes them",
        )
    return data
