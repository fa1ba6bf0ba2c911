# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A step as work in two queues, computing and sending, each in its order; what waits for what decides the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Schedule", "Timeline"]

Queue = Literal["compute", "send"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """How a step went.

    Attributes:
        seconds: from its begin to its end.
        computing: of them, in which something was computed.
        sending: in which something was sent.
        sent: bytes.
    """

    seconds: float
    computing: float
    sending: float
    sent: float

    @property
    def waiting(self) -> float:
        """Seconds in which nothing was computed."""
        return self.seconds - self.computing


@dataclass(slots=True)
class Schedule:
    """Work is put in as it is issued; a piece begins when its queue is free and all that it waits for is done."""

    _free: dict[Queue, float] = field(default_factory=lambda: {"compute": 0.0, "send": 0.0})
    _busy: dict[Queue, float] = field(default_factory=lambda: {"compute": 0.0, "send": 0.0})
    _ends: list[float] = field(default_factory=list)
    _sent: float = 0.0

    def add(self, queue: Queue, seconds: float, after: Iterable[int] = (), *, sent: float = 0.0) -> int:
        """One piece of work; gives its number, for others to wait for.

        Raises:
            ValueError: it takes less than no time.
        """
        if seconds < 0:
            raise ValueError(f"work takes no less than 0 seconds, given {seconds}")
        begins = max([self._free[queue], *(self._ends[one] for one in after)])
        self._free[queue] = begins + seconds
        self._busy[queue] += seconds
        self._ends.append(begins + seconds)
        self._sent += sent
        return len(self._ends) - 1

    def done(self) -> Timeline:
        """When everything is."""
        return Timeline(max(self._ends, default=0.0), self._busy["compute"], self._busy["send"], self._sent)
