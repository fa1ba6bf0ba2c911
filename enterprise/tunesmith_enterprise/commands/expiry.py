# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What will change, and when: the decision asked again for each moment at which a license changes its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from tunesmith.licensing.contents import License, Pool
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.entitlement.merging import Entitlement, count, entitlement
from tunesmith_enterprise.entitlement.states import coming

__all__ = ["Change", "at_moment", "changes"]

_LATE = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Change:
    """From a moment on there is something else of a feature."""

    at: datetime
    feature: str
    found: Entitlement


def at_moment(evidence: Evidence, at: datetime) -> dict[str, Entitlement]:
    """What there would be of each feature, if nothing but the time were another."""
    moved = replace(evidence, facts=replace(evidence.facts, now=at))
    counted = count(moved)
    return {code: entitlement(code, counted, moved) for code in FEATURES}


def changes(evidence: Evidence) -> Iterator[Change]:
    """All changes that the clock will bring, in their order."""
    documents: list[License | Pool] = [*(one.license for one in evidence.held), *(one.pool for one in evidence.seats)]
    moments = {at for one in documents for at, _ in coming(one, evidence.facts, evidence.revocations)}
    # A lease lasts minutes and is renewed: its end is no change that anybody plans for, that of its pool is.
    seats = [seat._replace(lease=replace(seat.lease, expires_at=_LATE, open_until=_LATE)) for seat in evidence.seats]
    lasting = replace(evidence, seats=tuple(seats))
    before = at_moment(lasting, evidence.facts.now)
    for at in sorted(moments):
        after = at_moment(lasting, at)
        for code, found in after.items():
            if _kind(found) != _kind(before[code]):
                yield Change(at, code, found)
        before = after


def _kind(found: Entitlement) -> tuple[object, ...]:
    return found.state, found.effect, tuple(sorted(found.limits.items()))
