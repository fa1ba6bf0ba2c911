# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What several licenses let happen together.

The rules: a license that another one replaces does not count, and one that lets its holder issue licenses gives nothing
itself: it travels with every one of those. Features add up. For one feature, those licenses count
whose state has the best effect for it; their limits are added, each license once, and one without a limit lifts it. A
bad license takes nothing from a good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from tunesmith_enterprise.entitlement.evidence import Evidence, Held, Seat, Source
from tunesmith_enterprise.entitlement.features import FEATURES, QUANTITIES, STATES, Effect, State
from tunesmith_enterprise.entitlement.states import SKEW, Judgement, judge

if TYPE_CHECKING:
    from tunesmith.licensing.contents import Features, License, Pool

__all__ = ["Counted", "Entitlement", "count", "entitlement", "overall"]

_STANDING: Final[tuple[State, ...]] = tuple(STATES)
_EFFECTS: Final[tuple[Effect, ...]] = ("full", "kept", "off")


class Counted(NamedTuple):
    """A license, or the seat of a pool, with its state.

    Attributes:
        document: the license or the pool.
        features: what it gives; of a seat, what the lease gives; of a license to issue others, nothing.
        source, sha256: where it was found, and the hash of its envelope.
        judgement: its state here and now.
        replaced_by: the id of the license that takes its place; empty: none.
        lease_id: of the seat; empty: it is a license.
    """

    document: License | Pool
    features: Features
    source: Source
    sha256: str
    judgement: Judgement
    replaced_by: str = ""
    lease_id: str = ""

    @property
    def name(self) -> str:
        """The id of the license or the pool."""
        return self.document.id


class Entitlement(NamedTuple):
    """What there is of one feature.

    Attributes:
        state: the best of those that have it; ``none`` or ``invalid`` if there is nothing.
        effect: what follows.
        counted: the licenses whose effect it is.
        limits: added up; a quantity that is not there has no limit.
    """

    state: State
    effect: Effect
    counted: tuple[Counted, ...]
    limits: Mapping[str, int]


def count(evidence: Evidence) -> tuple[Counted, ...]:
    """All licenses and seats with their states, the best first."""
    found = [_license(held, evidence) for held in evidence.held]
    found += [_seat(seat, evidence) for seat in evidence.seats]
    replaced = _replaced(found)
    listed = [
        one._replace(replaced_by=replaced.get((one.document.under, one.name), ""))
        if one.document.kind == "license"
        else one
        for one in found
    ]
    return tuple(
        sorted(listed, key=lambda one: (bool(one.replaced_by), _STANDING.index(one.judgement.state), one.name))
    )


def entitlement(feature: str, counted: tuple[Counted, ...], evidence: Evidence) -> Entitlement:
    """What there is of a feature of :data:`FEATURES`."""
    meanings = FEATURES[feature].meanings
    having = [one for one in counted if feature in one.features and not one.replaced_by]
    if not having:
        state: State = "invalid" if evidence.refused and not counted else "none"
        return Entitlement(state, meanings[state].effect, (), {})
    effect = min((meanings[one.judgement.state].effect for one in having), key=_EFFECTS.index)
    counting = tuple(one for one in having if meanings[one.judgement.state].effect == effect)
    limits = {}
    for quantity in QUANTITIES:
        given = [one.features[feature].get(quantity) for one in counting]
        if None not in given:
            limits[quantity] = sum(most for most in given if most is not None)
    return Entitlement(counting[0].judgement.state, effect, counting, limits)


def overall(counted: tuple[Counted, ...], evidence: Evidence) -> State:
    """The one word for all: the best state of what counts."""
    for one in counted:
        if not one.replaced_by:
            return one.judgement.state
    return "invalid" if evidence.refused else "none"


def _replaced(found: Iterable[Counted]) -> dict[tuple[str | None, str], str]:
    """The licenses that do not count beside another one: whose they are and which, with the one in their place.

    A license takes the place of those of its own issuer only: a sub-issuer's of none of the vendor's. Of licenses that
    name each other, in a ring of any length, none takes another's place: that is a mistake, and no lock-out.
    """
    named: dict[tuple[str | None, str], set[tuple[str | None, str]]] = {}
    for one in found:
        if one.document.kind == "license" and one.judgement.state not in ("revoked", "invalid", "upcoming"):
            under = one.document.under
            named[under, one.name] = {(under, name) for name in one.document.replaces}
    return {old: new[1] for new, others in named.items() for old in others if new not in _reached(old, named)}


def _reached(
    start: tuple[str | None, str], named: Mapping[tuple[str | None, str], set[tuple[str | None, str]]]
) -> set[tuple[str | None, str]]:
    """What a license replaces, over any number of others; itself too."""
    reached = {start}
    waiting = [start]
    while waiting:
        for one in named.get(waiting.pop(), set()) - reached:
            reached.add(one)
            waiting.append(one)
    return reached


def _license(held: Held, evidence: Evidence) -> Counted:
    judgement = judge(held.license, evidence.facts, evidence.revocations)
    if held.granting is not None and judgement.code is None:
        # A license under a revoked one falls with it; that the term of the other is over is no matter of its customers.
        above = judge(held.granting, evidence.facts, evidence.revocations)
        if above.state == "revoked":
            judgement = Judgement(
                "revoked", None, "revoked", f"{held.granting.license_id}, which it is under: {above.why}"
            )
    features: Features = {} if held.license.oem is not None else held.license.features
    return Counted(held.license, features, held.source, held.sha256, judgement)


def _seat(seat: Seat, evidence: Evidence) -> Counted:
    judgement = judge(seat.pool, evidence.facts, evidence.revocations)
    end = seat.lease.expires_at if seat.answered or seat.lease.borrowed else seat.lease.open_until
    if seat.answered:
        end += SKEW  # the server has just given it, by its own clock
    if judgement.code is None and evidence.facts.now >= end:
        judgement = Judgement("expired", None, "expired", f"the lease of {seat.lease.node} is over")
    return Counted(seat.pool, seat.lease.features, seat.source, seat.sha256, judgement, lease_id=seat.lease.lease_id)
