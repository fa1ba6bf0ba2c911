# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The bytes that a single token stands for: half a character is possible, which no text can hold."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

__all__ = ["Spelling"]

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")


class Spelling:
    """Spells the tokens of one tokenizer.

    Args:
        tokenizer: fast tokenizers say how their pieces are written; others are asked to decode each by itself.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", None)
        decoder = json.dumps(
            (json.loads(backend.to_str()) if backend is not None else {}).get("decoder"), ensure_ascii=False
        )
        self._by_byte = "ByteLevel" in decoder
        self._by_space = "▁" in decoder or "Metaspace" in decoder
        self._added = set(getattr(tokenizer, "added_tokens_decoder", {}))
        self._known: dict[int, bytes] = {}

    def bytes_of(self, token: int) -> bytes:
        """What the token stands for. An id without a token stands for nothing."""
        found = self._known.get(token)
        if found is None:
            found = self._known[token] = self._bytes_of(token)
        return found

    def _bytes_of(self, token: int) -> bytes:
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""
        if token in self._added:
            return str(piece).encode()
        if self._by_byte:
            table = _bytes_of_characters()
            if all(character in table for character in piece):
                return bytes(table[character] for character in piece)
        byte = _BYTE.match(piece)
        if byte:
            return bytes([int(byte[1], 16)])
        if self._by_space:
            return str(piece).replace("▁", " ").encode()
        if self._by_byte:
            return str(piece).encode()
        return str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False)).encode()


@cache
def _bytes_of_characters() -> dict[str, int]:
    """The alphabet of byte-level BPE (Radford et al. 2019): printable bytes are themselves, others follow at U+0100."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in plain}
    others = (byte for byte in range(256) if byte not in set(plain))
    table.update({chr(256 + number): byte for number, byte in enumerate(others)})
    return table
