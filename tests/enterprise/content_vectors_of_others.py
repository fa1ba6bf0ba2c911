# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Vectors of what the other documents say: pools, leases, revocations, activations, usage reports."""

from __future__ import annotations

from content_vector_parts import (
    GONE,
    PUBLIC,
    SERVER,
    STRANGER,
    WHOLE,
    b64,
    changed,
    dumps,
    envelope,
    of_every_field,
    of_every_kind,
    refused,
    taken,
    vector,
)

LIMIT = 1_000_000_000
LARGEST = 2**53 - 1
LOW = b64((1).to_bytes(32, "little"))


def numbers(kind, field, least, most):
    """An integer from ``least`` to ``most``."""
    place = field.replace("/", "-")
    yield taken(kind, f"{place}-least", f"the least {field}", {field: least})
    yield taken(kind, f"{place}-most", f"the largest {field}", {field: most})
    yield refused(kind, f"{place}-below", f"{field} is {least - 1}", "value", {field: least - 1})
    above = "number" if most == LARGEST else "value"
    yield refused(kind, f"{place}-above", f"{field} is {most + 1}", above, {field: most + 1})
    yield refused(kind, f"{place}-true", f"{field} is true", "type", {field: True})
    yield refused(kind, f"{place}-fraction", f"{field} is written as a fraction", "type", {field: float(least or 1)})


def keys(kind, field):
    """A public key, in base64."""
    yield refused(kind, "key-low-order", "a key under which anybody can sign", "key-order", {field: LOW})
    yield refused(kind, "key-short", "a key of 31 bytes", "key", {field: b64(PUBLIC[0][:31])})
    text = b64(PUBLIC[SERVER])
    yield refused(kind, "key-space", "a space behind the key", "alphabet", {field: text + " "})


def pools():
    yield from of_every_kind("pool")
    required = [name for name in WHOLE["pool"] if name not in ("schema", "expires_at")]
    yield from of_every_field("pool", required, moments=("issued_at", "starts_at"), keys=("server_key",))
    yield from numbers("pool", "serial", 1, LIMIT)
    yield from numbers("pool", "seats", 1, 1_000_000)
    yield from numbers("pool", "lease_seconds", 1, 7 * 86400)
    yield from numbers("pool", "offline_hours", 0, 24 * 366)
    yield from numbers("pool", "borrow_days", 0, 366)
    yield from numbers("pool", "grace_days", 0, 366)
    yield from keys("pool", "server_key")
    yield taken("pool", "no-end", "a pool without an end", {"expires_at": GONE})
    yield taken("pool", "null-end", "null is no end", {"expires_at": None})
    yield taken("pool", "maintenance", "maintenance", {"maintenance_until": "2027-06-01T00:00:00Z"})
    early = {"expires_at": "2026-01-02T00:00:00Z"}
    yield refused("pool", "ends-at-start", "a term of no seconds", "value", early)
    yield refused("pool", "year-9999", "no room for days of grace", "value", {"expires_at": "9999-12-31T23:59:59Z"})
    yield refused("pool", "features-none", "no feature", "value", {"features": {}})
    yield refused("pool", "environment", "no environment", "value", {"environment": "prod"})
    yield refused("pool", "binding", "a pool is bound by its server's key alone", "unknown-field", {"binding": {}})
    payload = dumps(changed("pool", {}))
    shows = "a whole pool that its own server signed"
    yield vector("pool-of-server", shows, "pool", envelope(payload, "pool", [SERVER]), "untrusted")


def leases():
    yield from of_every_kind("lease")
    required = [name for name in WHOLE["lease"] if name != "schema"]
    moments = ("granted_at", "expires_at", "open_until")
    yield from of_every_field("lease", required, moments=moments)
    yield from numbers("lease", "serial", 1, LARGEST)
    yield taken("lease", "borrowed", "it leaves the site", {"borrowed": True})
    yield taken("lease", "never-open", "no new job without the server", {"open_until": "2026-03-01T12:00:00Z"})
    for title, value in (("1", 1), ("text", "false")):
        yield refused("lease", f"borrowed-{title}", f"borrowed is {value!r}", "type", {"borrowed": value})
    same = {"expires_at": "2026-03-01T12:00:00Z"}
    yield refused("lease", "no-time", "it ends when it begins", "value", same)
    yield refused("lease", "node-upper-case", "a node that is no name for programs", "value", {"node": "Node 1"})
    yield refused("lease", "node-path", "a node with a path in it", "value", {"node": "../node"})
    yield refused("lease", "nonce-empty", "no nonce", "value", {"nonce": ""})
    yield refused("lease", "features-none", "no feature", "value", {"features": {}})
    yield refused("lease", "limit-0", "a quantity of 0", "value", {"features/distributed/gpus": 0})
    yield refused("lease", "product", "the product stands in the pool", "unknown-field", {"product": "x"})
    payload = dumps(changed("lease", {}))
    for title, key, kind, reason in (
        ("of-stranger", STRANGER, "lease", "untrusted"),
        ("as-license", SERVER, "license", "wrong-kind"),
    ):
        yield vector(f"lease-{title}", f"a whole lease {title}", "lease", envelope(payload, kind, [key]), reason)


def revocations():
    kind = "revocations"
    yield from of_every_kind(kind)
    required = [name for name in WHOLE[kind] if name != "schema"]
    yield from of_every_field(kind, required, moments=("issued_at",))
    yield from numbers(kind, "number", 1, LIMIT)
    yield from numbers(kind, "revoked/0/up_to", 1, LIMIT)
    yield taken(kind, "none", "nothing is revoked", {"revoked": []})
    yield taken(kind, "up-to-null", "null is every serial", {"revoked/0/up_to": None})
    twice = [WHOLE[kind]["revoked"][0]] * 2
    yield taken(kind, "twice", "the same twice means the same", {"revoked": twice})
    for title, change, reason in (
        ("kind", {"revoked/0/kind": "root"}, "value"),
        ("kind-capital", {"revoked/0/kind": "License"}, "value"),
        ("kind-list", {"revoked/0/kind": ["license"]}, "type"),
        ("no-kind", {"revoked/0/kind": GONE}, "missing-field"),
        ("no-id", {"revoked/0/id": GONE}, "missing-field"),
        ("star", {"revoked/0/id": "*"}, "value"),
        ("no-time", {"revoked/0/at": GONE}, "missing-field"),
        ("time", {"revoked/0/at": "2026-02-01"}, "timestamp"),
        ("no-reason", {"revoked/0/reason": GONE}, "missing-field"),
        ("reason-escape-sequence", {"revoked/0/reason": "\x1b[2J"}, "characters"),
        ("reason-empty", {"revoked/0/reason": ""}, "value"),
        ("more", {"revoked/0/sha256": "00"}, "unknown-field"),
        ("text", {"revoked/0": "lic-9"}, "type"),
    ):
        yield refused(kind, f"entry-{title}", f"an entry that makes no sense: {title}", reason, change)


def activations():
    kind = "activation-request"
    yield from of_every_kind(kind)
    required = [name for name in WHOLE[kind] if name not in ("schema", "label")]
    yield from of_every_field(kind, required, moments=("made_at",), keys=("key",))
    yield from keys(kind, "key")
    yield taken(kind, "deactivate", "it gives the license up", {"asks": "deactivate"})
    yield taken(kind, "no-label", "nobody gave it a name", {"label": GONE})
    yield taken(kind, "label-null", "null is no name", {"label": None})
    yield refused(kind, "asks-upgrade", "it asks for something else", "value", {"asks": "upgrade"})
    yield refused(kind, "label-escape-sequence", "a name with control characters", "characters", {"label": "\x1b[1m"})
    yield refused(kind, "install-id", "an installation that is no name", "value", {"install_id": "A/B"})
    payload = dumps(changed(kind, {}))
    shows = "another key signed than the one that it names"
    yield vector(f"{kind}-other-key", shows, kind, envelope(payload, kind, [STRANGER]), "untrusted")

    kind = "activation-response"
    yield from of_every_kind(kind)
    required = [name for name in WHOLE[kind] if name != "schema"]
    yield from of_every_field(kind, required, moments=("made_at",))
    yield from numbers(kind, "serial", 1, LIMIT)
    digest = WHOLE[kind]["license_sha256"]
    for title, value in (
        ("short", digest[:-1]),
        ("long", digest + "0"),
        ("upper-case", digest.upper()),
        ("line-end", digest + "\n"),
        ("empty", ""),
    ):
        yield refused(kind, f"hash-{title}", f"a hash that is none: {title}", "value", {"license_sha256": value})


def reports():
    kind = "usage-report"
    yield from of_every_kind(kind)
    required = [name for name in WHOLE[kind] if name != "schema"]
    yield from of_every_field(kind, required, moments=("since", "until", "made_at"), keys=("key",))
    yield from keys(kind, "key")
    yield from numbers(kind, "used/0/jobs", 0, LARGEST)
    yield from numbers(kind, "used/0/most/gpus", 0, LIMIT)
    yield from numbers(kind, "journal/entries", 0, LARGEST)
    yield taken(kind, "nothing", "nothing was used", {"used": []})
    yield taken(kind, "no-quantities", "a feature without quantities", {"used/0/most": {}})
    counts = ["requests", "refused", "prompt_tokens", "cached_tokens", "completion_tokens", "runs", "steps", "seconds"]
    one = {"tenant": "Ärzte am Markt", **{name: LARGEST - number for number, name in enumerate(counts)}}
    yield taken(kind, "metered", "what a tenant used, counted too", {"metered": [one]})
    for title, item, reason in (
        ("metered-text", "acme", "type"),
        ("metered-more", {**one, "caller": "alice"}, "unknown-field"),
        ("metered-less", {name: one[name] for name in counts[1:]}, "missing-field"),
        ("metered-no-name", {**one, "tenant": ""}, "value"),
        ("metered-negative", {**one, "runs": -1}, "value"),
        ("metered-beyond", {**one, "requests": LARGEST + 1}, "number"),
        ("metered-half", {**one, "seconds": 1.5}, "type"),
    ):
        yield refused(kind, title, f"a count that makes no sense: {title}", reason, {"metered": [item]})
    seventeen = {f"q{n}": 1 for n in range(17)}
    for title, change, reason in (
        ("until-before", {"until": "2026-02-01T00:00:00Z"}, "value"),
        ("until-since", {"until": "2026-03-01T00:00:00Z"}, "value"),
        ("use-text", {"used/0": "distributed"}, "type"),
        ("use-more", {"used/0/user": "alice"}, "unknown-field"),
        ("use-no-jobs", {"used/0/jobs": GONE}, "missing-field"),
        ("feature", {"used/0/feature": "A B"}, "value"),
        ("quantities-list", {"used/0/most": [["gpus", 8]]}, "type"),
        ("quantities-17", {"used/0/most": seventeen}, "value"),
        ("journal-no-head", {"journal/head": GONE}, "missing-field"),
        ("journal-head-long", {"journal/head": "a" * 65}, "value"),
        ("journal-more", {"journal/path": "/home/alice"}, "unknown-field"),
    ):
        yield refused(kind, title, f"a report that makes no sense: {title}", reason, change)
    payload = dumps(changed(kind, {}))
    shows = "another key signed than the one that it names"
    yield vector(f"{kind}-other-key", shows, kind, envelope(payload, kind, [STRANGER]), "untrusted")
