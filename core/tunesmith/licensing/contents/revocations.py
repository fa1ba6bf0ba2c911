# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a list of revocations says. Lists are numbered; a reader that knows number N takes no list below N any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from tunesmith.licensing.contents.parts import LIMIT, begin, identifier, one_of, point, written
from tunesmith.licensing.fields import integer, items, members, text

__all__ = ["Revocation", "Revocations", "Revoked", "parse_revocations"]

Revoked = Literal["license", "pool"]
_KINDS: Final[tuple[Revoked, ...]] = get_args(Revoked)


@dataclass(frozen=True, slots=True)
class Revocation:
    """One license or pool that does not count any more.

    Attributes:
        kind: which of them.
        id: of the license or of the pool.
        up_to: the highest serial that is revoked; None: all, also those to come.
        at: since when.
        reason: for people.
    """

    kind: Revoked
    id: str
    up_to: int | None
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Revocations:
    """A whole list: what is not in it is not revoked.

    Attributes:
        product: whose licenses.
        number: 1, 2, 3 …; a list with a higher number takes the place of one with a lower.
        issued_at: aware, UTC.
        entries: at most 10,000.
    """

    product: str
    number: int
    issued_at: datetime
    entries: tuple[Revocation, ...]

    def find(self, kind: Revoked, name: str, serial: int) -> Revocation | None:
        """The entry that a license or pool meets, if one does."""
        for entry in self.entries:
            if entry.kind == kind and entry.id == name and (entry.up_to is None or serial <= entry.up_to):
                return entry
        return None

    def payload(self) -> bytes:
        """The payload to sign; what :func:`parse_revocations` reads."""
        entries = [
            {"kind": entry.kind, "id": entry.id, "up_to": entry.up_to, "at": entry.at, "reason": entry.reason}
            for entry in self.entries
        ]
        return written(
            {
                "schema": 1,
                "product": self.product,
                "number": self.number,
                "issued_at": self.issued_at,
                "revoked": entries,
            }
        )


def parse_revocations(payload: bytes) -> Revocations:
    """The list of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has.
    """
    value = begin(payload, "the list of revocations", required=("product", "number", "issued_at", "revoked"))
    return Revocations(
        identifier(value["product"], "the product"),
        integer(value["number"], "the number of the list", least=1, most=LIMIT),
        point(value["issued_at"], "issued_at of the list"),
        tuple(_entry(item) for item in items(value["revoked"], "the list of revocations", least=0, most=10_000)),
    )


def _entry(value: object) -> Revocation:
    where = "a revocation"
    found = members(value, where, required=("kind", "id", "at", "reason"), optional=("up_to",))
    kind: Revoked = one_of(found["kind"], _KINDS, f"the kind of {where}")
    up_to = found.get("up_to")
    return Revocation(
        kind,
        identifier(found["id"], "the id of a revocation"),
        None if up_to is None else integer(up_to, "the serial of a revocation", least=1, most=LIMIT),
        point(found["at"], "the time of a revocation"),
        text(found["reason"], "the reason of a revocation"),
    )
