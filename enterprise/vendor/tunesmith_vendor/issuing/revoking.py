# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What to enter and sign to revoke a license or pool: the next list, which holds all that was ever revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tunesmith.licensing.contents import Revocation
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing.clerk import Plan, next_list
from tunesmith_vendor.ledger.records import record
from tunesmith_vendor.ledger.store import Reading

__all__ = ["revoke"]


def revoke(subject: str, up_to: int | None, reason: str, now: datetime) -> Callable[[Reading], Plan]:
    """A revocation.

    Args:
        up_to: the highest serial that does not count any more; None: none counts any more, also none to come.
        reason: stands in the list, which customers read.
    """
    if not reason:
        raise VendorError("a revocation says why", expected="--reason; customers read it in the list")

    def planning(reading: Reading) -> Plan:
        known = record(reading, subject)
        if up_to is not None and not 1 <= up_to <= known.highest:
            raise VendorError(
                "there is no such serial to revoke",
                given=up_to,
                expected=f"1 to {known.highest}",
                fix="without --up-to all serials are revoked, also those to come",
            )
        listed = next_list(reading, Revocation(known.kind, subject, up_to, now, reason), now)
        return Plan(
            action="revoke",
            kind="revocations",
            payload=listed.payload(),
            subject=subject,
            customer=known.content.licensee.id,
            customer_name=known.content.licensee.name,
            details={"revoked": known.kind, "up_to": up_to},
        )

    return planning
