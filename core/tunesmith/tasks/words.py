# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Texts as words, for tasks that say something about each of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["breaks", "is_cjk", "split_words"]

Span = tuple[int, int]

_CJK = (
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3040, 0x30FF),  # hiragana, katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # katakana of half width
    (0x20000, 0x3FFFF),
)
_JOINERS = "\u200c\u200d"  # within words of Persian and of Indian scripts


def is_cjk(character: str) -> bool:
    """Whether it is of a script that writes no spaces between words: Chinese, and Japanese kana. Korean writes them."""
    code = ord(character)
    return code >= _CJK[0][0] and any(first <= code <= last for first, last in _CJK)


def split_words(text: str) -> list[Span]:
    """Words of a text as ``[start, end)`` in characters.

    A run of letters, marks, digits and underscores is a word; every Chinese or Japanese character is one, and so is
    every other character that is no white space. So names within hyphens, quotes and hash signs begin and end where
    words do.
    """
    words: list[Span] = []
    start: int | None = None
    for place, character in enumerate(text):
        inside = not is_cjk(character) and _within_word(character)
        if inside:
            start = place if start is None else start
            continue
        if start is not None:
            words.append((start, place))
            start = None
        if not character.isspace():
            words.append((place, place + 1))
    if start is not None:
        words.append((start, len(text)))
    return words


def _within_word(character: str) -> bool:
    return (
        character.isalnum()
        or character == "_"
        or character in _JOINERS
        or (character > "\x7f" and unicodedata.category(character)[0] == "M")
    )


def breaks(words: Sequence[str]) -> list[bool]:
    """Where a space stands before a word when words are written as a text: not before the first, nor beside CJK."""
    inner = [not (is_cjk(before[-1]) or is_cjk(after[0])) for before, after in pairwise(words)]
    return [False, *inner] if words else []
