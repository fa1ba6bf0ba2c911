# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Finding licenses and pools, and what ends soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import License
from tunesmith_vendor.ledger.records import Record, find_record, latest_revocations
from tunesmith_vendor.ledger.store import Reading
from tunesmith_vendor.ledger.tables import entries

__all__ = ["Found", "ending", "search"]


@dataclass(frozen=True, slots=True)
class Found:
    """A license or pool.

    Attributes:
        record: what the ledger knows.
        revoked: its latest serial is.
        replaced_by: the id of a license that takes its place.
    """

    record: Record
    revoked: bool
    replaced_by: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        content = self.record.content
        ends = self.record.ends
        return {
            "kind": self.record.kind,
            "id": self.record.id,
            "serial": content.serial,
            "customer": content.licensee.id,
            "customer_name": content.licensee.name,
            "order": self.record.latest.order_number,
            "edition": content.edition,
            "environment": content.environment,
            "features": {code: dict(limits) for code, limits in content.features.items()},
            "starts_at": format_timestamp(content.starts_at),
            "expires_at": None if ends is None else format_timestamp(ends),
            "maintenance_until": content.maintenance_until and format_timestamp(content.maintenance_until),
            "activations": self.record.activations,
            "installations": list(self.record.installed),
            "revoked": self.revoked,
            "replaced_by": self.replaced_by,
        }


def search(
    reading: Reading,
    *,
    customer: str | None = None,
    order: str | None = None,
    subject: str | None = None,
    expiring_before: datetime | None = None,
) -> Iterator[Found]:
    """Licenses and pools that meet everything that is given, in the order of their ids.

    Args:
        customer: the id, or part of the name, in any case of letters.
        order: the number of a purchase, of any of its serials.
        subject: the id of the license or pool.
        expiring_before: the latest serial ends before that; aware, UTC.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    if customer is not None:
        named = sa.func.lower(entries.c.customer_name).contains(customer.lower(), autoescape=True)
        conditions.append(sa.or_(entries.c.customer == customer, named))
    if order is not None:
        conditions.append(entries.c.order_number == order)
    if subject is not None:
        conditions.append(entries.c.subject == subject)
    if expiring_before is not None:
        # Texts of one form compare as the moments do.
        conditions.append(entries.c.expires_at < format_timestamp(expiring_before))
    replaced = _replaced(reading)
    revoked = latest_revocations(reading)
    for one in reading.subjects(*conditions):
        known = find_record(reading, one)
        if known is None or (expiring_before and (known.ends is None or known.ends >= expiring_before)):
            continue
        met = revoked is not None and revoked.find(known.kind, known.id, known.content.serial) is not None
        yield Found(known, met, replaced.get(known.id))


def ending(reading: Reading, now: datetime, until: datetime) -> list[Found]:
    """What ends between now and then, and was neither revoked nor replaced; the nearest first."""
    found = [
        one
        for one in search(reading, expiring_before=until)
        if not one.revoked and one.replaced_by is None and one.record.ends is not None and one.record.ends >= now
    ]
    return sorted(found, key=lambda one: (one.record.ends or now, one.record.id))


def _replaced(reading: Reading) -> dict[str, str]:
    """From the ids that newer licenses replace to theirs."""
    replaced: dict[str, str] = {}
    for act in reading.select(entries.c.details.contains('"replaces":[')):
        known = find_record(reading, act.subject) if act.subject else None
        if known is not None and isinstance(known.content, License):
            replaced |= dict.fromkeys(known.content.replaces, known.id)
    return replaced
