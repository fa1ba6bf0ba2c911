# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the queues of all engines of a server share: tenants with their quotas, and the counts of refusals."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from tunesmith.engine import Origin
from tunesmith.engine.requests import OWN
from tunesmith.errors import DeniedError
from tunesmith_enterprise.priority.plan import OTHERS, Plan, TenantPlan
from tunesmith_enterprise.priority.quotas import quota_of

__all__ = ["REASONS", "Place", "Shared", "Tenant"]

REASONS: Final = ("busy", "quota", "deadline", "tenant", "class")
"""Why requests are refused: a full queue, used-up tokens, no time left, an unknown tenant, a class not for it."""


class Tenant:
    """A tenant while the server runs.

    Attributes:
        name: of the settings, or :data:`OTHERS`.
        running: requests under way on all engines.
    """

    def __init__(self, name: str, plan: TenantPlan, clock: Callable[[], float]) -> None:
        self.name, self.plan = name, plan
        self.quota = quota_of(plan.tokens_per_minute, plan.tokens_per_day, clock)
        self.running = 0

    @property
    def is_full(self) -> bool:
        """Whether it has as many requests under way as it may."""
        return self.plan.concurrency is not None and self.running >= self.plan.concurrency


class Place(NamedTuple):
    """Where a request stands."""

    tenant: Tenant
    class_name: str


class Shared:
    """For the threads of several engines and of their callers.

    Args:
        plan: from the settings.
        clock: seconds, that only grow.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan, self.clock = plan, clock
        self.tenants = {name: Tenant(name, one, clock) for name, one in plan.tenants.items()}
        if plan.others != "refuse":
            self.tenants[OTHERS] = Tenant(OTHERS, plan.others, clock)
        self.tenants[OWN.tenant] = Tenant(OWN.tenant, TenantPlan(), clock)
        self._lock = threading.Lock()
        self._refusals: Counter[tuple[str, str]] = Counter()

    def place(self, origin: Origin) -> Place:
        """Whose request it is, and in which class.

        Raises:
            DeniedError: an unknown tenant, where those are refused; or a class that there is not, or not for it.
        """
        plan = self.plan
        tenant = self.tenants.get(origin.tenant) or self.tenants.get(OTHERS)
        if tenant is None or origin.tenant == OTHERS:
            self.refused("tenant", "")
            raise DeniedError(
                "this tenant is not known here",
                given=origin.tenant or "no tenant",
                expected="one of those that the server's settings name",
                fix="ask whoever runs the server to add it",
            )
        named = plan.class_of(tenant.plan, origin.request_class or None)
        may = tenant.plan.classes or tuple(plan.classes)
        if named not in may:
            self.refused("class", named if named in plan.classes else "")
            raise DeniedError(
                f"requests of {tenant.name} may not be of this class",
                given=named,
                expected=", ".join(may),
                fix="name another as service_tier, or none",
            )
        return Place(tenant, named)

    def begin(self, tenant: Tenant) -> bool:
        """One more of its requests is under way, if it may."""
        with self._lock:
            if tenant.is_full:
                return False
            tenant.running += 1
            return True

    def end(self, tenant: Tenant) -> None:
        """One of them is so no more."""
        with self._lock:
            tenant.running -= 1

    def refused(self, reason: str, class_name: str) -> None:
        """Count it."""
        with self._lock:
            self._refusals[reason, class_name] += 1

    def refusals(self) -> dict[tuple[str, str], float]:
        """So many so far, by reason and class."""
        with self._lock:
            return {key: float(count) for key, count in self._refusals.items()}
