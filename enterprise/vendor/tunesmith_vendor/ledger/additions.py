# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Documents that were signed and are not in the ledger: issued before there was one, or lost with a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Document, Trust, armor, format_timestamp
from tunesmith.licensing.contents import License, Pool, parse_license, parse_pool, parse_revocations
from tunesmith_vendor.desk import ALWAYS, Desk
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import Entry, digest
from tunesmith_vendor.ledger.records import latest_revocations
from tunesmith_vendor.ledger.store import Writing
from tunesmith_vendor.ledger.tables import entries

__all__ = ["add_document", "trusts"]


def trusts(desk: Desk) -> list[Trust]:
    """Every root that the desk ever had, the newest first: what was signed under an older one was rightly signed.

    Raises:
        VendorError: it has none yet.
    """
    desk.trust()  # says so if there is none
    found: list[Trust] = []
    for envelope in desk.chain():
        found.append(found[-1].follow([envelope], now=ALWAYS) if found else Trust.start(envelope))
    return found[::-1]


def add_document(pen: Writing, document: Document, roots: Sequence[Trust], reason: str) -> Entry | None:
    """Enter a document; None: the ledger has it.

    Args:
        roots: of the desk, the newest first; keys of one of them have to have signed it.

    Raises:
        VendorError: it is for another product, or of a kind that no ledger keeps; a list of revocations that is older
            than the newest here.
        SignedDocumentError: it was not signed by a key of this desk.
    """
    if document.kind not in ("license", "pool", "revocations"):
        raise VendorError(
            "the ledger keeps no documents of this kind", given=document.kind, expected="license, pool or revocations"
        )
    payload = _verified(document, roots)
    if pen.last(entries.c.payload_sha256 == digest(payload)) is not None:
        return None
    values: dict[str, Any] = {}
    details: dict[str, Any] = {"kind": document.kind}
    content: License | Pool
    if document.kind == "revocations":
        listed = parse_revocations(payload)
        product, newest = listed.product, latest_revocations(pen)
        if newest is not None and newest.number >= listed.number:
            raise VendorError(
                "this list of revocations is not newer than the one in the ledger",
                given=f"number {listed.number}",
                expected=f"more than {newest.number}",
            )
    else:
        content = parse_license(payload) if document.kind == "license" else parse_pool(payload)
        product = content.product
        if isinstance(content, License) and content.replaces:
            details["replaces"] = list(content.replaces)
        values = {
            "subject": content.id,
            "serial": content.serial,
            "customer": content.licensee.id,
            "customer_name": content.licensee.name,
            "order_number": content.order if isinstance(content, License) else None,
            "expires_at": None if content.expires_at is None else format_timestamp(content.expires_at),
        }
    if product != pen.product():
        raise VendorError("this document is for another product", given=product, expected=pen.product())
    return pen.add(
        "add",
        reason=reason,
        payload_sha256=digest(payload),
        documents=armor(document.envelope),
        details=details,
        **values,
    )


def _verified(document: Document, roots: Sequence[Trust]) -> bytes:
    first: SignedDocumentError | None = None
    for trust in roots:
        try:
            return trust.verify(document.envelope, document.kind)
        except SignedDocumentError as error:
            first = first or error
    assert first is not None  # there is at least one root
    raise first
