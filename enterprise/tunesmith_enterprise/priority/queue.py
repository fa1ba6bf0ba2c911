# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The order of one engine: by rank of the class, then by shares; who gives way; who is refused, and until when.

Everything here is called with the engine's lock held, between steps.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import NoReturn

from tunesmith.engine import Origin, Queue, Ticket, Times
from tunesmith.engine.scheduling import Outcome
from tunesmith.errors import BusyError, DeadlineError, RequestError, TunesmithError
from tunesmith_enterprise.priority.entries import Entry, Lane
from tunesmith_enterprise.priority.fairness import LeastShares, Turns
from tunesmith_enterprise.priority.plan import OTHERS
from tunesmith_enterprise.priority.rate import Rate
from tunesmith_enterprise.priority.shared import Place, Shared

__all__ = ["BUCKETS", "PriorityQueue"]

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds of waiting, for ``/metrics``."""


class PriorityQueue(Queue):
    """Requests of one engine.

    Args:
        engine: name of the model.
        slots: requests under way at once.
        waiting: requests that may wait at most.
        shared: with the queues of other engines.

    Attributes:
        lanes: the classes.
        tokens: read and made, by tenant and class.
        waited: until they first began, by class.
        preempted: how often requests gave way, by class.
        missed: ended because their time was up, by class.
    """

    def __init__(self, engine: str, *, slots: int, waiting: int, shared: Shared) -> None:
        super().__init__(engine, waiting=waiting)
        classes = shared.plan.classes
        self._shared = shared
        self._slots = slots
        self._first = min(plan.rank for plan in classes.values())
        self._entries: dict[Ticket, Entry] = {}
        self._running: set[Entry] = set()
        self._promised: Entry | None = None
        self._rate = Rate(shared.clock)
        self._classes = Turns({name: plan.weight for name, plan in classes.items()})
        weights = {name: tenant.plan.weight for name, tenant in shared.tenants.items()}
        self._tenants = {name: Turns(weights) for name in classes}
        self._least = LeastShares({name: plan.min_share for name, plan in classes.items()})
        self.lanes = {name: Lane(name, plan, slots) for name, plan in classes.items()}
        self.tokens: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.waited = {name: Times(BUCKETS) for name in classes}
        self.preempted = dict.fromkeys(classes, 0)
        self.missed = dict.fromkeys(classes, 0)

    # ---- who may wait ----------------------------------------------------------------------------

    def check(self, origin: Origin, caller: str, waiting: Sequence[Ticket]) -> None:
        """As of :class:`Queue`: whether there is room for its class and its tenant."""
        self._refuse_when_full(self._shared.place(origin), caller)

    def add(self, ticket: Ticket, waiting: Sequence[Ticket]) -> None:
        """As of :class:`Queue`: also whether its tenant has tokens left, and whether there is time."""
        place = self._shared.place(ticket.origin)
        self._refuse_when_full(place, ticket.caller)
        lane = self.lanes[place.class_name]
        self._set_deadline(ticket, lane)
        self._refuse_when_too_late(ticket, place, lane)
        reserved = ticket.prompt_tokens + ticket.most_tokens
        self._reserve(reserved, ticket, place)
        entry = self._entries[ticket] = Entry(ticket, place.tenant, lane, reserved)
        self._join(entry)

    def _refuse_when_full(self, place: Place, caller: str) -> None:
        """Half of the queue is kept for the classes of the first rank, and half of what a class may fill for others."""
        behind = [lane for lane in self.lanes.values() if lane.plan.rank > self._first]
        lane = self.lanes[place.class_name]
        most, lanes = (max(1, self.limit // 2), behind) if lane in behind else (self.limit, list(self.lanes.values()))
        everything = sum(each.waits for each in self.lanes.values())
        waits = sum(each.waits for each in lanes)
        if waits >= most or everything >= self.limit:
            kept = "" if most == self.limit else ": the rest is kept for classes of the first rank"
            given = f"{waits:,} requests waiting" if waits >= most else f"{everything:,} requests waiting"
            self._busy(place, "has too much to do", given, f"fewer than {min(most, self.limit):,}{kept}")
        own = [entry for each in lanes for entry in each.waiting.get(place.tenant.name, ())]
        if place.tenant.name == OTHERS:
            own = [entry for entry in own if caller and entry.ticket.caller == caller]
        half = max(1, most // 2)
        if len(own) >= half:
            expected = f"fewer than {half:,}: the rest is kept for others"
            self._busy(place, "has too much to do for you", f"{len(own):,} of your requests waiting", expected)

    def _busy(self, place: Place, what: str, given: str, expected: str) -> NoReturn:
        error = BusyError(
            f"{self.engine} {what}", retry_after=1.0, given=given, expected=expected, fix="send it again later"
        )
        self._refuse("busy", place, error)

    def _refuse(self, reason: str, place: Place, error: TunesmithError) -> NoReturn:
        self._shared.refused(reason, place.class_name)
        raise error

    def _set_deadline(self, ticket: Ticket, lane: Lane) -> None:
        seconds = lane.plan.deadline_seconds
        if seconds is not None:
            until = ticket.arrived + seconds
            ticket.deadline = until if ticket.deadline is None else min(ticket.deadline, until)

    def _refuse_when_too_late(self, ticket: Ticket, place: Place, lane: Lane) -> None:
        """Whether what surely comes before it takes longer than there is, at the speed of the last seconds."""
        if ticket.deadline is None:
            return
        left = ticket.deadline - self._shared.clock()
        own = lane.waiting.get(place.tenant.name, ())
        before = [entry for entry in own if entry.ticket.caller == ticket.caller]
        if not lane.plan.min_share:  # else its class may be owed a turn before those
            first = [each for each in self.lanes.values() if each.plan.rank < lane.plan.rank]
            before += [entry for each in first for entries in each.waiting.values() for entry in entries]
        ahead = sum(entry.lane.expected(entry.ticket) - entry.ticket.made_tokens for entry in before)
        seconds = self._rate.seconds(ahead)
        if seconds > left:
            error = DeadlineError(
                f"{self.engine} cannot answer in time",
                given=f"about {seconds:.1f} s of work before it, and {max(0.0, left):.1f} s left",
                expected="a request whose turn comes before its time is up",
                fix="send it later, or in a class with more time",
            )
            self._refuse("deadline", place, error)

    def _reserve(self, tokens: int, ticket: Ticket, place: Place) -> None:
        lack = place.tenant.quota.reserve(tokens)
        if lack is None:
            return
        asked = f"{ticket.prompt_tokens:,} tokens to read and up to {ticket.most_tokens:,} to make"
        if lack.seconds is None:
            error: TunesmithError = RequestError(
                f"{place.tenant.name} may not use so many tokens at once",
                parameter="max_new_tokens" if ticket.most_tokens else "prompt",
                given=asked,
                expected=f"at most {lack.most:,} together, its tokens of one {lack.span}",
                fix="ask for fewer new tokens, or send less at once",
            )
        else:
            error = BusyError(
                f"{place.tenant.name} has used its tokens of this {lack.span}",
                retry_after=lack.seconds,
                given=f"{asked}; {lack.left:,} are left",
                expected=f"at most {lack.most:,} tokens a {lack.span}",
                fix=f"send it again in {math.ceil(lack.seconds):,} s, or ask for fewer new tokens",
            )
        self._refuse("quota", place, error)

    # ---- whose turn it is ------------------------------------------------------------------------

    def next(self, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        """As of :class:`Queue`."""
        entry, self._promised = self._promised, None
        safe = False
        if entry is None:
            owed = self._least.owed(self._ready(owed=True))
            safe = owed is not None
            entry = self._pick([owed] if owed else self._ready())
        if entry is None or not self._shared.begin(entry.tenant):
            return None
        entry.lane.leave(entry)
        entry.lane.begin(entry)
        self._running.add(entry)
        entry.safe, entry.begun = safe, self._shared.clock()
        if not entry.started:
            self._start(entry)
        return entry.ticket

    def preempt(self, waiting: Sequence[Ticket], running: Sequence[Ticket], room: bool) -> Ticket | None:
        """As of :class:`Queue`: one of the largest rank, and of these the one that began last."""
        if self._promised is not None and room:
            return None  # who it was made for comes next
        leaves = self._last_behind()
        if leaves is None:
            return None
        if self._room_behind(leaves.lane.plan.rank) >= 0:
            first = None if room else self._first_behind_whom(leaves)
            if first is None:
                return None
            self._promised = first
        self._stop(leaves)
        self.preempted[leaves.lane.name] += 1
        self._join(leaves)
        return leaves.ticket

    def _last_behind(self) -> Entry | None:
        """Who would give way."""
        if all(lane.plan.rank == self._first for lane in self.lanes.values() if lane.runs):
            return None
        leaving = (entry for entry in self._running if not entry.safe and entry.lane.plan.rank > self._first)
        return max(leaving, key=lambda each: (each.lane.plan.rank, each.begun), default=None)

    def _first_behind_whom(self, leaves: Entry) -> Entry | None:
        """Who waits and would take the place of this one."""
        ready = [name for name in self._ready() if self.lanes[name].plan.may_preempt]
        entry = self._pick(ready)
        return entry if entry is not None and entry.lane.plan.rank < leaves.lane.plan.rank else None

    def _room_behind(self, rank: int) -> int:
        """How many more of this rank may be under way, because of what is so before them; negative: too many are.

        What a class leaves to those behind it, they share: all of a larger rank than its own count.
        """
        room = sys.maxsize
        for before in self.lanes.values():
            if before.runs and before.plan.rank < rank and before.plan.behind_share < 1:
                runs = sum(lane.runs for lane in self.lanes.values() if lane.plan.rank > before.plan.rank)
                room = min(room, int(before.plan.behind_share * self._slots) - runs)
        return room

    def _ready(self, *, owed: bool = False) -> list[str]:
        """Classes with a request that could begin.

        Args:
            owed: also those that others keep from it while they are under way.
        """
        return [
            name
            for name, lane in self.lanes.items()
            if lane.waits
            and lane.runs < lane.places
            and (owed or self._room_behind(lane.plan.rank) > 0)
            and any(True for _ in lane.ready())
        ]

    def _pick(self, names: Sequence[str]) -> Entry | None:
        """Of these classes that are ready: the request whose turn it is."""
        if not names:
            return None
        rank = min(self.lanes[name].plan.rank for name in names)
        name = self._classes.next(each for each in names if self.lanes[each].plan.rank == rank)
        lane = self.lanes[name]
        return lane.next_of(self._tenants[name].next(lane.ready()))

    def _join(self, entry: Entry) -> None:
        lane = entry.lane
        if not lane.waits:
            self._least.arrives(lane.name)
            if not lane.runs:
                self._classes.arrives(lane.name)
        if lane.join(entry):
            self._tenants[lane.name].arrives(entry.tenant.name)

    def _start(self, entry: Entry) -> None:
        """The first time: it is charged for what it will probably need."""
        lane, ticket = entry.lane, entry.ticket
        entry.started = True
        self.waited[lane.name].add(max(0.0, entry.begun - ticket.arrived))
        self._classes.begins(lane.name)
        self._tenants[lane.name].begins(entry.tenant.name)
        self._charge(entry, lane.expected(ticket))
        self._count(entry, ticket.prompt_tokens)

    def _stop(self, entry: Entry) -> None:
        self._running.discard(entry)
        entry.lane.stop(entry)
        self._shared.end(entry.tenant)

    # ---- what was done ---------------------------------------------------------------------------

    def stepped(self, running: Sequence[Ticket]) -> None:
        """As of :class:`Queue`: an answer that becomes longer than usual is charged while it does."""
        for entry in self._running:
            made = entry.ticket.made_tokens
            if made != entry.seen:
                self._count(entry, made - entry.seen)
                entry.seen = made
                more = entry.ticket.prompt_tokens + made - entry.charged
                if more > 0:
                    self._charge(entry, more)
        self._rate.look(any(lane.waits for lane in self.lanes.values()))

    def ended(self, ticket: Ticket, outcome: Outcome) -> None:
        """As of :class:`Queue`: what it did not use goes back."""
        entry = self._entries.pop(ticket, None)
        if entry is None:
            return
        if entry is self._promised:
            self._promised = None
        if entry.running:
            self._stop(entry)
        else:
            entry.lane.leave(entry)
        used = ticket.prompt_tokens + ticket.made_tokens if entry.started else 0
        if entry.started:
            self._count(entry, ticket.made_tokens - entry.seen)
            self._charge(entry, used - entry.charged)
        entry.tenant.quota.give_back(entry.reserved - used)
        if outcome == "done":
            entry.lane.learn(ticket)
        elif outcome == "failed" and ticket.deadline is not None and self._shared.clock() > ticket.deadline:
            self.missed[entry.lane.name] += 1

    def _charge(self, entry: Entry, tokens: float) -> None:
        name = entry.lane.name
        entry.charged += tokens
        self._classes.charge(name, tokens)
        self._tenants[name].charge(entry.tenant.name, tokens)
        self._least.charge(name, tokens, [lane.name for lane in self.lanes.values() if lane.waits])

    def _count(self, entry: Entry, tokens: int) -> None:
        self.tokens[entry.tenant.name, entry.lane.name] += tokens
        self._rate.add(tokens)
