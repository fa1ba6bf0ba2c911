# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith serve MODEL --scheduler enterprise/priority``: licensed once, when the server starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from tunesmith.engine import Measure, Queue, Scheduler, Times
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.priority.kept import KeptQuotas
from tunesmith_enterprise.priority.licensed import licensed_plan
from tunesmith_enterprise.priority.plan import Plan
from tunesmith_enterprise.priority.queue import PriorityQueue
from tunesmith_enterprise.priority.shared import Shared

__all__ = ["Ordering", "Priority"]

_Values: TypeAlias = "dict[tuple[str, ...], float | Times]"


class Ordering(Scheduler):
    """Classes, tenants and quotas of one server.

    Args:
        plan: what the settings say.
        clock: seconds, that only grow.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self.classes = tuple(plan.classes)
        self.shared = Shared(plan, clock)
        self._queues: dict[str, PriorityQueue] = {}
        self._lock = threading.Lock()

    def queue(self, engine: str, *, slots: int, waiting: int) -> Queue:
        """As of :class:`Scheduler`."""
        made = PriorityQueue(engine, slots=slots, waiting=waiting, shared=self.shared)
        with self._lock:
            self._queues[engine] = made
        return made

    def measures(self) -> Sequence[Measure]:
        """As of :class:`Scheduler`. Labels are names of the settings and of models: no client can add to them."""
        with self._lock:
            queues = dict(self._queues)
        every = [(model, name, queue) for model, queue in queues.items() for name in queue.lanes]

        def by_class(value: Callable[[PriorityQueue, str], float | Times]) -> _Values:
            return {(model, name): value(queue, name) for model, name, queue in every}

        tokens: _Values = {}
        for model, queue in queues.items():
            for (tenant, name), count in list(queue.tokens.items()):  # at once: an engine's thread adds to it
                tokens[model, tenant, name] = count
        tenants = list(self.shared.tenants.values())
        running: _Values = {(one.name,): float(one.running) for one in tenants}
        left: _Values = {(one.name,): float(rest) for one in tenants if (rest := one.quota.left()) is not None}
        refusals: _Values = dict(self.shared.refusals().items())
        classes = ("model", "class")
        rows: list[tuple[str, str, Literal["gauge", "counter", "histogram"], tuple[str, ...], _Values]] = [
            ("waiting", "Requests that wait", "gauge", classes, by_class(lambda queue, name: queue.lanes[name].waits)),
            ("running", "Requests under way", "gauge", classes, by_class(lambda queue, name: queue.lanes[name].runs)),
            (
                *("preemptions", "Requests that gave their place up", "counter", classes),
                by_class(lambda queue, name: queue.preempted[name]),
            ),
            (
                *("deadlines_missed", "Requests that were ended because their time was up", "counter", classes),
                by_class(lambda queue, name: queue.missed[name]),
            ),
            (
                *("wait_seconds", "From the arrival of a request to its beginning", "histogram", classes),
                by_class(lambda queue, name: queue.waited[name]),
            ),
            ("tokens", "Tokens read and made", "counter", ("model", "tenant", "class"), tokens),
            ("refusals", "Requests that were refused", "counter", ("reason", "class"), refusals),
            ("tenant_running", "Requests under way, of all models", "gauge", ("tenant",), running),
            ("quota_tokens_left", "Tokens that the tenant could use now", "gauge", ("tenant",), left),
        ]
        return [
            Measure(name=name, text=text, kind=kind, labels=labels, values=values)
            for name, text, kind, labels, values in rows
        ]


class Priority(Ordering):
    """The same, of the settings of this machine, for who has a license of the feature ``priority``; quotas are kept.

    Raises:
        LicenseError: there is none, or it has ended and the settings were changed since.
        SettingsError: the settings say nothing of priority, or something that cannot be.
    """

    def __init__(self) -> None:
        super().__init__(licensed_plan())
        state = Places.of().state
        folder = StateFolder(None if state is None else state / "priority")
        self._kept = KeptQuotas(folder, {name: one.quota for name, one in self.shared.tenants.items()})
        self._kept.start()

    def close(self) -> None:
        """As of :class:`Scheduler`: what tenants have used is there for the next server."""
        self._kept.close()
