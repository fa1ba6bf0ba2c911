# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who waits and who is under way in one engine, by class and tenant, so that nobody has to look through all of them."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator

from tunesmith.engine import Ticket
from tunesmith_enterprise.priority.plan import ClassPlan
from tunesmith_enterprise.priority.shared import Tenant

__all__ = ["Entry", "Lane"]


class Entry:
    """One request.

    Attributes:
        reserved: tokens taken from the tenant's quota.
        charged: tokens for which its class and tenant have been charged.
        seen: tokens made, when they were last counted.
        begun: when it last began; 0: it has not.
        started: it has begun at least once.
        safe: it does not give way: its class was owed this turn.
    """

    __slots__ = ("begun", "charged", "lane", "reserved", "running", "safe", "seen", "started", "tenant", "ticket")

    def __init__(self, ticket: Ticket, tenant: Tenant, lane: Lane, reserved: int) -> None:
        self.ticket, self.tenant, self.lane, self.reserved = ticket, tenant, lane, reserved
        self.charged = self.begun = 0.0
        self.seen = 0
        self.running = self.started = self.safe = False


class Lane:
    """One class in one engine.

    Attributes:
        places: requests of it that may be under way at once.
        waiting: by tenant, the oldest first; no tenant without one.
        waits, runs: how many.
        usual: tokens of an answer, learned from those that were whole.
    """

    def __init__(self, name: str, plan: ClassPlan, slots: int) -> None:
        self.name, self.plan = name, plan
        self.places = max(1, int(plan.max_share * slots))
        self.waiting: dict[str, list[Entry]] = {}
        self.waits = self.runs = 0
        self.usual = 64.0
        self._running: Counter[str] = Counter()  # by tenant
        self._callers: Counter[tuple[str, str]] = Counter()  # of these, by tenant and caller

    def join(self, entry: Entry) -> bool:
        """It waits from now on; whether its tenant had nothing here before."""
        entries = self.waiting.setdefault(entry.tenant.name, [])
        insort(entries, entry, key=lambda each: each.ticket.arrived)
        self.waits += 1
        return len(entries) == 1 and not self._running[entry.tenant.name]

    def leave(self, entry: Entry) -> None:
        """It waits no longer."""
        entries = self.waiting[entry.tenant.name]
        entries.remove(entry)
        self.waits -= 1
        if not entries:
            del self.waiting[entry.tenant.name]

    def begin(self, entry: Entry) -> None:
        """It is under way."""
        entry.running = True
        self.runs += 1
        self._running[entry.tenant.name] += 1
        self._callers[entry.tenant.name, entry.ticket.caller] += 1

    def stop(self, entry: Entry) -> None:
        """It is so no more."""
        entry.running = False
        self.runs -= 1
        self._running[entry.tenant.name] -= 1
        key = (entry.tenant.name, entry.ticket.caller)
        self._callers[key] -= 1
        if not self._callers[key]:
            del self._callers[key]  # callers are many

    def ready(self) -> Iterator[str]:
        """Tenants with a request that could begin."""
        for name, entries in self.waiting.items():
            if not entries[0].tenant.is_full:
                yield name

    def next_of(self, tenant: str) -> Entry:
        """The oldest of those whose callers have the fewest under way: within a tenant people take turns."""
        return min(self.waiting[tenant], key=lambda entry: self._callers[tenant, entry.ticket.caller])

    def expected(self, ticket: Ticket) -> float:
        """Tokens that it will probably need, its prompt included."""
        return ticket.prompt_tokens + max(ticket.made_tokens, min(ticket.most_tokens, self.usual))

    def learn(self, ticket: Ticket) -> None:
        """It has made its whole answer."""
        if ticket.most_tokens:
            self.usual += 0.1 * (ticket.made_tokens - self.usual)
