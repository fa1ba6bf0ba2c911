# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Guesses by looking back: what followed the last tokens when they stood in the prompt or the answer before.

Summaries, edits and answers that quote repeat what they were given (prompt lookup, Saxena 2023). An edit leaves its
source for some tokens and comes back to it: where nothing is like the last tokens, the copy is taken up near its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tunesmith_enterprise.optimizations.speculation.pace import Kind

__all__ = ["Lookup"]

_ALIKE: Final = (3, 2)
"""Tokens that must be alike to copy what followed them, the most first. One alone is alike by chance too often."""

_NEAR: Final = 8  # tokens, of the answer and of its source, within which a copy that ended may go on


class Lookup:
    """The guesses of one answer."""

    def __init__(self) -> None:
        self._behind: dict[tuple[int, ...], int] = {}  # some tokens in a row -> the place behind them, the latest
        self._seen = 0  # tokens that are in there
        self._at: int | None = None  # the place that the answer repeats at the moment
        self._alike = 0  # tokens before it that are like the answer's last ones, as far as known
        self._kind = Kind.COPY  # what that rests on
        self._left: int | None = None  # what came otherwise when the last copy ended
        self._since = 0  # tokens since then

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

    def kinds(self, count: int) -> list[Kind]:
        """What each of so many guesses rests on: once those before it are right, more is alike."""
        return [Kind.COPY if self._alike + place >= min(_ALIKE) else self._kind for place in range(count)]

    def _go_on(self, tokens: Sequence[int]) -> None:
        for place in range(self._seen, len(tokens)):
            self._follow(tokens, place)
            if place + 1 == len(tokens) and (self._at is None or self._alike < min(_ALIKE)):
                self._find(tokens)
            for size in (*_ALIKE, 1):
                if place + 1 >= size:
                    self._behind[tuple(tokens[place + 1 - size : place + 1])] = place + 1
        self._seen = len(tokens)

    def _follow(self, tokens: Sequence[int], place: int) -> None:
        """Whether the token at this place is the one that was expected there."""
        self._since += 1
        if self._at is None:
            return
        if tokens[self._at] == tokens[place]:
            self._at, self._alike = self._at + 1, self._alike + 1
            return
        if self._alike >= min(_ALIKE):
            self._left, self._since = self._at, 1
        self._at = None

    def _find(self, tokens: Sequence[int]) -> None:
        """The place to copy from: behind what is like the end, else close to where the last copy ended."""
        for size in _ALIKE:
            found = self._behind.get(tuple(tokens[-size:])) if len(tokens) > size else None
            if found is not None:
                self._at, self._alike, self._kind = found, size, Kind.COPY
                return
        if self._at is None and not self._resume(tokens):
            self._at, self._alike, self._kind = self._behind.get(tuple(tokens[-1:])), 1, Kind.SINGLE

    def _resume(self, tokens: Sequence[int]) -> bool:
        """Go on with the copy that ended: behind a token like the last one, or as if one token was exchanged."""
        if self._left is None or self._since > _NEAR:
            return False
        near = range(self._left, min(self._left + _NEAR, len(tokens) - 1))
        again = next((place for place in near if tokens[place] == tokens[-1]), None)
        if again is None and self._since > 1:
            return False
        self._at, self._alike = (self._left + 1, 0) if again is None else (again + 1, 1)
        self._kind = Kind.RESUMED
        return True
