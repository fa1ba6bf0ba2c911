# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What to enter and sign for pools: seats that a server at the customer's lends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tunesmith.licensing import PublicKey, format_timestamp
from tunesmith.licensing.contents import Pool, parse_pool
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing.clerk import Plan
from tunesmith_vendor.issuing.licenses import name_of, random_id, refuse_taken
from tunesmith_vendor.issuing.orders import Order
from tunesmith_vendor.ledger.records import find_record
from tunesmith_vendor.ledger.store import Reading

__all__ = ["issue_pool"]


def issue_pool(order: Order, server_key: PublicKey, now: datetime, *, again: bool) -> Callable[[Reading], Plan]:
    """A pool for a server's key.

    Args:
        again: the pool of this id is there, and this is its next serial: a new term, other seats, another server. The
            whole order counts, as if it were new.
    """
    order.refuse_keys(pool=True)
    if again and order.text("id") is None:
        raise VendorError("which pool is issued again?", expected="--id with the id of a pool")
    pool_id = order.text("id") or random_id("pool")

    def planning(reading: Reading) -> Plan:
        known = find_record(reading, pool_id)
        if not again:
            refuse_taken(reading, pool_id)
        elif known is None or known.kind != "pool":
            raise VendorError("the ledger has no pool of this id", given=pool_id, fix="leave --again out for a new one")
        starts = order.starts(now)
        pool = Pool(
            product=reading.product(),
            pool_id=pool_id,
            serial=known.highest + 1 if known else 1,
            licensee=order.licensee(name_of(reading, order.needed("customer"))),
            edition=order.needed("edition"),
            environment=order.needed("environment"),  # type: ignore[arg-type] # checked when it is read back
            features=order.features(),
            server_key=server_key,
            seats=order.number("seats"),
            lease_seconds=order.number("lease_seconds", 300),
            offline_hours=order.number("offline_hours", 24),
            borrow_days=order.number("borrow_days", 0),
            issued_at=now,
            starts_at=starts,
            expires_at=order.expires(starts),
            grace_days=order.number("grace_days", 14),
            maintenance_until=order.maintenance(starts),
        )
        if known is not None and known.content.licensee.id != pool.licensee.id:
            raise VendorError(
                "this pool is another customer's",
                given=f"{pool_id} of {known.content.licensee.id}",
                expected=pool.licensee.id,
            )
        return _plan(pool, order.text("order"), known.content.serial if known else None)

    return planning


def _plan(pool: Pool, order_number: str | None, base: int | None) -> Plan:
    payload = pool.payload()
    read = parse_pool(payload)
    return Plan(
        action="pool",
        kind="pool",
        payload=payload,
        subject=read.pool_id,
        serial=read.serial,
        customer=read.licensee.id,
        customer_name=read.licensee.name,
        order_number=order_number,
        expires_at=None if read.expires_at is None else format_timestamp(read.expires_at),
        details={} if base is None else {"base": base},
    )
