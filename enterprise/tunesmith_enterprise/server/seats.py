# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who may have a seat. All rules of lending, each on one transaction that no other overlaps.

A lease that nobody renews in time is counted no longer from that second on; whether a row says so already does not
matter, so there is no timer that could fail.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import Features, Lease
from tunesmith_enterprise.server.pools import Served
from tunesmith_enterprise.server.refusals import Declined
from tunesmith_enterprise.server.storage import Transaction
from tunesmith_enterprise.server.tables import LEASES

__all__ = ["Claim", "Usage", "asked_before", "claim", "release", "renew", "usage"]

_MOST_WAIT = 3600
_KEEP_DAYS = 7
"""Days that rows of ended leases stay, so that a claim which was answered is not answered by a second seat."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody asks for.

    Attributes:
        node: where the job runs.
        nonce: new with every job; the same again asks for the same lease.
        features: with quantities, all that the job needs.
        borrow_days: for so long, away from the site; None: an ordinary lease.
    """

    node: str
    nonce: str
    features: Features
    borrow_days: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How a pool is used now: leases, those of them that are borrowed, and how many each node has."""

    in_use: int
    borrowed: int
    nodes: Mapping[str, int]


def claim(tx: Transaction, served: Served, asked: Claim, now: datetime) -> Lease:
    """A seat of a pool.

    Raises:
        Declined: there is none for this claim, and why.
    """
    pool = served.pool
    _in_term(served, now)
    for code in asked.features:
        if code not in pool.features:
            raise Declined(
                403,
                "not-included",
                f"the pool {pool.pool_id} does not have the feature {code}",
                fix="ask the vendor for a pool that has it",
                has=sorted(pool.features),
            )
    at = _seconds(now)
    seconds = pool.lease_seconds if asked.borrow_days is None else _borrowing(served, asked.borrow_days)
    _cull(tx, pool.pool_id, at)
    _room(tx, served, asked.features, at)
    end = served.end()
    expires = at + seconds if end is None else min(at + seconds, _seconds(end))
    row = {
        "lease_id": uuid.uuid4().hex,
        "pool_id": pool.pool_id,
        "node": asked.node,
        "claim_nonce": asked.nonce,
        "nonce": asked.nonce,
        "serial": tx.next_serial(),
        "features": _text(asked.features),
        "taken_at": at,
        "granted_at": at,
        "expires_at": expires,
        "open_until": expires if asked.borrow_days is not None else _open_until(served, at),
        "borrowed": asked.borrow_days is not None,
        "state": "live",
    }
    tx.connection.execute(_INSERT, row)
    tx.audit.record(
        "borrowed" if row["borrowed"] else "taken",
        at,
        pool=pool.pool_id,
        lease=row["lease_id"],
        node=asked.node,
        serial=row["serial"],
        features={code: dict(limits) for code, limits in asked.features.items()},
        until=expires,
    )
    return _lease(row)


def asked_before(tx: Transaction, asked: Claim, pool_ids: Collection[str], now: datetime) -> Lease | None:
    """The lease that the same claim was answered with: its answer may have been lost on the way.

    Raises:
        Declined: the nonce was used for something else, or the lease has ended.
    """
    found = tx.connection.execute(_BY_CLAIM, {"claim_node": asked.node, "claim_of": asked.nonce}).mappings().first()
    if found is None:
        return None
    same = found["features"] == _text(asked.features) and found["borrowed"] == (asked.borrow_days is not None)
    over = found["state"] != "live" or found["expires_at"] <= _seconds(now)
    if not same or over or found["pool_id"] not in pool_ids:
        raise Declined(
            409,
            "nonce-used",
            "this nonce has been used by the same node for another lease, or for one that has ended",
            fix="ask with a new nonce",
        )
    return _lease(found)


def renew(
    tx: Transaction, pools: Mapping[str, Served], lease_id: str, nonce: str, features: Features | None, now: datetime
) -> Lease:
    """The lease anew, from now on; with other features, if the job needs more or less than before.

    A job that runs keeps its seat also after the end of the pool. One that was late keeps it if nobody else has it.

    Raises:
        Declined: the seat is gone, or there is not so much of a feature left.
    """
    row = tx.connection.execute(_BY_ID, {"of_id": lease_id}).mappings().first()
    served = pools.get(row["pool_id"]) if row is not None else None
    if row is None or served is None or row["state"] == "returned":
        raise Declined(410, "gone", "this lease was returned, or is not known here", fix="ask for a new one")
    if row["borrowed"]:
        raise Declined(409, "borrowed", "a borrowed lease is not renewed", fix="return it, and borrow again")
    wanted = row["features"] if features is None else _text(features)
    at = _seconds(now)
    late = row["state"] == "expired" or row["expires_at"] <= at
    if row["nonce"] == nonce and row["features"] == wanted and not late:
        return _lease(row)  # asked again
    if features is not None:
        for code in features:
            if code not in served.pool.features:
                raise Declined(403, "not-included", f"the pool {row['pool_id']} does not have the feature {code}")
    if late or wanted != row["features"]:
        _cull(tx, row["pool_id"], at, but=lease_id)
        _room(tx, served, json.loads(wanted), at, but=lease_id)
        event = "resumed" if late else "changed"
        tx.audit.record(event, at, pool=row["pool_id"], lease=lease_id, node=row["node"], features=json.loads(wanted))
    changed = {
        "nonce": nonce,
        "serial": tx.next_serial(),
        "features": wanted,
        "granted_at": at,
        "expires_at": at + served.pool.lease_seconds,
        "open_until": _open_until(served, at),
        "state": "live",
    }
    tx.connection.execute(_RENEW, {f"new_{name}": value for name, value in changed.items()} | {"of_id": lease_id})
    return _lease({**row, **changed})


def release(tx: Transaction, lease_id: str, now: datetime) -> None:
    """Give a seat back. Once more does no harm.

    Raises:
        Declined: there is no such lease.
    """
    row = tx.connection.execute(_BY_ID, {"of_id": lease_id}).mappings().first()
    if row is None:
        raise Declined(410, "gone", "this lease is not known here", fix="nothing is to be done")
    if row["state"] == "returned":
        return
    tx.connection.execute(_END, {"of_id": lease_id, "new_state": "returned"})
    tx.audit.record("returned", _seconds(now), pool=row["pool_id"], lease=lease_id, node=row["node"])


def usage(tx: Transaction, pool_id: str, now: datetime) -> Usage:
    """How a pool is used."""
    rows = tx.connection.execute(_LIVE, {"of_pool": pool_id, "after": _seconds(now)}).all()
    nodes = Counter(str(row.node) for row in rows)
    return Usage(len(rows), sum(bool(row.borrowed) for row in rows), dict(nodes.most_common()))


_INSERT = LEASES.insert()
_BY_ID = sa.select(LEASES).where(LEASES.c.lease_id == sa.bindparam("of_id"))
_BY_CLAIM = sa.select(LEASES).where(
    LEASES.c.node == sa.bindparam("claim_node"), LEASES.c.claim_nonce == sa.bindparam("claim_of")
)
_OF_POOL = (LEASES.c.pool_id == sa.bindparam("of_pool"), LEASES.c.state == "live")
_LIVE = sa.select(LEASES.c.lease_id, LEASES.c.node, LEASES.c.features, LEASES.c.expires_at, LEASES.c.borrowed).where(
    *_OF_POOL, LEASES.c.expires_at > sa.bindparam("after")
)
_LATE = sa.select(LEASES.c.lease_id, LEASES.c.node).where(*_OF_POOL, LEASES.c.expires_at <= sa.bindparam("until"))
_CHANGED = ("nonce", "serial", "features", "granted_at", "expires_at", "open_until", "state")
_RENEW = (
    LEASES.update()
    .where(LEASES.c.lease_id == sa.bindparam("of_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGED})
)
_END = LEASES.update().where(LEASES.c.lease_id == sa.bindparam("of_id")).values(state=sa.bindparam("new_state"))
_FORGET = LEASES.delete().where(LEASES.c.state != "live", LEASES.c.expires_at < sa.bindparam("before"))


def _in_term(served: Served, now: datetime) -> None:
    pool = served.pool
    if served.revoked is not None:
        raise Declined(
            403,
            "revoked",
            f"the vendor has revoked the pool {pool.pool_id}: {served.revoked.reason}",
            fix="ask the vendor; jobs that run keep their seats",
        )
    if now < pool.starts_at:
        raise Declined(403, "upcoming", f"the pool {pool.pool_id} begins on {format_timestamp(pool.starts_at)}")
    end = served.end()
    if end is not None and now >= end:
        raise Declined(
            403,
            "expired",
            f"the pool {pool.pool_id} ended on {format_timestamp(end)}, its days of grace included",
            fix="renew it with the vendor; jobs that run keep their seats",
        )


def _borrowing(served: Served, days: int) -> int:
    most = served.pool.borrow_days
    if days > most:
        raise Declined(
            403,
            "no-borrowing",
            f"the pool {served.pool.pool_id} lends seats away for {most} days at most"
            if most
            else f"seats of the pool {served.pool.pool_id} cannot be borrowed",
            fix="ask for fewer days" if most else "use the seat on the site",
        )
    return days * 86400


def _cull(tx: Transaction, pool_id: str, at: int, *, but: str = "") -> None:
    """Write down which leases ran out, and forget those that ended long ago."""
    for row in tx.connection.execute(_LATE, {"of_pool": pool_id, "until": at}).all():
        if row.lease_id != but:
            tx.connection.execute(_END, {"of_id": row.lease_id, "new_state": "expired"})
            tx.audit.record("expired", at, pool=pool_id, lease=row.lease_id, node=row.node)
    tx.connection.execute(_FORGET, {"before": at - _KEEP_DAYS * 86400})


def _room(tx: Transaction, served: Served, wanted: Features, at: int, *, but: str = "") -> None:
    pool = served.pool
    live = tx.connection.execute(_LIVE, {"of_pool": pool.pool_id, "after": at}).all()
    others = [row for row in live if row.lease_id != but]
    wait = max(1, min(_MOST_WAIT, min((row.expires_at for row in others), default=at + 1) - at))
    nodes = [{"node": node, "seats": seats} for node, seats in Counter(str(row.node) for row in others).most_common(20)]
    if len(others) >= pool.seats:
        raise Declined(
            409,
            "no-seat",
            f"all {pool.seats} seats of the pool {pool.pool_id} are taken",
            fix="wait until a job ends, or ask the vendor for more seats",
            retry_after=wait,
            pool=pool.pool_id,
            seats=pool.seats,
            holders=nodes,
        )
    held = [json.loads(row.features) for row in others]
    for code, quantities in wanted.items():
        for name, most in pool.features[code].items():
            used = sum(features.get(code, {}).get(name, 0) for features in held)
            needed = quantities.get(name, 0)
            if used + needed > most:
                raise Declined(
                    409,
                    "limit",
                    f"{code} is asked for with {needed} {name}; {max(0, most - used)} of {most} are free"
                    f" in the pool {pool.pool_id}",
                    fix="ask for less" if needed > most else "wait until a job ends, or ask for less",
                    retry_after=None if needed > most else wait,
                    pool=pool.pool_id,
                    feature=code,
                    quantity=name,
                    free=max(0, most - used),
                    limit=most,
                    holders=nodes,
                )


def _open_until(served: Served, at: int) -> int:
    end = served.end()
    until = at + served.pool.offline_hours * 3600
    return until if end is None else max(at, min(until, _seconds(end)))


def _lease(row: Mapping[Any, Any]) -> Lease:
    """The same row makes the same lease, byte for byte."""
    return Lease(
        pool_id=row["pool_id"],
        lease_id=row["lease_id"],
        serial=row["serial"],
        node=row["node"],
        nonce=row["nonce"],
        features=json.loads(row["features"]),
        granted_at=_moment(row["granted_at"]),
        expires_at=_moment(row["expires_at"]),
        open_until=_moment(row["open_until"]),
        borrowed=bool(row["borrowed"]),
    )


def _text(features: Features) -> str:
    plain = {code: dict(quantities) for code, quantities in features.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _seconds(moment: datetime) -> int:
    return int((moment - _EPOCH) // timedelta(seconds=1))


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
