# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Entries of the ledger, and how each holds on to the one before it.

Whoever changes, drops, adds or moves an entry changes a hash after it. Whoever can write to the database can also
compute all hashes anew: against that there are checkpoints, which are kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import dearmor_all, parse_timestamp, read_envelope
from tunesmith_vendor.errors import VendorError

__all__ = ["START", "Broken", "Entry", "broken", "digest", "hash_of"]

START: Final = "0" * 64
"""What the first entry names as the hash of the one before it."""

_DOMAIN: Final = "tunesmith-vendor ledger, form 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, as it is stored.

    Attributes:
        seq: 1, 2, 3 … without a gap.
        at: when, as documents write it.
        operator: who says to have done it.
        account: the account of the machine that it was done with.
        action: what: see ``acts``.
        reason: why, for people; may be empty.
        order_number: of the purchase.
        subject: the id of the license or pool that it is about.
        serial: of that.
        customer, customer_name: whom it is for.
        expires_at: when the term ends that it gives.
        install_id: of the installation that was activated or deactivated.
        refers_to: the entry that this one goes on from.
        details: what else there is, as JSON with sorted names.
        payload: what is to be signed, exactly.
        payload_sha256: of that, in hexadecimal.
        documents: what was signed, armored; several follow each other.
        prev_hash: of the entry before.
        hash: of all of the above.
    """

    seq: int
    at: str
    operator: str
    account: str
    action: str
    reason: str = ""
    order_number: str | None = None
    subject: str | None = None
    serial: int | None = None
    customer: str | None = None
    customer_name: str | None = None
    expires_at: str | None = None
    install_id: str | None = None
    refers_to: int | None = None
    details: str = "{}"
    payload: bytes | None = None
    payload_sha256: str | None = None
    documents: str | None = None
    prev_hash: str = START
    hash: str = ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """``details``, read.

        Raises:
            VendorError: somebody has written something else there.
        """
        try:
            found = json.loads(self.details)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise VendorError(
                "an entry of the ledger cannot be read",
                given=f"entry {self.seq:,}",
                fix="`tunesmith-vendor ledger verify` tells where it was changed",
            )
        return found

    @property
    def envelopes(self) -> list[bytes]:
        """``documents``, taken out of their armor; of a checkpoint none, as it is written otherwise."""
        if self.documents is None or self.action == "checkpoint":
            return []
        return [document.envelope for document in dearmor_all(self.documents)]


_HASHED: Final = tuple(field.name for field in fields(Entry) if field.name != "hash")


def hash_of(entry: Entry) -> str:
    """The hash of everything an entry says: SHA-256 of a JSON array of its columns in their order, in ASCII without
    spaces, after the name of this form. The payload goes in as its own hash."""
    values: list[object] = [_DOMAIN]
    for name in _HASHED:
        value = getattr(entry, name)
        values.append(digest(value) if isinstance(value, bytes) else value)
    return digest(json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode("ascii"))


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a ledger stops being what was written into it.

    Attributes:
        seq: the first entry that is wrong or missing.
        why: in words.
    """

    seq: int
    why: str

    def __str__(self) -> str:
        return f"entry {self.seq:,}: {self.why}"


def broken(entries: Iterable[Entry]) -> Broken | None:
    """The first entry at which a chain breaks; None: it is whole. Entries come in the order of ``seq``."""
    return next(_breaks(entries), None)


def _breaks(entries: Iterable[Entry]) -> Iterator[Broken]:
    expected, before = 1, START
    operators: dict[int, str] = {}
    payloads: dict[int, str | None] = {}
    for entry in entries:
        if entry.seq != expected:
            yield Broken(expected, f"it is missing; the next there is is {entry.seq:,}")
            return
        why = _wrong(entry, before, operators, payloads)
        if why is not None:
            yield Broken(entry.seq, why)
            return
        if entry.payload_sha256 is not None:
            # A list of revocations is made when its revocation is approved, so it stands in the approval.
            payloads[(entry.refers_to or 0) if entry.action == "approve" else entry.seq] = entry.payload_sha256
        operators[entry.seq] = entry.operator
        expected, before = entry.seq + 1, entry.hash
    if expected == 1:
        yield Broken(1, "there is no entry at all")


def _wrong(entry: Entry, before: str, operators: Mapping[int, str], payloads: Mapping[int, str | None]) -> str | None:
    if hash_of(entry) != entry.hash:
        return "its hash is not that of what it says: it was changed"
    if entry.prev_hash != before:
        return "it does not follow the entry before it: one was changed, dropped or put in between"
    if (entry.seq == 1) != (entry.action == "begin"):
        return "a ledger begins with the entry `begin`, and has it once"
    if entry.payload is not None and digest(entry.payload) != entry.payload_sha256:
        return "its payload is not the one whose hash it names"
    if entry.refers_to is not None and entry.refers_to not in operators:
        return f"it goes on from entry {entry.refers_to:,}, which is not before it"
    if entry.action == "approve" and operators.get(entry.refers_to or 0) == entry.operator:
        return "it was approved by the one who proposed it"
    try:
        parse_timestamp(entry.at, "the time")
        type(entry.facts)
        envelopes = entry.envelopes
    except (SignedDocumentError, VendorError) as error:
        return f"it cannot be read: {error.what}"
    if envelopes and digest(read_envelope(envelopes[0]).payload) != entry.payload_sha256:
        return "its document is not the one whose hash it names"
    if entry.action == "sign" and payloads.get(entry.refers_to or 0) != entry.payload_sha256:
        return f"what was signed is not what entry {entry.refers_to:,} says"
    return None
