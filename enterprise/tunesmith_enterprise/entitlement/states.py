# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""In which state one license or pool is, at one moment, on one machine.

Two ends matter: that of the term (``expires_at``, then days of grace), and that of maintenance. A build that was made
before the end of maintenance stays licensed when the term is over, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from tunesmith.licensing import format_timestamp
from tunesmith_enterprise.entitlement.evidence import Facts
from tunesmith_enterprise.entitlement.features import State
from tunesmith_enterprise.errors import Refusal

if TYPE_CHECKING:
    from tunesmith.licensing.contents import License, Pool, Revocations

__all__ = ["EXPIRING", "SKEW", "WARNINGS", "Judgement", "coming", "judge", "warning"]

EXPIRING: Final = timedelta(days=60)
WARNINGS: Final = (60, 30, 14, 7, 1)
"""Days before the end of a term from which on a run says so in other words."""
SKEW: Final = timedelta(hours=24)
"""A license that begins within this time has begun: the vendor's clock and this one need not agree."""


class Judgement(NamedTuple):
    """The state of a document.

    Attributes:
        state: one of ``STATES``.
        until: when the state will be another one, as far as the clock decides it; None: the clock does not.
        code: why nothing is granted by it, as a program's name; None: something is.
        why: the same for people, one sentence without a full stop.
    """

    state: State
    until: datetime | None = None
    code: Refusal | None = None
    why: str = ""


def judge(document: License | Pool, facts: Facts, revocations: Revocations | None) -> Judgement:
    """The state of a license or a pool whose signatures fit."""
    if revocations is not None:
        entry = revocations.find(document.kind, document.id, document.serial)
        if entry is not None:
            since = f"since {entry.at:%Y-%m-%d}"
            return Judgement("revoked", None, "revoked", f"it was revoked {since}: {entry.reason}")
    elsewhere = _elsewhere(document, facts)
    if elsewhere is not None:
        return elsewhere
    if document.starts_at - facts.now > SKEW:
        begins = format_timestamp(document.starts_at)
        return Judgement("upcoming", document.starts_at - SKEW, "upcoming", f"it begins on {begins}")
    return _term(document, facts)


def _elsewhere(document: License | Pool, facts: Facts) -> Judgement | None:
    """What is wrong with where this is; None: nothing."""
    if document.environment == "ci" and not facts.ci:
        return Judgement(
            "invalid", None, "environment", "it is for continuous integration, and the variable CI is not set here"
        )
    binding = None if document.kind == "pool" else document.binding
    if binding is None or binding.kind == "none":
        return None
    here, what = {
        "install-id": (facts.install_id, "the installation"),
        "cluster-id": (facts.cluster_id, "the cluster"),
        "domain": (facts.domain or None, "the domain"),
        "oem": (facts.product, "the product"),
    }[binding.kind]
    if here is not None and any(_fits(here, value, binding.kind == "domain") for value in binding.values):
        return None
    given = f"this is {here}" if here is not None else "this one has no name"
    return Judgement(
        "invalid", None, "binding", f"it is bound to {what} {' or '.join(binding.values[:3])}, and {given}"
    )


def _fits(here: str, value: str, domain: bool) -> bool:
    here, value = here.lower(), value.lower()
    return here == value or (domain and here.endswith("." + value.lstrip(".")))


def _term(document: License | Pool, facts: Facts) -> Judgement:
    maintained = document.maintenance_until
    # A build that does not say when it was made cannot have been made before anything.
    before = maintained is not None and facts.built_at is not None and facts.built_at < maintained
    expires, grace = document.expires_at, document.grace_until
    if expires is None or grace is None:
        if maintained is None or before:
            return Judgement("valid")
        made = format_timestamp(facts.built_at) if facts.built_at else "an unknown date"
        why = f"its maintenance ended on {format_timestamp(maintained)}, and this build was made on {made}"
        return Judgement("expired", None, "newer-build", why)
    if facts.now < expires:
        if document.environment == "trial":
            return Judgement("trial", expires)
        if expires - facts.now > EXPIRING:
            return Judgement("valid", expires - EXPIRING)
        return Judgement("expiring", expires)
    if facts.now < grace:
        return Judgement("grace", grace)
    if before:
        return Judgement("fallback")
    return Judgement("expired", None, "expired", f"it ended on {format_timestamp(expires)}")


def coming(document: License | Pool, facts: Facts, revocations: Revocations | None) -> Iterator[tuple[datetime, State]]:
    """The states that are to come, each with its first moment, as far as the clock brings them."""
    judgement = judge(document, facts, revocations)
    while judgement.until is not None and judgement.until > facts.now:
        facts = replace(facts, now=judgement.until)
        judgement = judge(document, facts, revocations)
        yield facts.now, judgement.state


def warning(document: License | Pool, judgement: Judgement, now: datetime) -> str:
    """What a run says once of a license that ends or has ended; empty: nothing."""
    which = f"the {document.kind} {document.id}"
    if judgement.state == "grace" and judgement.until is not None:
        return f"{which} has ended; everything goes on until {judgement.until:%Y-%m-%d}, and then new jobs are refused"
    if judgement.state not in ("expiring", "trial") or document.expires_at is None:
        return ""
    left = document.expires_at - now
    step = next((days for days in reversed(WARNINGS) if left <= timedelta(days=days)), None)
    if step is None:
        return ""
    when = "within a day" if step == 1 else f"in {left.days} days"
    hurry = "; ask for a new one now" if step <= 7 else "; it is time to ask for a new one" if step <= 14 else ""
    return f"{which} ends {when}, on {document.expires_at:%Y-%m-%d}{hurry}"
