# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A tokenizer as those read it who turn tokens to text one by one: what they ask at every token is found out once.

A tokenizer's ``decode`` takes 20 to 40 microseconds however few the tokens, which is as long as a small model takes for
a token where many answers share a step. In the two great families of vocabularies a token adds the same to every text
that it follows, unless it is part of a character: bytes are joined (GPT-2, Llama 3, Qwen), or words with a mark for
their space (Llama 2, Gemma), where only the very first loses its space.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["UNKNOWN", "Vocabulary"]

UNKNOWN = "\ufffd"
"""What stands in a text for bytes that are no character."""

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>\Z")


class Vocabulary:
    """The tokens of one tokenizer. Threads may share it.

    Args:
        tokenizer: with ``decode``, ``convert_ids_to_tokens`` and ``all_special_ids``.

    Attributes:
        special: ids that decoding leaves out: the named special tokens (eos, pad, …) and others added as special.
        plain: by its id, what a token adds to a text that is not empty and ends with a whole character, and what it is
            alone; ``None`` where it depends on more than that.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = getattr(tokenizer, "added_tokens_decoder", {})
        self.special = frozenset(tokenizer.all_special_ids) | {number for number, one in added.items() if one.special}
        self.plain = _Plain(self, _joins(tokenizer))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens, special ones left out."""
        # The clean-up of old tokenizers ("do n't" -> "don't") rewrites what came before; it is not part of the text.
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def is_byte(self, token: int) -> bool:
        """Whether it is a byte (``<0xE4>``) and no text by itself."""
        name = self._tokenizer.convert_ids_to_tokens(token)
        return name is not None and _BYTE.match(name) is not None

    def is_spare(self, token: int) -> bool:
        """Whether the tokenizer has no such token: many models have rows to spare. Decoding leaves it out."""
        return self._tokenizer.convert_ids_to_tokens(token) is None

    def after_last_special(self, prompt: Sequence[int]) -> list[int]:
        """The end of a prompt: text starts anew after a special token."""
        start = next((place for place in range(len(prompt), 0, -1) if prompt[place - 1] in self.special), 0)
        return list(prompt[start:])


class _Plain(dict[int, "tuple[str, str] | None"]):
    """Filled with the tokens that occur."""

    def __init__(self, vocabulary: Vocabulary, joins: bool) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._joins = joins

    def __missing__(self, token: int) -> tuple[str, str] | None:
        found = self[token] = self._find(token)
        return found

    def _find(self, token: int) -> tuple[str, str] | None:
        vocabulary = self._vocabulary
        if not self._joins or token in vocabulary.special or vocabulary.is_byte(token):
            return None
        alone = vocabulary.decode([token])
        if not alone or UNKNOWN in alone:
            return None
        # Behind itself it is behind a text that is not empty: a space that only the first token loses is there.
        return vocabulary.decode([token, token])[len(alone) :], alone


def _joins(tokenizer: Any) -> bool:
    """Whether its texts are its tokens' texts joined, but for a space in front of the first."""
    from transformers import PreTrainedTokenizerFast

    own = type(tokenizer)
    if not issubclass(own, PreTrainedTokenizerFast) or (own.decode, own._decode) != (
        PreTrainedTokenizerFast.decode,
        PreTrainedTokenizerFast._decode,
    ):
        return False
    decoder = json.loads(tokenizer.backend_tokenizer.to_str())["decoder"] or {}
    if decoder.get("type") == "ByteLevel":
        return True
    parts = decoder.get("decoders", [])
    kinds = [part["type"] for part in parts]
    if kinds == ["Replace", "ByteFallback", "Fuse", "Strip"]:
        strip = parts.pop()
        if strip["content"] != " " or strip["start"] > 1 or strip["stop"]:
            return False
    elif kinds != ["Replace", "ByteFallback", "Fuse"]:
        return False
    return bool(parts[0]["pattern"] == {"String": "▁"} and parts[0]["content"] == " ")
