# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the ledger knows of one license or pool, and of revocations: read from its entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tunesmith.licensing import read_envelope
from tunesmith.licensing.contents import (
    License,
    Pool,
    Revocation,
    Revocations,
    parse_license,
    parse_pool,
    parse_revocations,
)
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.acts import ACTS, counts
from tunesmith_vendor.ledger.chain import Entry
from tunesmith_vendor.ledger.store import Reading
from tunesmith_vendor.ledger.tables import entries

__all__ = ["Installation", "Record", "find_record", "latest_revocations", "payload_of", "record", "revocation_of"]


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation that was activated and not deactivated since.

    Attributes:
        install_id: its own.
        key: its public key, base64.
        label: what its people call it.
        at: when it was first activated.
    """

    install_id: str
    key: str
    label: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Record:
    """A license or a pool.

    Attributes:
        latest: the entry of the highest serial that was decided.
        content: what that says.
        highest: the highest serial that was ever used, also for what was rejected.
        activations: how many installations it allows; None: it is not activated but simply used.
        installed: those that there are, by their ids.
    """

    latest: Entry
    content: License | Pool
    highest: int
    activations: int | None
    installed: Mapping[str, Installation]

    @property
    def id(self) -> str:
        return self.content.id

    @property
    def kind(self) -> Literal["license", "pool"]:
        return self.content.kind

    @property
    def license(self) -> License:
        """The content, of a license.

        Raises:
            VendorError: it is a pool.
        """
        if not isinstance(self.content, License):
            raise VendorError("this is a pool, and a license is needed", given=self.id, expected="the id of a license")
        return self.content

    @property
    def ends(self) -> datetime | None:
        return self.content.expires_at


def record(reading: Reading, subject: str) -> Record:
    """What the ledger knows of a license or pool.

    Raises:
        VendorError: nothing.
    """
    found = find_record(reading, subject)
    if found is None:
        raise VendorError(
            "the ledger knows no license or pool of this id",
            given=subject,
            fix=(
                "`tunesmith-vendor ledger search` finds it by its customer or order;",
                "one that was issued elsewhere comes in with `tunesmith-vendor ledger add FILE`",
            ),
        )
    return found


def find_record(reading: Reading, subject: str) -> Record | None:
    """The same; None: it knows nothing that was decided."""
    latest: Entry | None = None
    highest = 0
    activations: int | None = None
    installed: dict[str, Installation] = {}
    for entry in reading.history(subject):
        highest = max(highest, entry.serial or 0)
        if entry.action == "deactivate":
            installed.pop(entry.install_id or "", None)
        if entry.action not in (*ACTS, "add") or entry.serial is None:
            continue
        if entry.action != "add" and not counts(reading, entry):
            continue
        if latest is None or entry.serial > (latest.serial or 0):
            latest = entry
        if "activations" in entry.facts:
            activations = entry.facts["activations"]
        if entry.action == "activate" and entry.install_id is not None:
            before = installed.get(entry.install_id)
            facts = entry.facts
            installed[entry.install_id] = Installation(
                entry.install_id, facts["key"], facts["label"], before.at if before else entry.at
            )
    if latest is None:
        return None
    payload = payload_of(latest)
    content = parse_pool(payload) if latest.facts["kind"] == "pool" else parse_license(payload)
    return Record(latest, content, highest, activations, installed)


def payload_of(entry: Entry) -> bytes:
    """What an act has to sign, or what the document of an added entry says."""
    return entry.payload if entry.payload is not None else read_envelope(entry.envelopes[0]).payload


def latest_revocations(reading: Reading) -> Revocations | None:
    """The newest list that was decided on; None: there is none yet."""
    made = entries.c.action.in_(("revoke", "approve", "add"))
    for entry in reading.select(made, entries.c.payload_sha256.is_not(None), newest_first=True):
        if entry.facts.get("kind") == "revocations":
            return parse_revocations(payload_of(entry))
    return None


def revocation_of(reading: Reading, known: Record) -> Revocation | None:
    """The entry of the newest list that the latest serial meets."""
    newest = latest_revocations(reading)
    return newest.find(known.kind, known.id, known.content.serial) if newest else None
