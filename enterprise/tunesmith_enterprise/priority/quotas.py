# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How many tokens a tenant may use, by the minute and by the day: buckets that fill evenly.

All that a request may use is taken when it comes, and what it did not use is given back when it ends. So many requests
that come at once can never use more together than there is. A bucket holds what may be used at once, and fills so fast
that an empty one is full after its span (the token bucket of RFC 2697, in tokens of text instead of bytes). It begins
full, or with what an earlier server left in it (:mod:`.kept`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

__all__ = ["SPANS", "Bucket", "Lack", "Quota", "quota_of"]

SPANS: Final[Mapping[str, float]] = {"minute": 60.0, "day": 86_400.0}
"""In seconds."""


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
        self._rate = most / SPANS[span]
        self._level, self._when = float(most), now
        self._own = 0.0  # taken since the last exchange

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
        before = self._level
        self._level = min(float(self.most), before - tokens)
        self._own += before - self._level

    def exchange(self, used: float, since: float, now: float) -> tuple[float, float]:
        """Hold what is left by all who use it, as far as they have written it down.

        Args:
            used: tokens that were missing from a full one, without what was taken from this one since the last time.
            since: seconds since that was so.

        Returns:
            Tokens that are missing now; and how many of these were taken here since the last time.
        """
        own, self._own = min(self._own, self.most - self.level(now)), 0.0
        missing = min(float(self.most), max(0.0, max(0.0, used - since * self._rate) + own))
        self._level = self.most - missing
        return missing, own


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

    @property
    def has_limits(self) -> bool:
        """Whether there are any."""
        return bool(self._buckets)

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

    def exchange(self, used: Mapping[str, float], since: float) -> tuple[dict[str, float], bool]:
        """As :meth:`Bucket.exchange`, by the names of spans; and whether anything was taken or given back here."""
        with self._lock:
            now = self._clock()
            found = {one.span: one.exchange(used.get(one.span, 0.0), since, now) for one in self._buckets}
        return {span: missing for span, (missing, _) in found.items()}, any(own for _, own in found.values())

    def left(self) -> int | None:
        """Tokens that one request could use now; None: no limit."""
        with self._lock:
            now = self._clock()
            return min((int(bucket.level(now)) for bucket in self._buckets), default=None)


def quota_of(per_minute: int | None, per_day: int | None, clock: Callable[[], float] = time.monotonic) -> Quota:
    """A tenant's quota; None: no such limit."""
    given = ((per_minute, "minute"), (per_day, "day"))
    return Quota([(most, span) for most, span in given if most is not None], clock)
