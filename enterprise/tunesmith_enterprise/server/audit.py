# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The audit log: a row for every lease taken, refused, returned, expired; never for a renewal.

Each row has the hash of the one before it, so that a row which was changed, taken out, put in or moved is found. Rows
taken away at the end are found only by somebody who has noted the last hash elsewhere: ``verify`` tells it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tunesmith.licensing import format_timestamp
from tunesmith_enterprise.server.tables import AUDIT

__all__ = ["AUDIT", "BEGINNING", "Broken", "Entry", "Recorder", "Verified", "entries", "verify"]

BEGINNING: Final = "0" * 64
"""What the first row has for the hash of the one before."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row. ``details`` is JSON as it was written: what is hashed is this text."""

    seq: int
    at: int
    event: str
    details: str
    prev: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        """For an export."""
        try:
            details = json.loads(self.details)
        except ValueError:  # somebody changed it; the export shows what there is
            details = self.details
        at = format_timestamp(datetime.fromtimestamp(self.at, timezone.utc))
        return {
            "seq": self.seq,
            "at": at,
            "event": self.event,
            "details": details,
            "prev": self.prev,
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain that is whole: how many rows it has, and the hash of the last, to note elsewhere."""

    rows: int
    head: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that is not as it was written, and what shows it."""

    seq: int
    why: str


class Recorder:
    """Writes rows in a transaction that no other overlaps."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tail: tuple[int, str] | None = None

    def record(self, event: str, at: int, **details: Any) -> None:
        """One row: what happened, when (seconds since 1970), and what belongs to it; None is left out."""
        if self._tail is None:
            found = self._connection.execute(_TAIL).first()
            self._tail = (0, BEGINNING) if found is None else (int(found.seq), str(found.hash))
        seq, prev = self._tail[0] + 1, self._tail[1]
        text = json.dumps({name: value for name, value in details.items() if value is not None}, sort_keys=True)
        made = _hash(seq, at, event, text, prev)
        self._connection.execute(
            _APPEND, {"seq": seq, "at": at, "event": event, "details": text, "prev": prev, "hash": made}
        )
        self._tail = (seq, made)


_TAIL = sa.select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(1)
_APPEND = AUDIT.insert()


def _hash(seq: int, at: int, event: str, details: str, prev: str) -> str:
    return hashlib.sha256(json.dumps([seq, at, event, details, prev]).encode()).hexdigest()


def entries(connection: Connection) -> Iterator[Entry]:
    """All rows in their order, a thousand at a time."""
    after = -(2**62)
    while rows := connection.execute(
        sa.select(AUDIT).where(AUDIT.c.seq > after).order_by(AUDIT.c.seq).limit(1000)
    ).fetchall():
        for row in rows:
            yield Entry(row.seq, row.at, row.event, row.details, row.prev, row.hash)
        after = rows[-1].seq


def verify(connection: Connection) -> Verified | Broken:
    """Whether every row is as it was written, from the first to the last."""
    seq, head = 0, BEGINNING
    for entry in entries(connection):
        seq += 1
        if entry.seq != seq:
            return Broken(seq, f"row {seq} is missing; the next there is has number {entry.seq}")
        if entry.prev != head:
            return Broken(seq, "it does not follow the row before it: one of the two was replaced")
        if entry.hash != _hash(entry.seq, entry.at, entry.event, entry.details, entry.prev):
            return Broken(seq, "its content is not what its hash was made of: it was changed")
        head = entry.hash
    return Verified(seq, head)
