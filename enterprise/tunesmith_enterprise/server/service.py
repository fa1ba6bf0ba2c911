# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What is asked of the server, in order: the pools, one writer, the key. No HTTP here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tunesmith.errors import TunesmithError
from tunesmith.licensing import dearmor, dearmor_all, format_timestamp
from tunesmith.licensing.contents import Features, Lease, Pool, parse_pool, parse_revocations
from tunesmith.licensing.envelope import read_envelope
from tunesmith_enterprise.entitlement.build import Build, this_build
from tunesmith_enterprise.server import seats
from tunesmith_enterprise.server.keys import ServerKey
from tunesmith_enterprise.server.pools import PoolSet, Served, read_pools, standing
from tunesmith_enterprise.server.refusals import Declined
from tunesmith_enterprise.server.seats import Claim, Usage
from tunesmith_enterprise.server.storage import Storage, Transaction
from tunesmith_enterprise.server.writer import Writer

__all__ = ["LOGGER", "Lent", "PoolStatus", "Service", "status_of", "utc_now"]

LOGGER = logging.getLogger("tunesmith.license_server")

_TELLING = ("limit", "no-seat", "no-borrowing", "expired", "revoked", "upcoming", "not-included")
"""Of several pools that decline, the answer of the one that came nearest is given."""


def utc_now() -> datetime:
    """The system's time."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Lent:
    """A seat as its holder gets it: the lease and its pool as text, and the secret to renew and return it."""

    lease: str
    pool: str
    lease_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool and how it is used."""

    served: Served
    usage: Usage

    def to_json(self, now: datetime) -> dict[str, Any]:
        """For programs: no text of the pool."""
        pool = self.served.pool
        end = self.served.end()
        return {
            "pool": pool.pool_id,
            "serial": pool.serial,
            "licensee": pool.licensee.name,
            "seats": pool.seats,
            "in_use": self.usage.in_use,
            "borrowed": self.usage.borrowed,
            "features": {code: dict(limits) for code, limits in pool.features.items()},
            "lease_seconds": pool.lease_seconds,
            "offline_hours": pool.offline_hours,
            "borrow_days": pool.borrow_days,
            "ends": None if end is None else format_timestamp(end),
            "standing": standing(self.served, now),
            "holders": [{"node": node, "seats": count} for node, count in self.usage.nodes.items()],
        }


class Service:
    """Lends the seats of pools.

    Args:
        key: the server's.
        storage: where it is written down.
        files: of the pools; read again by :meth:`reload`.
        build: whose root is believed; default: this one.
        now: the clock; aware.

    Raises:
        SettingsError, SignedDocumentError: there is no pool to serve.
        StorageError: the database cannot be used.
    """

    def __init__(
        self,
        key: ServerKey,
        storage: Storage,
        files: Sequence[Path],
        *,
        build: Build | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._key = key
        self._storage = storage
        self._files = tuple(files)
        self._build = build or this_build()
        self._now = now
        self.pools = self._load()
        self._writer = Writer(storage)

    def close(self) -> None:
        """Let go of the database."""
        self._storage.close()

    def reload(self) -> bool:
        """Read the files of the pools again. What is wrong with them is logged, and the pools of before stay.

        Returns:
            Whether they were read.
        """
        try:
            self.pools = self._load()
        except TunesmithError as error:
            LOGGER.error("pools not reloaded", extra={"facts": {"error": str(error)}})
            return False
        return True

    async def claim(self, asked: Claim, pool_id: str | None = None) -> Lease:
        """A seat of the pool, or of the first that has one.

        Raises:
            Declined: there is none for this claim.
            StorageError: the database cannot be used; so with everything below.
        """
        return await self._writer.run(lambda tx: self._claim(tx, asked, pool_id))

    async def renew(self, lease_id: str, secret: str, nonce: str, features: Features | None = None) -> Lease:
        """The lease anew; with other features, if the job needs others from now on."""
        self._demand(lease_id, secret)
        pools = self.pools.by_id
        return await self._writer.run(lambda tx: seats.renew(tx, pools, lease_id, nonce, features, self._now()))

    async def release(self, lease_id: str, secret: str) -> None:
        """Give a seat back."""
        self._demand(lease_id, secret)
        await self._writer.run(lambda tx: seats.release(tx, lease_id, self._now()))

    async def status(self) -> list[PoolStatus]:
        """Every pool and how it is used."""
        pools = self.pools.by_id.values()
        return await self._writer.run(
            lambda tx: [PoolStatus(one, seats.usage(tx, one.pool.pool_id, self._now())) for one in pools]
        )

    def lent(self, lease: Lease) -> Lent:
        """The lease, signed, and what goes with it."""
        pool = self.pools.by_id[lease.pool_id].text
        return Lent(self._key.sign(lease), pool, lease.lease_id, self._key.secret(lease.lease_id))

    def signed(self, lease: Lease) -> str:
        """The lease, signed."""
        return self._key.sign(lease)

    def now(self) -> datetime:
        """The server's clock."""
        return self._now()

    def _claim(self, tx: Transaction, asked: Claim, pool_id: str | None) -> Lease:
        pools = self.pools.by_id
        if pool_id is not None and pool_id not in pools:
            raise Declined(404, "no-pool", "there is no such pool here", has=list(pools))
        asked_of = [pools[pool_id]] if pool_id is not None else list(pools.values())
        before = seats.asked_before(tx, asked, [one.pool.pool_id for one in asked_of], self._now())
        if before is not None:
            return before
        declined: list[Declined] = []
        for served in asked_of:
            try:
                return seats.claim(tx, served, asked, self._now())
            except Declined as answer:
                declined.append(answer)
        nearest = min(declined, key=lambda answer: _TELLING.index(answer.code))
        tx.audit.record(
            "declined",
            int(self._now().timestamp()),
            node=asked.node,
            code=nearest.code,
            features={code: dict(limits) for code, limits in asked.features.items()},
        )
        raise nearest

    def _demand(self, lease_id: str, secret: str) -> None:
        if not self._key.is_secret(lease_id, secret):
            raise Declined(
                403,
                "not-yours",
                "this lease was given to somebody else: its secret does not fit",
                fix="use the secret that came with the lease",
            )

    def _load(self) -> PoolSet:
        with self._storage.transaction() as tx:
            known = {name: text for name in _names(tx) if (text := tx.kept(f"pool:{name}")) is not None}
            revocations = tx.kept("revocations")
        serials = {name: _pool(text).serial for name, text in known.items()}
        found = read_pools(
            self._files,
            key=self._key.public,
            build=self._build,
            now=self._now(),
            known=revocations,
            serials=serials,
        )
        with self._storage.transaction() as tx:
            if found.revocations is not None and found.revocations != revocations:
                tx.keep("revocations", found.revocations)
            for name, served in found.by_id.items():
                if known.get(name) != served.text:
                    tx.keep(f"pool:{name}", served.text)
                    tx.audit.record(
                        "pool",
                        int(self._now().timestamp()),
                        pool=name,
                        serial=served.pool.serial,
                        seats=served.pool.seats,
                    )
            tx.keep("pools", " ".join(sorted({*known, *found.by_id})))
        facts = {name: standing(served, self._now()) for name, served in found.by_id.items()}
        LOGGER.info("pools", extra={"facts": {"pools": facts, "notes": list(found.notes)}})
        return found


def status_of(tx: Transaction, now: datetime) -> list[PoolStatus]:
    """Every pool that was served last, as the database has it, and how it is used. For looking, without the files."""
    text = tx.kept("revocations")
    revocations = text and parse_revocations(read_envelope(dearmor(text, "revocations")).payload)
    found = []
    for name in _names(tx):
        text = tx.kept(f"pool:{name}") or ""
        pool = _pool(text)
        revoked = revocations.find("pool", name, pool.serial) if revocations else None
        found.append(PoolStatus(Served(pool, text, revoked, this_build().built_at), seats.usage(tx, name, now)))
    return found


def _names(tx: Transaction) -> list[str]:
    return (tx.kept("pools") or "").split()


def _pool(text: str) -> Pool:
    # It was verified before it was kept; a root that has changed since must not bring an older one back.
    pool = next(document.envelope for document in dearmor_all(text) if document.kind == "pool")
    return parse_pool(read_envelope(pool).payload)
