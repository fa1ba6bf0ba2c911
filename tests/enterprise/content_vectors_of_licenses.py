# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Vectors of what a license says."""

from __future__ import annotations

from content_vector_parts import (
    GONE,
    ISSUER,
    PUBLIC,
    STRANGER,
    SUB_ISSUER,
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

MOMENTS = ("issued_at", "starts_at")
LIMIT = 1_000_000_000
OEM = {"product": "example-suite", "keys": [b64(PUBLIC[SUB_ISSUER])], "features": ["distributed"]}
# The point of order 1, and the coordinate p: refused as keys wherever one stands.
LOW = (1).to_bytes(32, "little")
SECOND_WRITING = (2**255 - 19).to_bytes(32, "little")


def licenses():
    yield from of_every_kind("license")
    required = [name for name in WHOLE["license"] if name not in ("schema", "expires_at")]
    yield from of_every_field("license", required, moments=MOMENTS)
    yield from names()
    yield from texts()
    yield from numbers()
    yield from moments()
    yield from features()
    yield from bindings()
    yield from lists()
    yield from sub_issuers()
    yield from strangers()
    yield from signers()


def yes(name, shows, **changes):
    return taken("license", name, shows, {place.replace("__", "/"): value for place, value in changes.items()})


def no(name, shows, reason, **changes):
    return refused(
        "license", name, shows, reason, {place.replace("__", "/"): value for place, value in changes.items()}
    )


def names():
    yield yes("id-64", "an id as long as one can be", license_id="a" * 64)
    yield yes("id-signs", "an id of every sign that there is", license_id="0a.b_c-d")
    for title, value in {
        "empty": "",
        "65": "a" * 65,
        "upper-case": "Lic-1",
        "path": "../lic-1",
        "space": "lic 1",
        "dash-first": "-lic",
        "twin-letter": "l\u0456c-1",
        "digits-of-another-script": "lic-\u0663",
    }.items():
        yield no(f"id-{title}", f"an id that is no name for programs: {title}", "value", license_id=value)
    for title, value in (("line-end", "lic-1\n"), ("escape-sequence", "\x1b[2J"), ("zero", "lic\0")):
        yield no(f"id-{title}", f"an id with a control character: {title}", "characters", license_id=value)
    yield no("product-upper-case", "the product is no name for programs", "value", product="Tunesmith")
    yield yes("product-other", "a license for another product is read like one for this", product="another-product")


def texts():
    for title, value in {
        "umlaut": "Gr\u00fc\u00dfe GmbH",
        "other-script": "\u6e2c\u8a66\u516c\u53f8",
        "beyond-16-bits": "\U0001f3b5 Music",
        "joiner": "\u0645\u06cc\u200c\u062e",
        "200": "x" * 200,
        "quotes": 'A "B" \\ C',
    }.items():
        yield yes(f"name-{title}", f"a licensee's name: {title}", licensee__name=value)
    for title, value, reason in (
        ("empty", "", "value"),
        ("201", "x" * 201, "value"),
        ("decomposed", "Gru\u0308n", "characters"),
        ("escape-sequence", "\x1b]0;x\x07", "characters"),
        ("right-to-left", "abc\u202edef", "characters"),
        ("isolate", "abc\u2066def", "characters"),
        ("line-end", "Example\nLtd", "characters"),
        ("line-separator", "Example\u2028Ltd", "characters"),
        ("tab", "Example\tLtd", "characters"),
        ("no-width", "Exam\u200bple", "characters"),
        ("mark", "\ufeffExample", "characters"),
        ("private-use", "\ue000", "characters"),
        ("tag", "\U000e0041", "characters"),
        ("number", 5, "type"),
    ):
        yield no(f"name-{title}", f"a licensee's name that is not for showing: {title}", reason, licensee__name=value)
    yield no("licensee-no-id", "a licensee without an id", "missing-field", licensee__id=GONE)
    yield no("licensee-more", "a licensee with a field that nobody reads", "unknown-field", licensee__email="a@b")
    yield yes("order", "the number of an order", order="PO 2026/17")
    yield yes("order-null", "null is as if it were not there", order=None)
    yield no("order-number", "the order is a number", "type", order=17)
    yield no("order-escape-sequence", "the order holds control characters", "characters", order="\x1b[31m")
    yield no("edition-line-end", "the edition has two lines", "characters", edition="A\nB")


def numbers():
    yield yes("serial-most", "the largest serial", serial=LIMIT)
    for title, value, reason in (
        ("0", 0, "value"),
        ("negative", -1, "value"),
        ("too-large", LIMIT + 1, "value"),
        ("fraction", 1.0, "type"),
        ("true", True, "type"),
        ("text", "1", "type"),
    ):
        yield no(f"serial-{title}", f"the serial is {value!r}", reason, serial=value)
    yield yes("grace-0", "no days of grace", grace_days=0)
    yield yes("grace-366", "the most days of grace", grace_days=366)
    for title, value, reason in (("367", 367, "value"), ("negative", -1, "value"), ("half", 0.5, "type")):
        yield no(f"grace-{title}", f"{value!r} days of grace", reason, grace_days=value)
    for name in ("production", "non-production", "ci"):
        yield yes(f"environment-{name}", f"for {name}", environment=name)
    yield yes("trial", "a trial with an end", environment="trial")
    yield no("trial-no-end", "a trial without an end", "value", environment="trial", expires_at=GONE)
    yield no("trial-null-end", "a trial whose end is null", "value", environment="trial", expires_at=None)
    for title, value in (("capital", "Production"), ("short", "prod"), ("empty", ""), ("space", "ci ")):
        yield no(f"environment-{title}", f"no environment: {value!r}", "value", environment=value)


def moments():
    yield yes("no-end", "a license without an end", expires_at=GONE)
    yield yes("null-end", "null is no end", expires_at=None)
    yield yes("maintenance", "builds made before then stay licensed", maintenance_until="2027-06-01T00:00:00Z")
    yield yes("maintenance-null", "null is no maintenance", maintenance_until=None)
    yield yes("maintenance-before-start", "maintenance may be over already", maintenance_until="2025-01-01T00:00:00Z")
    yield yes("issued-later", "issued after the term began", issued_at="2026-06-01T00:00:00Z")
    yield yes("one-second", "a term of one second", expires_at="2026-01-02T00:00:01Z")
    yield yes("2038", "beyond what 32 bits count", expires_at="2038-01-19T03:14:08Z")
    yield yes("leap-day", "29 February of a leap year", expires_at="2028-02-29T00:00:00Z")
    yield yes("year-2000", "the first year that there is", starts_at="2000-01-01T00:00:00Z")
    yield yes("year-9000", "the last year that there is", expires_at="9000-12-31T23:59:59Z")
    for title, value in (("1999", "1999-12-31T23:59:59Z"), ("0001", "0001-01-01T00:00:00Z")):
        yield no(f"year-{title}", "no room for arithmetic with dates", "value", starts_at=value)
    for title, value in (("9001", "9001-01-01T00:00:00Z"), ("9999", "9999-12-31T23:59:59Z")):
        yield no(f"year-{title}", "no room for days of grace", "value", expires_at=value)
    yield no("ends-at-start", "a term of no seconds", "value", expires_at="2026-01-02T00:00:00Z")
    yield no("ends-before-start", "a term that ends before it begins", "value", expires_at="2026-01-01T00:00:00Z")
    for title, value in {
        "date-only": "2027-01-02",
        "no-dashes": "20270102T000000Z",
        "week": "2027-W01-1T00:00:00Z",
        "offset": "2027-01-02T00:00:00+00:00",
        "no-zone": "2027-01-02T00:00:00",
        "small-z": "2027-01-02T00:00:00z",
        "small-t": "2027-01-02t00:00:00Z",
        "space": "2027-01-02 00:00:00Z",
        "fraction": "2027-01-02T00:00:00.0Z",
        "line-end": "2027-01-02T00:00:00Z\n",
        "february-30": "2027-02-30T00:00:00Z",
        "february-29": "2027-02-29T00:00:00Z",
        "second-60": "2027-06-30T23:59:60Z",
        "hour-24": "2027-01-02T24:00:00Z",
        "month-0": "2027-00-02T00:00:00Z",
        "year-0": "0000-01-02T00:00:00Z",
        "other-digits": "\u0662027-01-02T00:00:00Z",
        "number": 1798848000,
        "text-of-number": "1798848000",
        "true": True,
        "empty": "",
    }.items():
        yield no(f"moment-{title}", f"no point in time of the one form: {title}", "timestamp", expires_at=value)


def features():
    yield yes("feature-unknown", "a feature that is not known here is kept", features={"of-tomorrow": {"gpus": 2}})
    yield yes("limit-unknown", "a limit that is not known here is kept", features={"distributed": {"parsecs": 12}})
    yield yes("limit-least", "a limit of 1", features={"distributed": {"gpus": 1}})
    yield yes("limit-most", "the largest limit", features={"distributed": {"gpus": LIMIT}})
    yield yes("features-64", "as many features as there can be", features={f"f{n}": {} for n in range(64)})
    yield yes("limits-16", "as many limits as there can be", features={"f": {f"l{n}": 1 for n in range(16)}})
    for title, value, reason in (
        ("none", {}, "value"),
        ("65", {f"f{n}": {} for n in range(65)}, "value"),
        ("list", ["distributed"], "type"),
        ("text", "distributed", "type"),
        ("limits-17", {"f": {f"l{n}": 1 for n in range(17)}}, "value"),
        ("limits-null", {"distributed": None}, "type"),
        ("limits-true", {"distributed": True}, "type"),
        ("limits-list", {"distributed": []}, "type"),
        ("code-upper-case", {"Distributed": {}}, "value"),
        ("code-empty", {"": {}}, "value"),
        ("code-star", {"*": {}}, "value"),
        ("code-twin-letter", {"distribut\u0435d": {}}, "value"),
        ("limit-name", {"distributed": {"GPUs": 1}}, "value"),
    ):
        yield no(
            f"features-{title}", f"features that are not listed as they should be: {title}", reason, features=value
        )
    for title, value, reason in (
        ("0", 0, "value"),
        ("negative", -4, "value"),
        ("too-large", LIMIT + 1, "value"),
        ("fraction", 4.0, "type"),
        ("text", "4", "type"),
        ("true", True, "type"),
        ("null", None, "type"),
        ("unlimited", "unlimited", "type"),
    ):
        yield no(f"limit-{title}", f"a limit of {value!r}", reason, features__distributed__gpus=value)


def bindings():
    for kind in ("install-id", "cluster-id", "domain", "oem"):
        yield yes(f"binding-{kind}", f"bound to one {kind}", binding={"kind": kind, "values": ["a.example"]})
    many = {"kind": "cluster-id", "values": [f"c{n}" for n in range(64)]}
    yield yes("binding-64", "bound to as many as there can be", binding=many)
    for title, value, reason in (
        ("unknown", {"kind": "hardware", "values": ["x"]}, "value"),
        ("capital", {"kind": "None"}, "value"),
        ("no-kind", {"values": ["x"]}, "missing-field"),
        ("text", "none", "type"),
        ("none-with-values", {"kind": "none", "values": ["x"]}, "value"),
        ("none-with-no-values", {"kind": "none", "values": []}, "value"),
        ("no-values", {"kind": "domain"}, "type"),
        ("null-values", {"kind": "domain", "values": None}, "type"),
        ("empty-values", {"kind": "domain", "values": []}, "value"),
        ("65", {"kind": "domain", "values": ["x"] * 65}, "value"),
        ("empty-text", {"kind": "domain", "values": [""]}, "value"),
        ("number", {"kind": "install-id", "values": [7]}, "type"),
        ("escape-sequence", {"kind": "domain", "values": ["\x1b[1m"]}, "characters"),
        ("more", {"kind": "domain", "values": ["x"], "except": ["y"]}, "unknown-field"),
    ):
        yield no(f"binding-{title}", f"a binding that makes no sense: {title}", reason, binding=value)


def lists():
    yield yes("replaces", "other licenses that do not count beside it", replaces=["lic-0", "lic-00"])
    yield yes("replaces-none", "an empty list", replaces=[])
    for title, value, reason in (
        ("twice", ["lic-0", "lic-0"], "value"),
        ("null", None, "type"),
        ("text", "lic-0", "type"),
        ("no-name", ["Lic 0"], "value"),
        ("65", [f"l{n}" for n in range(65)], "value"),
    ):
        yield no(f"replaces-{title}", f"a list of other licenses: {title}", reason, replaces=value)


def sub_issuers():
    yield yes("oem", "the right to issue licenses", oem=OEM)
    yield yes("oem-null", "null is no right", oem=None)
    every = [b64(PUBLIC[number]) for number in range(2, 18)]
    yield yes("oem-keys-16", "as many keys as there can be", oem=OEM | {"keys": every})
    for title, change, reason in (
        ("no-keys", {"keys": []}, "value"),
        ("keys-17", {"keys": [*every, b64(PUBLIC[1])]}, "value"),
        ("keys-text", {"keys": b64(PUBLIC[SUB_ISSUER])}, "type"),
        ("key-number", {"keys": [7]}, "type"),
        ("key-short", {"keys": [b64(PUBLIC[SUB_ISSUER][:31])]}, "key"),
        ("key-low-order", {"keys": [b64(LOW)]}, "key-order"),
        ("key-second-writing", {"keys": [b64(SECOND_WRITING)]}, "key-encoding"),
        ("key-hexadecimal", {"keys": [PUBLIC[SUB_ISSUER].hex()]}, "key"),
        ("key-no-padding", {"keys": [b64(PUBLIC[SUB_ISSUER]).rstrip("=")]}, "padding"),
        ("no-features", {"features": []}, "value"),
        ("all-features", {"features": ["*"]}, "value"),
        ("features-object", {"features": {"distributed": {}}}, "type"),
        ("features-twice", {"features": ["distributed", "distributed"]}, "value"),
        ("product", {"product": "Example Suite"}, "value"),
        ("more", {"threshold": 1}, "unknown-field"),
    ):
        yield no(f"oem-{title}", f"a right to issue that makes no sense: {title}", reason, oem=OEM | change)
    for name in OEM:
        rest = {field: value for field, value in OEM.items() if field != name}
        yield no(f"oem-lacks-{name}", f"a right to issue without {name}", "missing-field", oem=rest)
    bound = {"kind": "oem", "values": ["example-suite"]}
    yield yes("under", "issued by a sub-issuer", under="lic-0", binding=bound)
    yield yes("under-null", "null is the vendor's own", under=None)
    yield no("under-unbound", "from a sub-issuer, and for anywhere", "value", under="lic-0")
    yield no("under-and-oem", "from a sub-issuer, and may let others issue", "value", under="l", oem=OEM, binding=bound)
    yield no("under-no-name", "under something that is no id", "value", under="Lic 0", binding=bound)


def strangers():
    yield yes("field-unknown", "a field that is not known here is kept", colour={"shade": [1, 2.5, "blue", True]})
    yield yes("field-alg", "a field that names an algorithm is one that nobody obeys", alg="none")
    yield yes("fields-64", "as many unknown fields as there can be", **{f"x{n}": n for n in range(64)})
    yield no("fields-65", "one unknown field too many", "value", **{f"x{n}": n for n in range(65)})
    yield no("field-upper-case", "an unknown field that is no name for programs", "value", Colour="blue")
    twin = {"expir\u0435s_at": "2026-02-01T00:00:00Z"}
    yield no("field-twin-letter", "expires_at with a letter of another script", "value", **twin)
    yield yes("critical-known", "critical fields that are known", critical=["expires_at", "binding"])
    yield yes("critical-absent", "a critical field that is known and not there", critical=["oem"])
    for title, value, reason in (
        ("unknown", ["colour"], "newer-format"),
        ("none", [], "value"),
        ("null", None, "type"),
        ("text", "binding", "type"),
        ("twice", ["binding", "binding"], "value"),
        ("no-name", ["Binding"], "value"),
        ("inner", ["binding.kind"], "newer-format"),
    ):
        yield no(f"critical-{title}", f"critical fields: {title}", reason, colour="blue", critical=value)


def signers():
    """Contents do not matter if another key signed, or for another kind."""
    payload = dumps(changed("license", {}))
    shows = "a whole license, signed by somebody"
    yield vector("license-stranger", shows, "license", envelope(payload, "license", [STRANGER]), "untrusted")
    shows = "a whole license, signed as a pool"
    yield vector("license-as-pool", shows, "license", envelope(payload, "pool", [ISSUER]), "wrong-kind")
    pool = dumps(changed("pool", {}))
    shows = "the payload of a pool, signed as a license"
    yield refused("license", "of-pool", shows, "missing-field", payload=pool)
    flipped = dumps(changed("license", {"serial": 9}))
    good = envelope(payload, "license", [ISSUER])
    moved = good.replace(b64(payload).encode(), b64(flipped).encode())
    yield vector("license-changed", "the serial was changed after signing", "license", moved, "signature")
