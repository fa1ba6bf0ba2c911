# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Text to tokens as a GGUF file says it, so that the file can be checked where llama.cpp is not installed.

What is computed follows from the file alone: special tokens are found first, the longest first; what stands between
them is split and merged as ``tokenizer.ggml.model`` and ``tokenizer.ggml.pre`` say.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["BYTE", "CONTROL", "NORMAL", "NO_MERGE", "SPACE", "SPLITS", "UNKNOWN", "UNUSED", "USER_DEFINED", "Pieces"]

SPACE = "▁"
NO_MERGE = "<none> <none>"
"""For a tokenizer without merges: the format has no empty list, and llama.cpp wants one. No text has such parts."""
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""``tokenizer.ggml.token_type``."""

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {"qwen2": _WORDS + r"\p{N}" + _REST, "llama-bpe": _WORDS + r"\p{N}{1,3}" + _REST}
"""Names of splittings to their expressions, as tokenizer.json has them; ``gpt-2`` and ``smollm`` have no expression
there: they are ``ByteLevel``'s own, alone or behind single digits. ``llama-bpe`` takes words that are tokens as they
are; ``smaug-bpe`` is the same without that."""


class Pieces:
    """A vocabulary as it was read from a file.

    Args:
        fields: ``tokenizer.ggml.`` keys, without that beginning, to their values.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.tokens: list[str] = list(fields["tokens"])
        types = list(fields["token_type"])
        self.ids = {token: number for number, token in enumerate(self.tokens)}
        whole = [token for token, kind in zip(self.tokens, types, strict=True) if kind in (CONTROL, USER_DEFINED)]
        self._whole = re.compile(
            "|".join(re.escape(token) for token in sorted(whole, key=len, reverse=True)) or r"(?!)"
        )
        self._bos = fields.get("bos_token_id") if fields.get("add_bos_token") else None
        self._prefix = bool(fields.get("add_space_prefix"))
        self._scores = list(fields.get("scores", ()))
        self._bpe = None if fields["model"] == "llama" else _byte_level(fields)

    def encode(self, text: str) -> list[int]:
        """Token ids, the start token included where the file asks for it (and the text has none)."""
        ids = [
            token
            for piece, whole in self._parts(text)
            for token in ([self.ids[piece]] if whole else self._plain(piece))
        ]
        return ids if self._bos is None or ids[:1] == [self._bos] else [self._bos, *ids]

    def _parts(self, text: str) -> Iterator[tuple[str, bool]]:
        end = 0
        for found in self._whole.finditer(text):
            if found.start() > end:
                yield text[end : found.start()], False
            yield found[0], True
            end = found.end()
        if end < len(text):
            yield text[end:], False

    def _plain(self, text: str) -> list[int]:
        if self._bpe is not None:
            return [self.ids[token] for token in self._bpe.encode(text, add_special_tokens=False).tokens]
        return self._merged((SPACE if self._prefix else "") + text.replace(" ", SPACE))

    def _merged(self, text: str) -> list[int]:
        """SentencePiece's way: of all neighbours whose text is a token, those of the greatest score; ties: leftmost."""
        parts: list[str | None] = list(text)
        after, before = list(range(1, len(parts) + 1)), list(range(-1, len(parts) - 1))
        heap: list[tuple[float, int, int, str]] = []

        def offer(left: int, right: int) -> None:
            if left >= 0 and right < len(parts):
                both = f"{parts[left]}{parts[right]}"
                if both in self.ids:
                    heapq.heappush(heap, (-self._scores[self.ids[both]], left, right, both))

        for place in range(len(parts) - 1):
            offer(place, place + 1)
        while heap:
            _, left, right, both = heapq.heappop(heap)
            if parts[left] is None or parts[right] is None or f"{parts[left]}{parts[right]}" != both:
                continue  # one of them has been merged since
            parts[left], parts[right] = both, None
            after[left] = after[right]
            if after[left] < len(parts):
                before[after[left]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [token for part in parts if part is not None for token in self._with_bytes(part)]

    def _with_bytes(self, part: str) -> list[int]:
        if part in self.ids:
            return [self.ids[part]]
        return [self.ids[f"<0x{byte:02X}>"] for byte in part.encode("utf-8")]


def _byte_level(fields: Mapping[str, Any]) -> Any:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    pairs = [tuple(merge.split(" ")) for merge in fields["merges"] if merge != NO_MERGE]
    whole = {token: number for number, token in enumerate(fields["tokens"])}
    pre = fields["pre"]
    tokenizer = Tokenizer(models.BPE(whole, pairs, ignore_merges=pre == "llama-bpe"))
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre in ("gpt-2", "smollm"))
    steps: list[Any] = []
    if pre == "smollm":
        steps = [pre_tokenizers.Digits(individual_digits=True)]
    elif pre != "gpt-2":
        expression = SPLITS["qwen2" if pre == "qwen2" else "llama-bpe"]
        steps = [pre_tokenizers.Split(Regex(expression), behavior="isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*steps, bytes_])
    return tokenizer
