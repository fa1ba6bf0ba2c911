# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Signed documents: licenses, revocations, leases and the roots that say who may sign them.

For anybody who sells something that plugs into Tunesmith, with keys of their own; the core asks for no document. What a
license means is not decided here: this room says whether a document is whole and who signed it.

>>> import tunesmith.licensing as licensing
>>> trust = licensing.Trust.start(root_that_came_with_the_product)  # doctest: +SKIP
>>> envelope = licensing.read_document("customer.lic", "license")  # doctest: +SKIP
>>> license = licensing.parse_json(trust.verify(envelope, "license"))  # doctest: +SKIP

The format stands in docs/reference/signed-documents.md. Importing this package does not load ``cryptography``.
"""

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.armor import Document, armor, armor_line, dearmor, dearmor_all
from tunesmith.licensing.envelope import KINDS, Envelope, Kind, pae, read_envelope, seal, sign, signed_bytes, verify
from tunesmith.licensing.fields import integer, items, members, text
from tunesmith.licensing.files import read_document
from tunesmith.licensing.keys import PublicKey
from tunesmith.licensing.reasons import REASONS, Reason, refusal
from tunesmith.licensing.strict_json import parse_json
from tunesmith.licensing.timestamps import format_timestamp, parse_timestamp
from tunesmith.licensing.trust import ROLE_OF, ROLES, Role, Root, Trust, parse_root

__all__ = [
    "KINDS",
    "REASONS",
    "ROLES",
    "ROLE_OF",
    "Document",
    "Envelope",
    "Kind",
    "PublicKey",
    "Reason",
    "Role",
    "Root",
    "SignedDocumentError",
    "Trust",
    "armor",
    "armor_line",
    "dearmor",
    "dearmor_all",
    "format_timestamp",
    "integer",
    "items",
    "members",
    "pae",
    "parse_json",
    "parse_root",
    "parse_timestamp",
    "read_document",
    "read_envelope",
    "refusal",
    "seal",
    "sign",
    "signed_bytes",
    "text",
    "verify",
]
