# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""An engine on paper: a clock, places, and requests that make a token a step."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tunesmith.engine import Origin, Ticket
from tunesmith_enterprise.priority.plan import read_plan
from tunesmith_enterprise.priority.queue import PriorityQueue
from tunesmith_enterprise.priority.scheduler import Ordering

TWO: dict[str, Any] = {
    "classes": {"interactive": {"rank": 0, "may_preempt": True}, "batch": {"rank": 1}},
    "tenants": {"acme": {}, "bolt": {}},
}


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Paper:
    """One engine, as :class:`~tunesmith.engine.threaded.ThreadedEngine` asks its queue.

    Attributes:
        made: tokens that were made, by tenant and class.
        ended: tickets, in order.
    """

    def __init__(self, plan: dict[str, Any], *, slots: int = 2, waiting: int = 100, seconds: float = 0.01) -> None:
        self.clock, self.slots, self.seconds = Clock(), slots, seconds
        self.ordering = Ordering(read_plan(plan), self.clock)
        made = self.ordering.queue("model", slots=slots, waiting=waiting)
        assert isinstance(made, PriorityQueue)
        self.queue = made
        self.waiting: list[Ticket] = []
        self.running: list[Ticket] = []
        self.made: Counter[tuple[str, str]] = Counter()
        self.ended: list[Ticket] = []

    def ask(self, tenant: str, name: str = "", *, prompt: int = 5, most: int = 10, caller: str = "") -> Ticket:
        ticket = Ticket()
        ticket.origin, ticket.caller, ticket.arrived = Origin(tenant, name), caller, self.clock()
        ticket.prompt_tokens, ticket.most_tokens = prompt, most
        self.queue.check(ticket.origin, caller, self.waiting)
        self.queue.add(ticket, self.waiting)
        self.waiting.append(ticket)
        return ticket

    def begin(self) -> None:
        may_pause = len(self.running)
        while True:
            room = len(self.running) < self.slots
            leaves = self.queue.preempt(self.waiting, self.running, room) if may_pause else None
            if leaves is not None:
                may_pause -= 1
                self.running.remove(leaves)
                leaves.paused += 1
                self.waiting.append(leaves)
                continue
            ticket = self.queue.next(self.waiting, self.running) if room and self.waiting else None
            if ticket is None:
                return
            self.waiting.remove(ticket)
            self.running.append(ticket)

    def step(self) -> None:
        self.begin()
        self.clock.now += self.seconds
        for ticket in list(self.running):
            ticket.made_tokens += 1
            self.made[ticket.origin.tenant, ticket.origin.request_class] += 1
            if ticket.made_tokens >= ticket.most_tokens:
                self.end(ticket)
        self.queue.stepped(self.running)

    def end(self, ticket: Ticket, outcome: Any = "done") -> None:
        (self.running if ticket in self.running else self.waiting).remove(ticket)
        self.queue.ended(ticket, outcome)
        self.ended.append(ticket)

    def keep_busy(self, steps: int, *flows: tuple[str, str], depth: int = 4, **sizes: int) -> Counter[tuple[str, str]]:
        """Steps in which each flow always has so many requests that wait; tokens made in them."""
        before = Counter(self.made)
        for _ in range(steps):
            for tenant, name in flows:
                while sum(one.origin == Origin(tenant, name) for one in self.waiting) < depth:
                    self.ask(tenant, name, **sizes)
            self.step()
        return self.made - before

    def figure(self, name: str) -> dict[tuple[str, ...], Any]:
        return dict(next(one for one in self.ordering.measures() if one.name == name).values)
