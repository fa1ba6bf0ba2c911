# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Whether a lease is what was asked for: the vendor signed the pool, the pool's server signed the lease, and it is for
this node and this question, no longer than the pool allows."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Trust, dearmor, dearmor_all, format_timestamp, refusal, verify
from tunesmith.licensing.contents import Features, Lease, Pool, parse_lease, parse_pool
from tunesmith_enterprise.entitlement.build import PRODUCT
from tunesmith_enterprise.entitlement.evidence import Evidence

__all__ = ["SKEW", "covers", "plain", "read_lease", "read_pool", "sha256_of"]

SKEW: Final = timedelta(hours=24)
"""How far the clocks of server and client may be apart."""


def read_pool(text: str, evidence: Evidence) -> Pool:
    """The pool of a text, which may bring newer roots.

    Raises:
        SignedDocumentError: it is damaged, not the vendor's, or for another product.
    """
    if evidence.trust is None:
        raise refusal("untrusted", "this build has no root, and no pool can be believed")
    documents = dearmor_all(text)
    pool = next((document.envelope for document in documents if document.kind == "pool"), None)
    if pool is None:
        raise refusal("wrong-kind", "the license server sent no pool", expected="a document of the kind pool")
    roots = [document.envelope for document in documents if document.kind == "root"]
    found = parse_pool(_newest(evidence.trust, roots, evidence.facts.now).verify(pool, "pool"))
    if found.product != PRODUCT:
        raise refusal(
            "value", "the license server lends seats of another product", given=found.product, expected=PRODUCT
        )
    return found


def _newest(trust: Trust, roots: list[bytes], now: datetime) -> Trust:
    try:
        return trust.follow(roots, now=now)
    except SignedDocumentError:
        return trust  # if the pool needs a newer one, the words about it come with the pool


def read_lease(
    text: str,
    pool: Pool,
    evidence: Evidence,
    *,
    node: str,
    nonce: str | None,
    features: Features | None = None,
    first: bool = False,
) -> Lease:
    """The lease of a text.

    Args:
        nonce: what was asked with; None: the lease is from before, and is looked at again.
        features: what was asked for; None: whatever it has.
        first: it is new, and not the renewal of one; those go on after the end of the pool.

    Raises:
        SignedDocumentError: it is damaged, signed by another server, for another node, pool or question, from a time
            that is more than 24 hours away, or longer than the pool allows.
    """
    lease = parse_lease(verify(dearmor(text, "lease"), "lease", [pool.server_key]))
    for what, given, expected in (
        ("pool", lease.pool_id, pool.pool_id),
        ("node", lease.node, node),
        ("question: perhaps an old answer was played back", lease.nonce, nonce),
    ):
        if expected is not None and given != expected:
            raise refusal("value", f"the lease is for another {what}", given=given, expected=expected)
    if features is not None and plain(lease.features) != plain(features):
        raise refusal("value", "the lease is for other features than were asked for", given=", ".join(lease.features))
    if any(code not in pool.features for code in lease.features):
        raise refusal("value", "the lease has a feature that its pool has not", given=", ".join(lease.features))
    for code, quantities in lease.features.items():
        for name, most in quantities.items():
            if most > pool.features[code].get(name, most):
                raise refusal(
                    "value",
                    f"the lease has more {name} of the feature {code} than its pool has",
                    given=most,
                    expected=f"at most {pool.features[code][name]}",
                )
    if nonce is not None and abs(lease.granted_at - evidence.facts.now) > SKEW:
        raise refusal(
            "value",
            "the clocks of this machine and of the license server are more than a day apart",
            given=f"the server says {format_timestamp(lease.granted_at)}",
            expected=f"about {format_timestamp(evidence.facts.now)}",
            fix="set the clock that is wrong",
        )
    _within(lease, pool, evidence, first)
    return lease


def _within(lease: Lease, pool: Pool, evidence: Evidence, first: bool) -> None:
    """The vendor's bounds hold also for a server that does not keep to them."""
    longest = timedelta(days=pool.borrow_days) if lease.borrowed else timedelta(seconds=pool.lease_seconds)
    offline = longest if lease.borrowed else timedelta(hours=pool.offline_hours)
    built, covered = evidence.build.built_at, pool.maintenance_until
    end = None if built is not None and covered is not None and built < covered else pool.grace_until
    if lease.expires_at - lease.granted_at > longest or lease.open_until - lease.granted_at > offline:
        raise refusal("value", "the lease lasts longer than its pool allows", given=f"lease {lease.lease_id}")
    if end is not None and (first or lease.borrowed) and max(lease.expires_at, lease.open_until) > end:
        raise refusal(
            "value", "the lease lasts longer than its pool", expected=f"until {format_timestamp(end)} at most"
        )


def covers(held: Features, wanted: Features) -> bool:
    """Whether a lease is enough for a job: each feature, and at least as much of it. What a lease does not count it
    was not asked to count."""
    return all(
        code in held and all(most <= held[code].get(name, 0) for name, most in quantities.items())
        for code, quantities in wanted.items()
    )


def plain(features: Features) -> dict[str, dict[str, int]]:
    """Dictionaries, to compare and to send."""
    return {code: dict(quantities) for code, quantities in features.items()}


def sha256_of(text: str) -> str:
    """Of the lease's envelope."""
    return hashlib.sha256(dearmor(text, "lease")).hexdigest()
