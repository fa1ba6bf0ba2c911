# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""In which order an engine computes what is asked of it: the core's own order, and the seam for another.

A server has one :class:`Scheduler`, which makes a :class:`Queue` for each of its engines. The engine keeps the requests
that wait and those under way; the queue says which may wait, which begins next and which gives its place up. It is
asked between steps and at the edges of a request, never within a step.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tunesmith.engine.requests import Origin
from tunesmith.errors import BusyError, PluginError
from tunesmith.registry import Registry, get_registry

__all__ = ["Measure", "Outcome", "Queue", "Scheduler", "Ticket", "Times", "find_scheduler"]

Outcome: TypeAlias = Literal["done", "cancelled", "failed"]
"""How a request ended; out of time is ``failed``."""


class Ticket:
    """What a queue knows of a request. Nobody else's code changes it, but for ``deadline`` in :meth:`Queue.add`.

    Attributes:
        origin: the tenant and the class it came with.
        caller: who asks, as the prefix cache tells callers apart; "": nobody said.
        prompt_tokens: to read.
        most_tokens: that it may make at most, all its answers together; 0: it makes none.
        made_tokens: so far.
        arrived: by ``time.monotonic``.
        deadline: by the same clock; ``None``: none.
        paused: how often it has given its place up.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self.origin = Origin()
        self.caller = ""
        self.prompt_tokens = 0
        self.most_tokens = 0
        self.made_tokens = 0
        self.arrived = time.monotonic()
        self.deadline = deadline
        self.paused = 0


class Queue:
    """The order of one engine. This is the core's own: callers take turns, and within one caller the oldest is first.

    Whoever wants another order derives from it and changes what is to be different. The engine calls all methods with
    its lock held, so that no two of them overlap; they must be quick and wait for nothing. ``waiting`` and ``running``
    are the engine's own lists, the oldest first: to be read, not kept. What a method raises that is no
    ``TunesmithError`` ends the requests of the engine, and it goes on with new ones.

    Args:
        engine: name of the model.
        waiting: requests that may wait at most.
    """

    def __init__(self, engine: str, *, waiting: int) -> None:
        self.engine = engine
        self.limit = waiting

    def check(self, origin: Origin, caller: str, waiting: Sequence[Ticket]) -> None:
        """Whether a request may wait, before anything is computed for it. Nothing is kept of it.

        Raises:
            RefusedError: not now: the queue is full, for everybody or for this caller.
            DeniedError: never.
        """
        if len(waiting) >= self.limit:
            raise BusyError(
                f"{self.engine} has too much to do",
                retry_after=1.0,
                given=f"{len(waiting):,} requests waiting",
                expected=f"fewer than {self.limit:,}",
                fix="send it again later",
            )
        if not caller:
            return
        of_caller = sum(ticket.caller == caller for ticket in waiting)
        most = max(1, self.limit // 2)
        if of_caller >= most:
            raise BusyError(
                f"{self.engine} has too much to do for you",
                retry_after=1.0,
                given=f"{of_caller:,} of your requests waiting",
                expected=f"fewer than {most:,}, half of the queue: the rest is kept for others",
                fix="send it again later",
            )

    def add(self, ticket: Ticket, waiting: Sequence[Ticket]) -> None:
        """A request has been read and is about to wait. May bring its ``deadline`` forward.

        Raises:
            RefusedError: as :meth:`check`.
            DeniedError: likewise.
            DeadlineError: it could not be answered in time.
            RequestError: it asks for more than it could ever get.
        """
        self.check(ticket.origin, ticket.caller, waiting)

    def next(self, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        """Which of those that wait begins, or goes on, now that there is room; ``None``: none for the moment."""
        under_way = Counter(ticket.caller for ticket in running)
        return min(waiting, key=lambda ticket: under_way[ticket.caller])

    def preempt(self, waiting: Sequence[Ticket], running: Sequence[Ticket], room: bool) -> Ticket | None:
        """Which of those under way gives its place up; ``None``: none has to.

        Asked before each step, and again until it says ``None``; then :meth:`next` is asked, where there is room. Who
        gives way keeps what it has made, and waits again.

        Args:
            room: whether one more could be under way.
        """
        return None

    def stepped(self, running: Sequence[Ticket]) -> None:
        """A step is done: those under way have made what their ``made_tokens`` say."""

    def ended(self, ticket: Ticket, outcome: Outcome) -> None:
        """A request that was added has ended; told once for each."""


@dataclass(slots=True)
class Times:
    """A histogram.

    Attributes:
        bounds: of its buckets, growing, in seconds.
        counts: what fell into each, and last what lies beyond all.
        sum: of all values.
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """One more value."""
        place = next((place for place, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        self.counts[place] += 1
        self.sum += value


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure of a scheduler, for ``/metrics``, where it is called ``tunesmith_scheduler_<name>``.

    Attributes:
        name: lower-case letters, digits and ``_``; a unit at its end where it has one.
        text: what it says.
        kind: ``gauge``; ``counter``: it only grows; ``histogram``.
        labels: names of what tells values apart. Keep their number bounded: never what a client may choose freely.
        values: by the labels' values, in their order; of a histogram :class:`Times`.
    """

    name: str
    text: str
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    labels: tuple[str, ...] = ()
    values: Mapping[tuple[str, ...], float | Times]


class Scheduler:
    """Makes the queues of a server's engines. This one makes the core's own; derive from it to make others.

    A plugin's is made once, without arguments, before the first model is loaded. What its queues share is called from
    the threads of several engines and of their callers: it needs a lock of its own.

    Attributes:
        classes: what a request may name as its class (``service_tier``); empty: there are none.
    """

    classes: tuple[str, ...] = ()

    def queue(self, engine: str, *, slots: int, waiting: int) -> Queue:
        """The order of one engine.

        Args:
            engine: name of the model.
            slots: requests (of models that write: answers) under way at once.
            waiting: requests that may wait at most.
        """
        return Queue(engine, waiting=waiting)

    def measures(self) -> Sequence[Measure]:
        """Its figures at this moment, asked for at every look at ``/metrics``."""
        return ()

    def close(self) -> None:
        """The server has ended, and its engines are closed: write down what is to be kept, give back threads."""


def find_scheduler(name: str, registry: Registry | None = None) -> Scheduler:
    """The scheduler of this name, made anew.

    Raises:
        NotFoundError: no plugin has a scheduler of that name.
        PluginError: its target cannot be imported, or makes something else.
        TunesmithError: what making it raises, as it is: a plugin says there what it lacks.
    """
    registry = registry or get_registry()
    provided = registry.find("scheduler", name)
    make: object = registry.load("scheduler", name)
    made = make() if callable(make) else make
    if not isinstance(made, Scheduler):
        raise PluginError(
            f"the scheduler {name!r} of the plugin {provided.plugin!r} cannot be used",
            given=f"{provided.spec.target}, which gives a {type(made).__name__}",
            expected="a subclass of tunesmith.engine.Scheduler",
            fix=f"update or correct the plugin {provided.plugin!r}",
        )
    return made
