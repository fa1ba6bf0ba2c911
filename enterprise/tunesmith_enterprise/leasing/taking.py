# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Asking for a lease, renewing and returning it: each one question, and the answer checked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import Features, Lease, Pool
from tunesmith_enterprise.entitlement.evidence import Evidence, Seat, Source
from tunesmith_enterprise.errors import LicenseError, Refusal
from tunesmith_enterprise.leasing.address import LicenseServer
from tunesmith_enterprise.leasing.asking import Declined, NoAnswer, ask
from tunesmith_enterprise.leasing.checking import covers, plain, read_lease, read_pool, sha256_of
from tunesmith_enterprise.leasing.keeping import Keeping, Kept

__all__ = ["Client", "Taken", "no_server", "offline_note", "refused"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease that was verified, and its texts."""

    pool: Pool
    lease: Lease
    kept: Kept
    answered: bool

    def seat(self) -> Seat:
        """As evidence."""
        source = Source("server", self.kept.server)
        return Seat(self.pool, self.lease, source, sha256_of(self.kept.lease), self.answered)


@dataclass(frozen=True, slots=True)
class Client:
    """A node that asks a server.

    Attributes:
        node: the name under which it asks.
        evidence: whom to believe, and what time it is.
    """

    server: LicenseServer
    node: str
    evidence: Evidence
    keeping: Keeping

    def take(self, features: Features, borrow_days: int | None = None) -> Taken:
        """A new lease.

        Raises:
            NoAnswer, Declined, SettingsError: as ``ask``.
        """
        marks = self.keeping.marks()
        nonce = secrets.token_hex(16)  # the same in every try: a claim whose answer was lost takes no second seat
        asked: dict[str, Any] = {"node": self.node, "nonce": nonce, "features": plain(features)}
        if borrow_days is not None:
            asked["borrow_days"] = borrow_days
        answer = ask(self.server, "POST", "/v1/leases", asked)
        kept = Kept(self.server.url, _text(answer, "pool"), _text(answer, "lease"), _text(answer, "secret"))
        try:
            pool = read_pool(kept.pool, self.evidence)
            lease = read_lease(
                kept.lease, pool, self.evidence, node=self.node, nonce=nonce, features=features, first=True
            )
        except SignedDocumentError as error:
            raise _unusable(error) from None
        self._above(lease, pool, self.keeping.mark_of(marks, pool))
        return Taken(pool, lease, kept, True)

    def renew(self, taken: Taken, features: Features | None = None, *, tries: int = 3) -> Taken:
        """The lease anew, with other features if some are given.

        Raises:
            NoAnswer, Declined, SettingsError: as ``ask``.
        """
        nonce = secrets.token_hex(16)
        asked: dict[str, Any] = {"nonce": nonce}
        if features is not None:
            asked["features"] = plain(features)
        path = f"/v1/leases/{taken.lease.lease_id}"
        answer = ask(self.server, "POST", f"{path}/renew", asked, lease_secret=taken.kept.secret, tries=tries)
        text = _text(answer, "lease")
        wanted = taken.lease.features if features is None else features
        try:
            lease = read_lease(text, taken.pool, self.evidence, node=self.node, nonce=nonce, features=wanted)
        except SignedDocumentError as error:
            raise _unusable(error) from None
        if lease.lease_id != taken.lease.lease_id:
            raise NoAnswer("its answer is about another lease")
        self._above(lease, taken.pool, taken.lease.serial)
        return Taken(taken.pool, lease, Kept(taken.kept.server, taken.kept.pool, text, taken.kept.secret), True)

    def give_back(self, taken: Taken, *, tries: int = 1) -> None:
        """Return a lease.

        Raises:
            NoAnswer, Declined, SettingsError: as ``ask``.
        """
        path = f"/v1/leases/{taken.lease.lease_id}"
        ask(self.server, "DELETE", path, lease_secret=taken.kept.secret, tries=tries)

    def before(self, features: Features) -> Taken | None:
        """The last lease from before that is open now and enough for these features; None: there is none."""
        for kept in self.keeping.last(self.server.url):
            found = self.look(kept)
            if found is None or self.evidence.facts.now >= found.lease.open_until:
                continue
            if covers(found.lease.features, features):
                return found
        return None

    def look(self, kept: Kept) -> Taken | None:
        """A lease that was kept, verified again; None: it is not, or not any more, what it should be."""
        try:
            pool = read_pool(kept.pool, self.evidence)
            lease = read_lease(kept.lease, pool, self.evidence, node=self.node, nonce=None)
        except SignedDocumentError:
            return None
        return Taken(pool, lease, kept, False)

    def remember(self, taken: Taken) -> None:
        """For the hours in which the server may be away. Its secret is for whoever holds it."""
        kept = Kept(taken.kept.server, taken.kept.pool, taken.kept.lease)
        self.keeping.keep_last(kept, taken.lease)
        self.keeping.raise_highest(taken.pool, taken.lease.serial)

    def _above(self, lease: Lease, pool: Pool, mark: int) -> None:
        if lease.serial <= mark:
            raise NoAnswer(
                f"its count of leases has gone back: {lease.serial:,} after {mark:,} of the pool {pool.pool_id}; its"
                " database was replaced by an older one, or there are two servers with one key"
            )


def refused(declined: Declined, features: Features) -> LicenseError:
    """The error for a job that the server has no seat for."""
    code: Refusal = "no-seat"
    if declined.code in ("not-included", "expired", "revoked", "upcoming"):
        code = declined.code  # type: ignore[assignment]
    elif declined.code == "limit" and declined.retry_after is None:
        code = "limit"
    fixes = [declined.fix] if declined.fix else []
    if declined.retry_after is not None:
        fixes.append(f"the next lease ends in {declined.retry_after} seconds, unless it is renewed")
    holders = _holders(declined.facts)
    return LicenseError(
        f"the license server gives no seat: {declined.message}",
        code=code,
        feature=str(declined.facts.get("feature") or next(iter(features))),
        given=", ".join(plain(features)) + (f"; in use by {holders}" if holders else ""),
        expected="a free seat" if code == "no-seat" else None,
        fix=fixes or None,
    )


def no_server(server: LicenseServer, error: NoAnswer, features: Features) -> LicenseError:
    """The error for a job that cannot ask, and has nothing from before."""
    return LicenseError(
        "the license server does not answer, and this node has no lease from before that is still open",
        code="no-server",
        feature=next(iter(features)),
        given=f"{server.url}: {error}",
        expected="an answer, or a lease from the last hours for the same features",
        fix=["see whether the server runs, and whether this machine reaches it", "`tunesmith license lease show`"],
    )


def offline_note(server: LicenseServer, taken: Taken, error: NoAnswer) -> str:
    """What a job is told that goes on with a lease from before."""
    until = format_timestamp(taken.lease.open_until)
    return (
        f"the license server {server.url} cannot be asked ({error}); the lease of"
        f" {format_timestamp(taken.lease.granted_at)} is used, with which jobs may begin until {until}"
    )


def _unusable(error: SignedDocumentError) -> NoAnswer:
    given = f" ({error.given}; expected {error.expected})" if error.given and error.expected else ""
    return NoAnswer(f"its answer cannot be used: {error.what}{given}")


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if type(value) is not str:
        raise NoAnswer(f"its answer has no {name}")
    return value


def _holders(facts: Mapping[str, Any]) -> str:
    listed = facts.get("holders")
    found = []
    for one in listed[:5] if isinstance(listed, list) else []:
        if isinstance(one, dict) and type(one.get("node")) is str and type(one.get("seats")) is int:
            name = "".join(character for character in one["node"][:64] if character.isprintable())
            found.append(f"{name} ({one['seats']})")
    return ", ".join(found)
