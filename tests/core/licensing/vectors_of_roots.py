# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Vectors of roots, of the roles they name and of the way from one to the next: rows 4, 6, 10, 15 and 17."""

from __future__ import annotations

from vector_parts import PAYLOAD, PUBLIC, armor, b64, dumps, envelope, root, root_value, vector

NOW = "2026-11-26T00:00:00Z"
FIVE = (0, 1, 2, 5, 6)

# Keys of the role root, how many have to sign, who did; at the end the reason why the last one is refused, or None.
# The situations are those for which The Update Framework tests its clients.
ROTATIONS = {
    "key-replaced": (((0,), 1, (0,)), ((1,), 1, (0, 1)), ((1,), 1, (1,)), None),
    "strangers-sign-too": (((0,), 1, (0, 6, 7)), ((1,), 1, (0, 1, 6, 7)), ((1,), 1, (1, 6, 7)), None),
    "old-key-did-not-sign": (((0,), 1, (0,)), ((1,), 1, (1, 6, 7)), "root-old-keys"),
    "new-key-did-not-sign": (((0,), 1, (0,)), ((1,), 1, (0, 6, 7)), "root-new-keys"),
    "nobody-known-signed": (((0,), 1, (0,)), ((1,), 1, (6, 7)), "root-old-keys"),
    "three-of-five": ((FIVE, 3, (0, 2, 6)), (FIVE, 3, (0, 1, 6)), (FIVE, 3, (1, 2, 5)), (FIVE, 3, FIVE), None),
    "one-of-five-replaced": ((FIVE, 3, (0, 2, 6)), ((0, 1, 5, 6, 7), 3, (0, 1, 6)), None),
    "too-few-of-five-new": ((FIVE, 3, (0, 2, 6)), ((0, 1, 5, 6, 7), 3, (0, 2, 6)), "root-new-keys"),
    "too-few-of-five-old": ((FIVE, 3, (0, 2, 6)), ((0, 1, 5, 6, 7), 3, (0, 6, 7)), "root-old-keys"),
    "old-and-new-of-five": ((FIVE, 3, (0, 2, 6)), ((0, 1, 5, 6, 7), 3, (0, 2, 6, 7)), None),
    "all-replaced": (((0, 1, 2), 2, (0, 1)), ((5, 6, 7), 2, (0, 2, 5, 6)), ((5, 6, 7), 2, (6, 7)), None),
    "all-replaced-old-return": (
        ((0, 1, 2), 2, (0, 1)),
        ((5, 6, 7), 2, (0, 2, 5, 6)),
        ((0, 1, 2), 2, (0, 1, 2)),
        "root-old-keys",
    ),
    "all-replaced-one-old-short": (((0, 1, 2), 2, (0, 1)), ((5, 6, 7), 2, (0, 5, 6)), "root-old-keys"),
    "all-replaced-one-new-short": (((0, 1, 2), 2, (0, 1)), ((5, 6, 7), 2, (0, 1, 5)), "root-new-keys"),
    "threshold-rises": (((0, 1, 2), 1, (0,)), ((0, 1, 2), 2, (0, 1)), None),
    "threshold-rises-too-few": (((0, 1, 2), 1, (0,)), ((0, 1, 2), 2, (1,)), "root-new-keys"),
    "threshold-falls": (((0, 1, 2), 2, (0, 1)), ((0, 1, 2), 1, (0, 1)), ((0, 1, 2), 1, (0,)), None),
    "threshold-falls-too-few": (((0, 1, 2), 2, (0, 1)), ((0, 1, 2), 1, (0,)), "root-old-keys"),
    "key-added": (((0,), 1, (0,)), ((0, 1), 2, (0, 1)), None),
}


def roots():
    yield from rotations()
    yield from versions()
    yield from first_roots()
    yield from contents()
    yield from roles()


def value_of(number, version):
    keys, threshold, _ = version
    return dumps(root_value(version=number, root=keys, threshold=threshold))


def rotations():
    """Row 10: as a chain in one text, and the last step by itself."""
    for name, (*versions, reason) in ROTATIONS.items():
        values = [value_of(number, version) for number, version in enumerate(versions, start=1)]
        documents = [envelope(value, "root", version[2]) for value, version in zip(values, versions, strict=True)]
        outcome = reason or values[-1]
        chain = "".join(armor(document, "ROOT") for document in documents)
        shows = name.replace("-", " ")
        first = documents[:1]
        yield vector(f"chain-{name}", shows, chain, outcome, "root-chain", "text", roots=first, now=NOW)
        more = {"roots": documents[:-1], "now": NOW}
        yield vector(f"next-{name}", f"{shows}: the last step", documents[-1], outcome, "next-root", **more)


def versions():
    """No version is left out, none comes back, and an expired one is not newly taken."""

    def following(name, shows, document, outcome, *before, now=NOW):
        return vector(name, shows, document, outcome, "next-root", roots=before or [root()], now=now)

    def chain(name, shows, numbers, outcome, start=1, **expires):
        documents = [root(version=n, expires=expires.get(f"v{n}", "2036-01-01T00:00:00Z")) for n in numbers]
        text = "".join(armor(document, "ROOT") for document in documents)
        return vector(name, shows, text, outcome, "root-chain", "text", roots=[root(version=start)], now=NOW)

    second = dumps(root_value(version=2))
    yield following("next", "root 2 after root 1", root(version=2), second)
    yield following("gap", "root 3 after root 1", root(version=3), "root-gap")
    yield following("same-version", "root 1 after root 1", root(expires="2040-01-01T00:00:00Z"), "root-rollback")
    yield following("rollback", "root 1 after root 2", root(), "root-rollback", root(), root(version=2))
    yield following("issuer-signs-root", "an issuer signs a root", root((3, 4), version=2), "root-old-keys")
    other = envelope(signers=(0, 1))
    yield following("license-for-root", "a license for a root", other, "wrong-kind")
    old = {"version": 2, "expires": NOW}
    value = dumps(root_value(**old))
    yield following("expires-now", "a root that expires this second", root(**old), "root-expired")
    yield following("expires-later", "one second before", root(**old), value, now="2026-11-25T23:59:59Z")
    expired = root(expires="2001-01-01T00:00:00Z")
    yield following("after-expired", "a root in use outlives its expiry", root(version=2), second, expired)
    misfit = root((0, 1), version=2).replace(b'"sig":"', b'"sig":"AAAA', 1)
    yield following("misfit-length", "a signature is longer", misfit, "signature")

    third = dumps(root_value(version=3))
    yield chain("chain-all", "the whole chain", (1, 2, 3), third)
    yield chain("chain-known", "a chain of which two are known", (1, 2, 3), third, start=2)
    yield chain("chain-nothing-new", "a chain without anything newer", (1, 2, 3), third, start=3)
    yield chain("chain-gap", "a chain with a gap", (1, 3), "root-gap")
    yield chain("chain-out-of-order", "a newer root before an older one", (1, 3, 2), "root-gap")
    yield chain("chain-rollback", "an older root behind a newer one", (2, 3, 2), "root-rollback")
    yield chain("chain-expired-on-the-way", "an expired root on the way", (2, 3), third, v2="2001-01-01T00:00:00Z")
    yield chain("chain-expired-last", "the last root has expired", (2, 3), "root-expired", v3="2001-01-01T00:00:00Z")


def first_roots():
    """A root that came with the product is signed by its own keys; that it has expired is no error."""

    def first(name, shows, document, outcome):
        return vector(name, shows, document, outcome, "first-root")

    yield first("first", "two of three keys signed", root(), dumps(root_value()))
    old = {"expires": "2001-01-01T00:00:00Z"}
    yield first("first-expired", "a first root that has expired", root(**old), dumps(root_value(**old)))
    yield first("first-too-few", "one of three keys signed", root((0,)), "root-new-keys")
    yield first("first-other-roles", "keys of other roles signed", root((3, 4)), "root-new-keys")
    yield first("first-license", "a license for a root", envelope(signers=(0, 1)), "wrong-kind")


def changed(**parts):
    return root_value() | parts


def role(name, **parts):
    listed = root_value()["roles"]
    return changed(roles=listed | {name: listed[name] | parts})


def contents():
    """Rows 3, 15 and 17: a root has exactly the fields, types and values of the format."""
    listed = root_value()["roles"]
    key, low = b64(PUBLIC[3]), b64((1).to_bytes(32, "little"))
    cases = [
        ("schema-2", changed(schema=2), "newer-format"),
        ("schema-true", changed(schema=True), "type"),
        ("schema-float", changed(schema=1.0), "type"),
        ("version-0", changed(version=0), "value"),
        ("version-negative", changed(version=-1), "value"),
        ("version-beyond", changed(version=1_000_001), "value"),
        ("version-text", changed(version="1"), "type"),
        ("version-float", changed(version=1.0), "type"),
        ("version-true", changed(version=True), "type"),
        ("critical", changed(critical=["x"]), "unknown-field"),
        ("twin-of-a-name", changed() | {"vers\u0456on": 2}, "unknown-field"),
        ("no-expires", {name: item for name, item in changed().items() if name != "expires"}, "missing-field"),
        ("roles-array", changed(roles=[]), "type"),
        ("role-missing", changed(roles={"root": listed["root"], "issuer": listed["issuer"]}), "missing-field"),
        ("role-unknown", changed(roles=listed | {"test": listed["issuer"]}), "unknown-field"),
        ("role-field", role("issuer", alg="none"), "unknown-field"),
        ("no-keys", role("issuer", keys=[]), "value"),
        ("17-keys", role("issuer", keys=[key] * 17), "value"),
        ("key-number", role("issuer", keys=[5]), "type"),
        ("key-short", role("issuer", keys=[b64(PUBLIC[3][:31])]), "key"),
        ("key-lost-padding", role("issuer", keys=[key.rstrip("=")]), "padding"),
        ("key-hexadecimal", role("issuer", keys=[PUBLIC[3].hex()]), "key"),
        ("key-low-order", role("issuer", keys=[low]), "key-order"),
        ("key-second-writing", role("issuer", keys=[b64((2**255 - 18).to_bytes(32, "little"))]), "key-encoding"),
        ("key-in-two-roles", role("issuer", keys=[b64(PUBLIC[0])]), "root-shared-key"),
        ("key-twice-in-a-role", role("issuer", keys=[key, key]), "root-shared-key"),
        ("issuer-threshold-0", role("issuer", threshold=0), "root-threshold"),
        ("array", [], "type"),
    ]
    for name, threshold in (
        ("0", 0),
        ("negative", -1),
        ("beyond-keys", 4),
        ("true", True),
        ("float", 2.0),
        ("text", "2"),
    ):
        cases.append((f"threshold-{name}", role("root", threshold=threshold), "root-threshold"))
    for name, expires in {
        "date": "2036-01-01",
        "week": "2036-W01-1T00:00:00Z",
        "no-dashes": "20360101T000000Z",
        "offset": "2036-01-01T00:00:00+00:00",
        "wide-offset": "2036-01-01T00:00:00+25:00",
        "no-zone": "2036-01-01T00:00:00",
        "small-letters": "2036-01-01t00:00:00z",
        "fraction": "2036-01-01T00:00:00.0Z",
        "leap-second": "2035-12-31T23:59:60Z",
        "no-such-day": "2035-02-30T00:00:00Z",
        "line-end": "2036-01-01T00:00:00Z\n",
        "other-digits": "203\u0666-01-01T00:00:00Z",
        "number": 2082758400,
    }.items():
        cases.append((f"expires-{name}", changed(expires=expires), "timestamp"))
    for name, value, reason in cases:
        document = envelope(dumps(value), "root", (0, 1))
        yield vector(f"root-{name}", f"a root, well signed: {name}", document, reason, "first-root")
    twice = dumps(root_value()).replace(b'"version":1', b'"version":1,"version":2')
    doc = envelope(twice, "root", (0, 1))
    yield vector("root-name-twice", "a root with a field twice", doc, "duplicate-name", "first-root")


def roles():
    """Rows 4 and 6: a key signs the kinds of its role, in the roots that list it."""
    signers = {"root": (0, 1), "issuer": (3,), "revocation": (4,)}
    rights = {"license": "issuer", "pool": "issuer", "activation-response": "issuer", "revocations": "revocation"}
    for kind, right in rights.items():
        for name, numbers in signers.items():
            document = envelope(kind=kind, signers=numbers)
            outcome = PAYLOAD if name == right else "other-key"
            shows = f"the role {name} signs a {kind}"
            yield vector(f"{name}-signs-{kind}", shows, document, outcome, "role", kind=kind, roots=[root()], now=NOW)
    newer = [root(), root(version=2, issuer=(5,))]
    for name, shows, signer, believed, outcome in (
        ("removed-key", "a key that a newer root removed", 3, newer, "untrusted"),
        ("added-key", "a key that a newer root added", 5, newer, PAYLOAD),
        ("key-not-yet-known", "a key that only a newer root lists", 5, newer[:1], "untrusted"),
        ("key-of-no-role", "a key of no role", 9, newer, "untrusted"),
    ):
        yield vector(name, shows, envelope(signers=(signer,)), outcome, "role", roots=believed, now=NOW)
    expired = [root(expires="2001-01-01T00:00:00Z")]
    yield vector(
        "root-in-use-expired", "an expired root in use", envelope(signers=(3,)), PAYLOAD, "role", roots=expired, now=NOW
    )
