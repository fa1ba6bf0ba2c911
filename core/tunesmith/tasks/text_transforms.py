# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Transforms of texts. White space stays where it is, and a word of Chinese or Japanese is a character.

They are the random operations of EDA (Wei and Zou 2019, arXiv:1901.11196) that need no dictionary, and the noise on
characters of Belinkov and Bisk (2017, arXiv:1711.02173) and Pruthi et al. (2019, arXiv:1905.11268).
"""

from __future__ import annotations

import re

import numpy as np
from pydantic import Field

from tunesmith.tasks.transforms import Transform
from tunesmith.tasks.words import is_cjk

__all__ = ["DropWords", "SwapWords", "Typos"]

Random = np.random.Generator

_RUN = re.compile(r"\S+")
_LEAVE_OUT, _DOUBLE, _EXCHANGE = range(3)


class DropWords(Transform):
    """Words are left out, each by chance; one stays in any case (EDA's random deletion, arXiv:1901.11196)."""

    share: float = Field(default=0.1, gt=0, lt=1)
    """Chance of each word."""

    def change(self, value: str, random: Random) -> str:
        words, gaps = _words(value)
        kept = random.random(len(words)) >= self.share
        if len(words) < 2 or kept.all():
            return value
        if not kept.any():
            kept[random.integers(len(words))] = True
        first, *others = np.flatnonzero(kept).tolist()
        return "".join([gaps[0], words[first], *(gaps[at] + words[at] for at in others), gaps[-1]])


class SwapWords(Transform):
    """Words change places with the word behind them, each by chance, and none moves twice.

    EDA (arXiv:1901.11196) exchanges any two words; neighbours, as in Artetxe et al. 2017 (arXiv:1710.11041), leave
    what belongs together near each other.
    """

    share: float = Field(default=0.1, gt=0, lt=1)
    """Chance of each pair of neighbours."""

    def change(self, value: str, random: Random) -> str:
        words, gaps = _words(value)
        chosen = random.random(max(0, len(words) - 1)) < self.share
        place = 0
        while place < len(chosen):
            if chosen[place]:
                words[place : place + 2] = words[place + 1], words[place]
                place += 1
            place += 1
        return "".join([*(gap + word for gap, word in zip(gaps, words, strict=False)), gaps[-1]])


class Typos(Transform):
    """Characters are left out, doubled, or exchanged with the next, each by chance (arXiv:1711.02173).

    The last character of a word has no next one, and is doubled instead. A text is never left without a character.
    """

    share: float = Field(default=0.02, gt=0, lt=1)
    """Chance of each character that is not white space."""

    def change(self, value: str, random: Random) -> str:
        chosen = random.random(len(value)) < self.share
        kinds = random.integers(3, size=len(value))
        written: list[str] = []
        place = 0
        while place < len(value):
            one, following = value[place], value[place + 1 : place + 2]
            kind = kinds[place] if chosen[place] and not one.isspace() else None
            if kind == _EXCHANGE and following.strip():
                written += following, one
                place += 1
            elif kind in (_DOUBLE, _EXCHANGE):
                written += one, one
            elif kind != _LEAVE_OUT:
                written.append(one)
            place += 1
        found = "".join(written)
        return found if found.strip() else value


def _words(text: str) -> tuple[list[str], list[str]]:
    """The words, and the white space in front of each of them and, one more, behind the last."""
    words, gaps, end = [], [], 0
    for start, stop in _spans(text):
        gaps.append(text[end:start])
        words.append(text[start:stop])
        end = stop
    return words, [*gaps, text[end:]]


def _spans(text: str) -> list[tuple[int, int]]:
    """Words as ``[start, end)``: runs without white space, of which each Chinese or Japanese character is one."""
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        start, end = run.span()
        for place in range(start, end):
            if is_cjk(text[place]):
                spans += [(start, place)] * (start < place) + [(place, place + 1)]
                start = place + 1
        spans += [(start, end)] * (start < end)
    return spans
