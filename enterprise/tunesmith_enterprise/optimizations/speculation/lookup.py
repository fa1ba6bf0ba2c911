# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Guesses by looking back: what followed the last tokens when they stood in the prompt or the answer before.

Summaries, edits and answers that quote repeat what they were given (prompt lookup, Saxena 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["Lookup"]

_SIZES: Final = (3, 2)
"""Tokens that must be alike, the longest first. One alone is alike by chance too often."""


class Lookup:
    """The guesses of one answer."""

    def __init__(self) -> None:
        self._behind: dict[tuple[int, ...], int] = {}  # some tokens in a row -> the place behind them, the latest
        self._seen = 0  # tokens that are in there
        self._at: int | None = None  # the place that the answer repeats at the moment

    def guess(self, tokens: Sequence[int], most: int) -> list[int]:
        """What is likely to follow, of at most so many tokens; empty: nothing like the end has been there before.

        Args:
            tokens: prompt and answer; what was handed in earlier is how it begins.
        """
        self._go_on(tokens)
        at = self._at
        if at is None or most < 1:
            return []
        guessed: list[int] = []
        for place in range(at, at + most):  # beyond the end it goes on with itself: a list, a table, a refrain
            guessed.append(tokens[place] if place < len(tokens) else guessed[place - len(tokens)])
        return guessed

    def _go_on(self, tokens: Sequence[int]) -> None:
        for place in range(self._seen, len(tokens)):
            if self._at is not None:
                self._at = self._at + 1 if tokens[self._at] == tokens[place] else None
            if place + 1 == len(tokens) and self._at is None:
                self._at = self._find(tokens)
            for size in _SIZES:
                if place + 1 >= size:
                    self._behind[tuple(tokens[place + 1 - size : place + 1])] = place + 1
        self._seen = len(tokens)

    def _find(self, tokens: Sequence[int]) -> int | None:
        """The latest place before the end where the last tokens have been."""
        ends = (tuple(tokens[-size:]) for size in _SIZES if len(tokens) > size)
        return next((self._behind[end] for end in ends if end in self._behind), None)
