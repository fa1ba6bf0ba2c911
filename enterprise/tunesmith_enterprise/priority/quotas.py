# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How many tokens a tenant may use, by the minute and by the day: buckets that fill evenly.

All that a request may use is taken when it comes, and what it did not use is given back when it ends. So many requests
that come at once can never use more together than there is. A bucket is full when the server starts; it holds what may
be used at once, and fills so fast that an empty one is full after its span (the token bucket of RFC 2697, in tokens of
text instead of bytes).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

__all__ = ["Bucket", "Lack", "Quota", "quota_of"]

_SPANS: Final = {"minute": 60.0, "day": 86_400.0}


class Lack(NamedTuple):
    """Why a request cannot be paid for.

    Attributes:
        most: tokens of the bucket that has too few.
        span: ``minute`` or ``day``.
        left: tokens in it now.
        seconds: after which it has enough, if nobody else takes them; None: it never will, the request is too large.
    """

    most: int
    span: str
    left: int
    seconds: float | None


class Bucket:
    """Tokens that may be used within a span. Not for several threads: :class:`Quota` is.

    Args:
        most: tokens, when it is full.
        span: ``minute`` or ``day``.
        now: by the clock of whoever asks.
    """

    def __init__(self, most: int, span: str, now: float) -> None:
        self.most, self.span = most, span
        self._rate = most / _SPANS[span]
        self._level, self._when = float(most), now

    def level(self, now: float) -> float:
        """Tokens in it."""
        self._level = min(float(self.most), self._level + (now - self._when) * self._rate)
        self._when = now
        return self._level

    def lacks(self, tokens: int, now: float) -> Lack | None:
        """Why so many cannot be taken; None: they can."""
        level = self.level(now)
        if tokens <= level:
            return None
        seconds = (tokens - level) / self._rate if tokens <= self.most else None
        return Lack(self.most, self.span, int(level), seconds)

    def take(self, tokens: int) -> None:
        """Take them; negative: give back. It never holds more than when it is full."""
        self._level = min(float(self.most), self._level - tokens)


class Quota:
    """All buckets of one tenant. For several threads.

    Args:
        limits: pairs of tokens and a span.
        clock: seconds, that only grow.
    """

    def __init__(self, limits: Sequence[tuple[int, str]], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets = [Bucket(most, span, clock()) for most, span in limits]

    def reserve(self, tokens: int) -> Lack | None:
        """Take so many from all buckets, or, where one has too few, from none; then what is lacking for longest."""
        with self._lock:
            now = self._clock()
            lacks = [lack for bucket in self._buckets if (lack := bucket.lacks(tokens, now))]
            if lacks:
                return max(lacks, key=lambda lack: float("inf") if lack.seconds is None else lack.seconds)
            for bucket in self._buckets:
                bucket.take(tokens)
            return None

    def give_back(self, tokens: int) -> None:
        """What was reserved and not used."""
        with self._lock:
            now = self._clock()
            for bucket in self._buckets:
                bucket.level(now)
                bucket.take(-tokens)

    def left(self) -> int | None:
        """Tokens that one request could use now; None: no limit."""
        with self._lock:
            now = self._clock()
            return min((int(bucket.level(now)) for bucket in self._buckets), default=None)


def quota_of(per_minute: int | None, per_day: int | None, clock: Callable[[], float] = time.monotonic) -> Quota:
    """A tenant's quota; None: no such limit."""
    given = ((per_minute, "minute"), (per_day, "day"))
    return Quota([(most, span) for most, span in given if most is not None], clock)
