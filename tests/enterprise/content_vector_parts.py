# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the vectors of contents are put together from: whole documents of each kind. Nothing here uses ``tunesmith``."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core" / "licensing"))

from vector_parts import PUBLIC, b64, dumps, envelope, written

ISSUER, REVOKER, SERVER, INSTALLATION, SUB_ISSUER, STRANGER = 3, 4, 5, 6, 7, 8
"""Numbers of the keys of ``vector_parts``, by what they sign."""

GONE = object()
"""In the place of a value: the field is left out."""

WHOLE = {
    "license": {
        "schema": 1,
        "product": "tunesmith-enterprise",
        "license_id": "lic-1",
        "serial": 1,
        "licensee": {"name": "Example Ltd", "id": "example"},
        "edition": "Enterprise",
        "environment": "production",
        "features": {"distributed": {"nodes": 2, "gpus": 16}, "governance": {}},
        "issued_at": "2026-01-01T00:00:00Z",
        "starts_at": "2026-01-02T00:00:00Z",
        "expires_at": "2027-01-02T00:00:00Z",
        "grace_days": 14,
        "binding": {"kind": "none"},
    },
    "pool": {
        "schema": 1,
        "product": "tunesmith-enterprise",
        "pool_id": "pool-1",
        "serial": 1,
        "licensee": {"name": "Example Ltd", "id": "example"},
        "edition": "Enterprise",
        "environment": "production",
        "features": {"distributed": {"gpus": 16}},
        "server_key": b64(PUBLIC[SERVER]),
        "seats": 3,
        "lease_seconds": 60,
        "offline_hours": 24,
        "borrow_days": 30,
        "issued_at": "2026-01-01T00:00:00Z",
        "starts_at": "2026-01-02T00:00:00Z",
        "expires_at": "2027-01-02T00:00:00Z",
        "grace_days": 14,
    },
    "lease": {
        "schema": 1,
        "pool_id": "pool-1",
        "lease_id": "lease-1",
        "serial": 7,
        "node": "node-1",
        "nonce": "0f1e2d3c",
        "features": {"distributed": {"gpus": 4}},
        "granted_at": "2026-03-01T12:00:00Z",
        "expires_at": "2026-03-01T12:01:00Z",
        "open_until": "2026-03-02T12:00:00Z",
        "borrowed": False,
    },
    "revocations": {
        "schema": 1,
        "product": "tunesmith-enterprise",
        "number": 2,
        "issued_at": "2026-02-01T00:00:00Z",
        "revoked": [
            {"kind": "license", "id": "lic-9", "up_to": 3, "at": "2026-02-01T00:00:00Z", "reason": "not paid"},
            {"kind": "pool", "id": "pool-9", "at": "2026-02-01T00:00:00Z", "reason": "key lost"},
        ],
    },
    "activation-request": {
        "schema": 1,
        "asks": "activate",
        "product": "tunesmith-enterprise",
        "license_id": "lic-1",
        "install_id": "inst-1",
        "key": b64(PUBLIC[INSTALLATION]),
        "nonce": "0f1e2d3c",
        "made_at": "2026-03-01T12:00:00Z",
        "label": "the cluster in the cellar",
    },
    "activation-response": {
        "schema": 1,
        "product": "tunesmith-enterprise",
        "install_id": "inst-1",
        "nonce": "0f1e2d3c",
        "license_id": "lic-1",
        "serial": 2,
        "license_sha256": "0123456789abcdef" * 4,
        "made_at": "2026-03-02T12:00:00Z",
    },
    "usage-report": {
        "schema": 1,
        "product": "tunesmith-enterprise",
        "install_id": "inst-1",
        "key": b64(PUBLIC[INSTALLATION]),
        "since": "2026-03-01T00:00:00Z",
        "until": "2026-04-01T00:00:00Z",
        "made_at": "2026-04-01T08:00:00Z",
        "used": [{"feature": "distributed", "license_id": "lic-1", "jobs": 3, "most": {"gpus": 8}}],
        "journal": {"entries": 12, "head": "ab" * 32},
    },
}
"""A document of each kind, of which the vectors change one thing at a time."""

SIGNER = {
    "license": ISSUER,
    "pool": ISSUER,
    "lease": SERVER,
    "revocations": REVOKER,
    "activation-request": INSTALLATION,
    "activation-response": ISSUER,
    "usage-report": INSTALLATION,
}

# What a reader has where the document says nothing.
ABSENT = {
    "license": {
        "order": None,
        "expires_at": None,
        "maintenance_until": None,
        "replaces": [],
        "oem": None,
        "under": None,
        "critical": [],
    },
    "pool": {"expires_at": None, "maintenance_until": None},
    "activation-request": {"label": None},
    "usage-report": {"metered": []},
}


def changed(kind, changes):
    """The whole document of a kind, with values put at places such as ``binding.kind`` or ``revoked.0.at``."""
    value = copy.deepcopy(WHOLE[kind])
    for place, new in changes.items():
        *path, last = [int(part) if part.isdigit() else part for part in place.split("/")]
        holder = value
        for part in path:
            holder = holder[part]
        if new is GONE:
            holder.pop(last, None)
        else:
            holder[last] = new
    return value


def says(kind, value):
    """What a reader knows afterwards: every field, also those that the document leaves out; unknown ones apart."""
    found = ABSENT.get(kind, {}) | copy.deepcopy(value)
    if kind == "license":
        known = {*WHOLE[kind], *ABSENT[kind]}
        extra = {name: item for name, item in found.items() if name not in known}
        found = {name: item for name, item in found.items() if name in known} | {"extra": extra}
        found["binding"] = {"kind": found["binding"]["kind"], "values": found["binding"].get("values", [])}
    if kind == "revocations":
        found["revoked"] = [{"up_to": None} | entry for entry in found["revoked"]]
    return found


def vector(name, shows, kind, document, outcome):
    """One vector of ``ask`` says. ``outcome``: what the document says, or the reason (text)."""
    expected = {"reason": outcome} if isinstance(outcome, str) else {"says": outcome}
    return {
        "id": name,
        "shows": shows,
        "ask": "says",
        "kind": kind,
        "key": PUBLIC[SIGNER[kind]].hex(),
        "document": written(document),
        "expected": expected,
    }


def taken(kind, name, shows, changes=None, payload=None):
    """A vector of a document that is taken; ``payload``: the bytes, where they are not simply the value's."""
    value = changed(kind, changes or {})
    document = envelope(payload if payload is not None else dumps(value), kind, [SIGNER[kind]])
    return vector(f"{kind}-{name}", shows, kind, document, says(kind, value))


def refused(kind, name, shows, reason, changes=None, payload=None):
    """A vector of a document that is refused, and signed by whom it should be."""
    payload = payload if payload is not None else dumps(changed(kind, changes or {}))
    return vector(f"{kind}-{name}", shows, kind, envelope(payload, kind, [SIGNER[kind]]), reason)


def of_every_field(kind, required, *, moments=(), keys=()):
    """Each field left out, null, and of another type."""
    for field in required:
        yield refused(kind, f"no-{field}", f"there is no {field}", "missing-field", {field: GONE})
        null = "timestamp" if field in moments else "type"
        yield refused(kind, f"null-{field}", f"{field} is null", null, {field: None})
        wrong = 20260101 if field in (*moments, *keys) else [[]] if field != "revoked" and field != "used" else {}
        yield refused(kind, f"type-{field}", f"{field} has another type", null, {field: wrong})


def of_every_kind(kind):
    """What holds for all kinds alike: the schema, the JSON, fields that nobody reads."""
    value = changed(kind, {})
    text = dumps(value).decode()
    yield taken(kind, "whole", "a document with everything in its place")
    spaced = (" " + text.replace(",", " ,\n").replace('":', '" :\t') + "\r\n").encode()
    if b'", ' not in spaced:  # no comma or colon within a text of these documents
        yield taken(kind, "white-space", "white space in the JSON means nothing", payload=spaced)
    name = next(iter([field for field in value if field != "schema"]))
    escaped = text.replace(f'"{name}"', f'"\\u{ord(name[0]):04x}{name[1:]}"', 1).encode()
    yield taken(kind, "escaped-name", "a name written with an escape is the same name", payload=escaped)
    backwards = dumps(dict(reversed(value.items())))
    yield taken(kind, "other-order", "the order of fields means nothing", payload=backwards)
    for title, schema, reason in (
        ("2", 2, "newer-format"),
        ("0", 0, "value"),
        ("negative", -1, "value"),
        ("true", True, "type"),
        ("text", "1", "type"),
        ("fraction", 1.0, "type"),
        ("null", None, "type"),
    ):
        yield refused(kind, f"schema-{title}", f"the schema is {schema!r}", reason, {"schema": schema})
    newer = dumps({"schema": 2, "all": "new"})
    yield refused(kind, "schema-2-other-fields", "the newer schema is named first", "newer-format", payload=newer)
    twice = text.replace(f'"{name}":', f'"{name}":"other","{name}":', 1).encode()
    yield refused(kind, "name-twice", f"{name} comes twice", "duplicate-name", payload=twice)
    strange = text.replace('{"schema":1', '{"schema":1,"x":NaN', 1).encode()
    yield refused(kind, "nan", "NaN", "number", payload=strange)
    yield refused(kind, "array", "the payload is an array", "type", payload=b"[" + dumps(value) + b"]")
    if kind != "license":
        for field in ("alg", "critical", "comment"):
            shows = f"a field {field}, which nobody reads"
            yield refused(kind, f"field-{field}", shows, "unknown-field", {field: ["x"]})
