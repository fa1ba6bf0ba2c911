# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Signed documents on a screen: every field that is there, in a form that a terminal does not obey.

Shown is what stands in a document, of whatever vendor; what it is worth is for the product to say that it is for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import (
    Document,
    PublicKey,
    Trust,
    dearmor_all,
    parse_json,
    parse_timestamp,
    read_envelope,
)
from tunesmith.licensing.armor import TEXT
from tunesmith.licensing.fields import printable
from tunesmith.licensing.files import read_text_file
from tunesmith.licensing.timestamps import timestamp_in_words

if TYPE_CHECKING:
    from tunesmith_cli.screen import Screen

__all__ = ["inspected", "read", "show"]

_KEYS = frozenset({"key", "keys", "server_key"})
_NOT_CHECKED = "not checked: there is no vendor's root in the core; the product that this is for has one, and checks"


def read(file: str) -> list[Document]:
    """The documents of a file, or of stdin for ``-``.

    Raises:
        SignedDocumentError: there is no document in it, or one is damaged.
    """
    return dearmor_all(sys.stdin.buffer.read(TEXT + 1) if file == "-" else read_text_file(file))


def inspected(document: Document) -> dict[str, Any]:
    """What ``license inspect --json`` prints of a document.

    Raises:
        SignedDocumentError: its payload is no JSON object, or a key that it names itself did not sign it.
    """
    envelope = read_envelope(document.envelope)
    fields = parse_json(envelope.payload)
    checked, said = _signatures(document, fields)
    return {
        "kind": document.kind,
        "fields": fields,
        "signed_by": list(envelope.signatures),
        "checked": checked,
        "signatures": said,
        "sha256": sha256(document.envelope).hexdigest(),
    }


def _signatures(document: Document, fields: Any) -> tuple[bool, str]:
    """Whether the signatures were checked, and by what. Some documents name the keys that have to sign them."""
    from tunesmith.licensing.contents import read_activation_request, read_usage_report

    if document.kind == "root":
        try:
            trust = Trust.start(document.envelope)
        except SignedDocumentError as error:
            return True, error.what
        return True, f"enough of its own keys signed it ({trust.root.roles['root'].threshold} have to)"
    if document.kind in ("activation-request", "usage-report"):
        reads = read_activation_request if document.kind == "activation-request" else read_usage_report
        reads(document.envelope)
        return True, "the key that it names signed it"
    return False, _NOT_CHECKED


def show(screen: Screen, found: Mapping[str, Any], now: datetime) -> None:
    """One document in two columns."""
    lines: dict[str, object] = {"kind": found["kind"].replace("-", " ")}
    fields = found["fields"]
    for name, value in fields.items():
        roles = (found["kind"], name) == ("root", "roles")
        lines[printable(name)] = _root_roles(value) if roles else _field(name, value, now)
    lines["signed by"] = "\n".join(f"key {keyid}" for keyid in found["signed_by"])
    lines["signatures"] = found["signatures"]
    screen.fields(lines)


def _said(value: Any, now: datetime) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, str):
        return _text(value, now)
    if isinstance(value, Mapping):
        if all(not isinstance(item, (Mapping, list)) for item in value.values()):
            return ", ".join(_pair(name, item, now) for name, item in value.items()) or "no limits"
        return "\n".join(_pair(name, item, now, colon=True) for name, item in value.items())
    if isinstance(value, list):
        parts = [_said(item, now) for item in value]
        return ("\n" if any(isinstance(item, Mapping) for item in value) else ", ").join(parts) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _pair(name: str, value: Any, now: datetime, *, colon: bool = False) -> str:
    return f"{printable(name)}{':' if colon else ''} {_field(name, value, now)}".replace("\n", "; ")


def _field(name: str, value: Any, now: datetime) -> str:
    keys = value if isinstance(value, list) else [value]
    return ", ".join(f"key {_key(key)}" for key in keys) if name in _KEYS else _said(value, now)


def _text(value: str, now: datetime) -> str:
    try:
        return timestamp_in_words(parse_timestamp(value, "it"), now)
    except SignedDocumentError:
        return printable(value)


def _root_roles(roles: Any) -> str:
    if not isinstance(roles, Mapping):
        return "unreadable"
    lines = []
    for name, role in roles.items():
        found = role if isinstance(role, Mapping) else {}
        keys = found.get("keys")
        listed = keys if isinstance(keys, list) else []
        lines.append(f"{printable(str(name))}: {found.get('threshold')} of {len(listed)} have to sign")
        lines += [f"  key {_key(text)}" for text in listed]
    return "\n".join(lines)


def _key(text: Any) -> str:
    """A key as signatures name it: its id, by which two documents can be compared."""
    try:
        return PublicKey.from_text(text, "a key").keyid
    except (SignedDocumentError, TypeError, AttributeError):
        return "unreadable"
