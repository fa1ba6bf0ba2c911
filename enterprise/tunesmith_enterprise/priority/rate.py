# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How fast an engine is, seen while it had more to do than it could."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Rate"]

_SPAN = 0.5  # seconds of one look


class Rate:
    """Tokens a second, read and made.

    Only times in which requests waited count: an engine that has little to do is no slower for it. Of the last looks
    the better counts, so that what is derived from it is rather too hopeful.

    Args:
        clock: seconds, that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._tokens = 0.0
        self._known: float | None = None

    def add(self, tokens: float) -> None:
        """So many more."""
        self._tokens += tokens

    def look(self, waiting: bool) -> None:
        """A step is done; whether requests wait."""
        now = self._clock()
        if not waiting:
            self._since, self._tokens = now, 0.0
        elif now - self._since >= _SPAN:
            seen = self._tokens / (now - self._since)
            self._known = seen if self._known is None else max(seen, 0.7 * self._known + 0.3 * seen)
            self._since, self._tokens = now, 0.0

    def seconds(self, tokens: float) -> float:
        """How long so many take; 0 while nothing is known."""
        return tokens / self._known if self._known else 0.0
