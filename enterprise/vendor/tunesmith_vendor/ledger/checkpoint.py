# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Checkpoints: how long the ledger is and what its last hash is, signed, to be kept where nobody can change it.

The chain shows that one entry was changed, and not that all of them were written anew, or that the last hundred are
gone because a backup was put back. A checkpoint in another building shows both. It is an envelope of DSSE with a type
of its own, written as JSON for people to read; no kind of the public format, as no customer ever sees one.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey, format_timestamp, integer, items, members, pae, parse_json, parse_timestamp
from tunesmith.licensing import text as checked_text
from tunesmith_vendor.desk import Signing
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import Entry
from tunesmith_vendor.ledger.store import Reading

__all__ = ["Checkpoint", "compare", "make", "read"]

_TYPE: Final = "application/vnd.tunesmith-vendor.checkpoint.v1+json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a ledger was at a moment.

    Attributes:
        ledger: its id, which its first entry names.
        entries: how many it had.
        head: the hash of the last of them.
        at: when; aware, UTC.
    """

    ledger: str
    entries: int
    head: str
    at: datetime


def make(head: Entry, ledger: str, now: datetime, signers: Mapping[PublicKey, Signing]) -> str:
    """The text of a checkpoint of everything up to ``head``."""
    payload = json.dumps(
        {"schema": 1, "ledger": ledger, "entries": head.seq, "head": head.hash, "at": format_timestamp(now)}
    ).encode("ascii")
    message = pae(_TYPE, payload)
    signatures = [
        {"keyid": public.keyid, "sig": b64encode(sign(message)).decode("ascii")} for public, sign in signers.items()
    ]
    document = {
        "payload": b64encode(payload).decode("ascii"),
        "payloadType": _TYPE,
        "signatures": sorted(signatures, key=lambda one: one["keyid"]),
    }
    return json.dumps(document, indent=2) + "\n"


def read(text: bytes, keys: Collection[PublicKey]) -> Checkpoint:
    """The checkpoint of a text, which one of ``keys`` signed.

    Raises:
        VendorError: it is none, was changed, or nobody of these signed it.
    """
    try:
        document = members(parse_json(text), "the checkpoint", required=("payload", "payloadType", "signatures"))
        if document["payloadType"] != _TYPE:
            raise VendorError("this is no checkpoint of a ledger", expected=_TYPE)
        payload = b64decode(document["payload"], validate=True)
        message = pae(_TYPE, payload)
        by_id = {key.keyid: key for key in keys}
        signed = False
        for item in items(document["signatures"], "the signatures of the checkpoint", least=1, most=16):
            found = members(item, "a signature", required=("keyid", "sig"))
            key = by_id.get(found["keyid"])
            if key is None:
                continue
            if not key.fits(b64decode(found["sig"], validate=True), message):
                raise VendorError(
                    "this checkpoint was changed after it was signed", fix="take the one that was filed away"
                )
            signed = True
        value = members(parse_json(payload), "the checkpoint", required=("schema", "ledger", "entries", "head", "at"))
        made = Checkpoint(
            checked_text(value["ledger"], "the ledger's id"),
            integer(value["entries"], "the number of entries", least=1, most=2**53 - 1),
            checked_text(value["head"], "the last hash"),
            parse_timestamp(value["at"], "the time of the checkpoint"),
        )
    except (SignedDocumentError, Error, TypeError, ValueError) as error:
        why = error.what if isinstance(error, SignedDocumentError) else "no base64 where it has to be"
        raise VendorError("this is no checkpoint of a ledger", given=why) from None
    if not signed:
        raise VendorError(
            "nobody who is known here signed this checkpoint",
            expected="a key that stands, or once stood, under `issuer` in a root of this desk",
        )
    return made


def compare(reading: Reading, made: Checkpoint) -> str | None:
    """What a checkpoint says against the ledger; None: the ledger goes on from it."""
    own = reading.entry(1).facts["ledger"]
    if own != made.ledger:
        return f"the checkpoint is of another ledger: {made.ledger[:12]}…, and this is {own[:12]}…"
    head = reading.head().seq
    moment = format_timestamp(made.at)
    if head < made.entries:
        return (
            f"{made.entries - head:,} entries are missing at the end: there were {made.entries:,} on {moment}, and "
            f"there are {head:,}; a backup from before was put back, or they were cut off"
        )
    if reading.entry(made.entries).hash != made.head:
        return f"it was written anew: entry {made.entries:,} is not what it was on {moment}"
    return None
