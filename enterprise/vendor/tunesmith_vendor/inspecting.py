# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Looking at documents: what each says, who signed it, and whether the desk's roots believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Document, Trust, parse_json, read_envelope, verify
from tunesmith.licensing.contents import (
    parse_activation_response,
    parse_lease,
    parse_license,
    parse_pool,
    parse_revocations,
    read_activation_request,
    read_usage_report,
)
from tunesmith.licensing.contents.sub_issuing import no_granting_license, read_license_under
from tunesmith_vendor.desk import ALWAYS

__all__ = ["Looked", "look"]

_PARSERS: Final[Mapping[str, Any]] = {
    "license": parse_license,
    "pool": parse_pool,
    "revocations": parse_revocations,
    "activation-response": parse_activation_response,
}


@dataclass(frozen=True, slots=True)
class Looked:
    """One document of a file.

    Attributes:
        kind: of it.
        says: its fields as they stand in the payload; empty: it is no JSON object.
        signed_by: ids of the keys that its signatures hint at.
        verdict: what follows from the roots of the desk, as a sentence.
        good: True: its signatures are believed; False: refused; None: not for a root to say, or there is none.
    """

    kind: str
    says: Mapping[str, Any]
    signed_by: tuple[str, ...]
    verdict: str
    good: bool | None


def look(documents: list[Document], trust: Trust | None) -> list[Looked]:
    """All documents of a file, in its order. Roots in it are followed from those of the desk.

    Args:
        trust: the desk's newest root; None: it has none.
    """
    pools: list[bytes] = [document.envelope for document in documents if document.kind == "pool"]
    licenses: list[bytes] = [document.envelope for document in documents if document.kind == "license"]
    found = []
    for document in documents:
        envelope = read_envelope(document.envelope)
        verdict, good, trust = _judged(document, trust, pools, licenses)
        found.append(Looked(document.kind, _fields(envelope.payload), tuple(envelope.signatures), verdict, good))
    return found


def _fields(payload: bytes) -> Mapping[str, Any]:
    try:
        value = parse_json(payload)
    except SignedDocumentError:  # the verdict says it; anybody can put such bytes into an envelope
        return {}
    return value if type(value) is dict else {}


def _judged(
    document: Document, trust: Trust | None, pools: list[bytes], licenses: list[bytes]
) -> tuple[str, bool | None, Trust | None]:
    kind, envelope = document.kind, document.envelope
    try:
        if kind == "root":
            return _root(envelope, trust)
        if kind == "activation-request":
            read_activation_request(envelope)
            return "signed by the installation that asks, with the key that stands in it", True, trust
        if kind == "usage-report":
            read_usage_report(envelope)
            return "signed by the installation that reports, with the key that stands in it", True, trust
        if trust is None:
            return "not verified: this desk has no root", None, trust
        if kind == "lease":
            return (*_lease(envelope, pools, trust), trust)
        if kind == "license" and _fields(read_envelope(envelope).payload).get("under") is not None:
            return f"signed by the sub-issuer of the license {_under(envelope, licenses, trust)}", True, trust
        _PARSERS[kind](trust.verify(envelope, kind))
        return f"signed as version {trust.root.version} of the root demands", True, trust
    except SignedDocumentError as error:
        return f"refused: {error.what}", False, trust


def _root(envelope: bytes, trust: Trust | None) -> tuple[str, bool | None, Trust | None]:
    root = Trust.start(envelope).root
    if trust is None:
        return "signed by enough of its own keys; this desk has no root to compare it with", None, None
    if root.version <= trust.root.version:
        same = root.version == trust.root.version
        known = read_envelope(envelope).payload == read_envelope(trust.envelope).payload
        if same and not known:
            return "refused: another root of this version than the desk's", False, trust
        return "the desk's newest root" if same else "older than the desk's newest root", True if same else None, trust
    newer = trust.follow([envelope], now=ALWAYS)
    return f"follows version {trust.root.version}", True, newer


def _lease(envelope: bytes, pools: list[bytes], trust: Trust) -> tuple[str, bool | None]:
    named = parse_lease(read_envelope(envelope).payload).pool_id
    for pool in (parse_pool(trust.verify(item, "pool")) for item in pools):
        if pool.pool_id == named:
            verify(envelope, "lease", [pool.server_key])
            return f"signed by the server of the pool {pool.pool_id}", True
    return "not verified: give the file that holds its pool too", None


def _under(envelope: bytes, licenses: list[bytes], trust: Trust) -> str:
    """The id of the license in the same file under which a sub-issuer issued this one, within what it may."""
    named = parse_license(read_envelope(envelope).payload).under
    for item in licenses:
        if item != envelope and parse_license(read_envelope(item).payload).license_id == named:
            granting = parse_license(trust.verify(item, "license"))
            read_license_under(envelope, granting)
            return granting.license_id
    raise no_granting_license(named or "none", "no such license in this file")
