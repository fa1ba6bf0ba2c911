# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed import KEYS, NOW, PAYLOAD, PRIVATE, dumps, license_document, refused, root_document, root_payload

from tunesmith.licensing import (
    KINDS,
    ROLE_OF,
    ROLES,
    SignedDocumentError,
    Trust,
    armor,
    dearmor_all,
    parse_root,
    sign,
    verify,
)

FIRST = root_document()


class Version(NamedTuple):
    """A root: the keys of its role root, how many have to sign, who did, and why it is refused if it is."""

    keys: list[int]
    threshold: int
    signers: list[int]
    refused: str | None = None


# The situations are those for which The Update Framework tests its clients (python-tuf, test_updater_key_rotations.py).
ROTATIONS = {
    "a key is replaced": [
        Version([0], 1, [0]),
        Version([1], 1, [0, 1]),
        Version([1], 1, [1]),
    ],
    "a key is replaced while strangers sign too": [
        Version([0], 1, [0, 6, 7]),
        Version([1], 1, [0, 1, 6, 7]),
        Version([1], 1, [1, 6, 7]),
    ],
    "the old key did not sign": [
        Version([0], 1, [0]),
        Version([1], 1, [1, 6, 7], "root-old-keys"),
    ],
    "the new key did not sign": [
        Version([0], 1, [0]),
        Version([1], 1, [0, 6, 7], "root-new-keys"),
    ],
    "three of five, each time others": [
        Version([0, 1, 2, 5, 6], 3, [0, 2, 6]),
        Version([0, 1, 2, 5, 6], 3, [0, 1, 6]),
        Version([0, 1, 2, 5, 6], 3, [1, 2, 5]),
        Version([0, 1, 2, 5, 6], 3, [0, 1, 2, 5, 6]),
    ],
    "three of five, one replaced": [
        Version([0, 1, 2, 5, 6], 3, [0, 2, 6]),
        Version([0, 1, 5, 6, 7], 3, [0, 1, 6]),
    ],
    "three of five, one replaced, too few of the new ones": [
        Version([0, 1, 2, 5, 6], 3, [0, 2, 6]),
        Version([0, 1, 5, 6, 7], 3, [0, 2, 6], "root-new-keys"),
    ],
    "three of five, one replaced, too few of the old ones": [
        Version([0, 1, 2, 5, 6], 3, [0, 2, 6]),
        Version([0, 1, 5, 6, 7], 3, [0, 6, 7], "root-old-keys"),
    ],
    "three of five, one replaced, old and new sign once": [
        Version([0, 1, 2, 5, 6], 3, [0, 2, 6]),
        Version([0, 1, 5, 6, 7], 3, [0, 2, 6, 7]),
        Version([0, 1, 5, 6, 7], 3, [0, 6, 7]),
    ],
    "all three of a role replaced": [
        Version([0, 1, 2], 2, [0, 1]),
        Version([5, 6, 7], 2, [0, 2, 5, 6]),
        Version([5, 6, 7], 2, [6, 7]),
    ],
    "all replaced, and the old ones try once more": [
        Version([0, 1, 2], 2, [0, 1]),
        Version([5, 6, 7], 2, [0, 2, 5, 6]),
        Version([0, 1, 2], 2, [0, 1, 2], "root-old-keys"),
    ],
    "the threshold rises": [
        Version([0, 1, 2], 1, [0]),
        Version([0, 1, 2], 2, [0, 1]),
    ],
    "the threshold rises beyond those who signed": [
        Version([0, 1, 2], 1, [0]),
        Version([0, 1, 2], 2, [1], "root-new-keys"),
    ],
    "the threshold falls, as the old one allows": [
        Version([0, 1, 2], 2, [0, 1]),
        Version([0, 1, 2], 1, [0, 1]),
        Version([0, 1, 2], 1, [0]),
    ],
    "the threshold falls, and only the new one is reached": [
        Version([0, 1, 2], 2, [0, 1]),
        Version([0, 1, 2], 1, [0], "root-old-keys"),
    ],
    "a key is added and the threshold rises": [
        Version([0], 1, [0]),
        Version([0, 1], 2, [0, 1]),
    ],
}


def published(version, number):
    return root_document(version.signers, version=number, root=version.keys, threshold=version.threshold)


@pytest.mark.parametrize("versions", ROTATIONS.values(), ids=ROTATIONS)
def test_row_10_rotations(versions):
    trust = Trust.start(published(versions[0], 1))
    for number, version in enumerate(versions[1:], start=2):
        if version.refused:
            with refused(version.refused, f"{version.threshold} of" if "new" in version.refused else "root keys"):
                trust.update(published(version, number), now=NOW)
            assert trust.root.version == number - 1
        else:
            trust = trust.update(published(version, number), now=NOW)
            assert trust.root.version == number
            assert trust.envelope == published(version, number)


@pytest.mark.parametrize("versions", ROTATIONS.values(), ids=ROTATIONS)
def test_row_10_rotations_as_one_chain(versions):
    """All of it or nothing."""
    trust = Trust.start(published(versions[0], 1))
    chain = [published(version, number) for number, version in enumerate(versions, start=1)]
    if versions[-1].refused:
        with refused(versions[-1].refused):
            trust.follow(chain, now=NOW)
        assert trust.root.version == 1
    else:
        assert trust.follow(chain, now=NOW).root.version == len(versions)


def test_row_10_no_version_is_left_out():
    with refused("root-gap", "version 3 after 1", "version 2", "the whole chain of roots"):
        Trust.start(FIRST).update(root_document(version=3), now=NOW)


@pytest.mark.parametrize("version", [1, 2])
def test_row_10_there_is_no_way_back(version):
    trust = Trust.start(FIRST).update(root_document(version=2), now=NOW)
    with refused("root-rollback", f"version {version}", "version 3", "the newer one stays"):
        trust.update(root_document(version=version), now=NOW)


def test_row_10_a_root_out_of_order_in_a_chain_is_refused():
    with refused("root-rollback"):
        Trust.start(FIRST).follow([root_document(version=n) for n in (2, 3, 2)], now=NOW)
    with refused("root-gap"):
        Trust.start(FIRST).follow([root_document(version=n) for n in (3, 2)], now=NOW)


def test_one_chain_serves_every_installation():
    chain = [root_document(version=number) for number in range(1, 6)]
    for number in range(1, 6):
        trust = Trust.start(chain[number - 1])
        later = trust.follow(chain, now=NOW)
        assert later.root.version == 5
        assert (later is trust) is (number == 5)
    assert trust.follow([], now=NOW) is trust


def test_row_10_an_expired_root_is_not_newly_taken():
    trust = Trust.start(FIRST)
    old = root_document(version=2, expires="2026-11-26T00:00:00Z")
    with refused("root-expired", "until 2026-11-26T00:00:00Z", "whether the clock is right"):
        trust.update(old, now=NOW)
    with refused("root-expired"):
        trust.follow([old], now=NOW)
    assert trust.update(old, now=NOW - timedelta(seconds=1)).root.version == 2


def test_row_10_expired_roots_on_the_way_are_passed():
    chain = [root_document(version=2, expires="2001-01-01T00:00:00Z"), root_document(version=3)]
    assert Trust.start(FIRST).follow(chain, now=NOW).root.version == 3


def test_row_10_a_root_in_use_outlives_its_expiry():
    trust = Trust.start(root_document(expires="2001-01-01T00:00:00Z"))
    assert trust.verify(license_document(3), "license") == PAYLOAD
    assert trust.follow([trust.envelope], now=NOW) is trust
    assert trust.update(root_document(version=2), now=NOW).root.version == 2


def test_row_10_a_first_root_is_signed_by_its_own_keys():
    with refused("root-new-keys", "1 of version 1's", "2 of 3"):
        Trust.start(root_document([0]))
    with refused("root-new-keys", "0 of version 1's"):
        Trust.start(root_document([3, 4]))
    with refused("wrong-kind", "the kind license", "the kind root"):
        Trust.start(license_document(0, 1))


def test_row_4_every_role_signs_its_own_kinds_only():
    trust = Trust.start(FIRST)
    signer = {"root": [0, 1], "issuer": [3], "revocation": [4]}
    for kind, right in ROLE_OF.items():
        for role in ROLES:
            document = sign(PAYLOAD, kind, [PRIVATE[number] for number in signer[role]])
            if role == right:
                assert trust.verify(document, kind) == PAYLOAD
            else:
                with refused("other-key", f"keys of the role {role}", f"ask whoever issued it for a {kind}"):
                    trust.verify(document, kind)


@pytest.mark.parametrize("signers", [[3], [4], [3, 4]])
def test_row_4_no_issuer_signs_a_root(signers):
    with refused("root-old-keys", "0 of version 1's"):
        Trust.start(FIRST).update(
            root_document(signers, version=2, root=signers, threshold=1, issuer=[5], revocation=[6]), now=NOW
        )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ROLE_OF])
def test_row_4_what_customers_keys_sign_is_not_verified_by_a_root(kind):
    with pytest.raises(ValueError, match="call verify"):
        Trust.start(FIRST).verify(sign(PAYLOAD, kind, PRIVATE[3:4]), kind)


def test_row_4_a_pools_key_signs_leases_and_no_license():
    lease = sign(PAYLOAD, "lease", [PRIVATE[5]])
    assert verify(lease, "lease", [KEYS[5]]) == PAYLOAD
    with refused("untrusted"):
        Trust.start(FIRST).verify(license_document(5), "license")
    with refused("untrusted"):  # nor does the key of revocations sign a lease
        verify(sign(PAYLOAD, "lease", [PRIVATE[4]]), "lease", [KEYS[5]])


def test_row_6_a_key_that_was_removed_signs_no_more():
    trust = Trust.start(FIRST)
    newer = trust.update(root_document(version=2, issuer=[5]), now=NOW)
    assert trust.verify(license_document(3), "license") == PAYLOAD
    with refused("untrusted", "a newer version may know newer keys"):
        newer.verify(license_document(3), "license")


def test_row_6_a_key_that_is_not_known_yet_signs_nothing():
    trust = Trust.start(FIRST)
    with refused("untrusted"):
        trust.verify(license_document(5), "license")
    chain = dearmor_all(armor(root_document(version=2, issuer=[3, 5])) + armor(license_document(5)))
    newer = trust.follow([chain[0].envelope], now=NOW)
    assert newer.verify(chain[1].envelope, "license") == PAYLOAD


def test_row_8_a_test_license_at_a_product_for_sale_and_the_other_way_round():
    sale = Trust.start(FIRST)
    trial = Trust.start(root_document([6, 7], root=[6, 7, 8], issuer=[9], revocation=[10]))
    for trust, number, name in ((sale, 9, "test"), (trial, 3, "production")):
        other = trial if trust is sale else sale
        with refused("other-key", f"signed with the {name} keys, which do not count here"):
            trust.verify(
                license_document(number), "license", others={f"the {name} keys": other.root.roles["issuer"].keys}
            )


def test_nothing_changes_a_trust():
    trust = Trust.start(FIRST)
    with pytest.raises(FrozenInstanceError):
        trust.root = None


def changed(**parts):
    return dumps(root_payload() | parts)


def role(name, **parts):
    roles = root_payload()["roles"]
    return changed(roles=roles | {name: roles[name] | parts})


@pytest.mark.parametrize("threshold", [0, -1, 4, True, 1.0, "2", None])
def test_row_10_a_threshold_of_nothing_or_more_than_there_are_is_refused(threshold):
    with refused("root-threshold", "the role root", "1 to 3"):
        parse_root(role("root", threshold=threshold))


def test_row_10_no_key_has_two_roles():
    with refused("root-shared-key", "as root and as issuer", KEYS[0].keyid[:16]):
        parse_root(role("issuer", keys=[KEYS[0].text]))
    with refused("root-shared-key", "as root and as root"):
        parse_root(role("root", keys=[KEYS[0].text, KEYS[0].text]))


@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        (changed(schema=2), "newer-format", "schema 2"),
        (changed(schema=True), "type", "the root's schema"),
        (changed(version=0), "value", "the root's version"),
        (changed(version=10**9), "value", "the root's version"),
        (changed(version="1"), "type", "the root's version"),
        (changed(version=1.0), "type", "the root's version"),
        (changed(expires="2030-01-01"), "timestamp", "the root's expiry"),
        (changed(expires=1893456000), "timestamp", "the root's expiry"),
        (changed(critical=["x"]), "unknown-field", "'critical'"),
        (changed(roles=[]), "type", "the root's roles"),
        (changed(roles={"root": {}}), "missing-field", "no issuer"),
        (changed(roles=root_payload()["roles"] | {"test": {}}), "unknown-field", "'test'"),
        (role("issuer", keys=[]), "value", "0"),
        (role("issuer", keys=["QQ=="]), "key", "1 bytes"),
        (role("issuer", keys=[None]), "type", "a key of the role issuer"),
        (role("issuer", keys=[KEYS[3].text.rstrip("=")]), "padding", "a key of the role issuer"),
        (role("issuer", keys=["AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]), "key-order", "anybody can sign"),
        (role("issuer", alg="none"), "unknown-field", "'alg'"),
        (b"[]", "type", "the root"),
        (b"{", "json", "no JSON"),
    ],
)  # fmt: skip
def test_rows_3_15_and_17_a_root_is_exactly_what_the_format_says(payload, reason, words):
    with refused(reason, words):
        parse_root(payload)


def test_a_root_says_what_it_says():
    root = parse_root(dumps(root_payload()))
    assert root.version == 1
    assert root.expires == datetime(2030, 1, 1, tzinfo=timezone.utc)
    assert [(name, root.roles[name].threshold, root.roles[name].keys) for name in ROLES] == [
        ("root", 2, tuple(KEYS[:3])),
        ("issuer", 1, (KEYS[3],)),
        ("revocation", 1, (KEYS[4],)),
    ]


NEXT = root_document(version=2)


@settings(deadline=None)
@given(st.integers(0, len(NEXT) - 1), st.integers(1, 255))
def test_row_11_a_changed_byte_of_a_root_is_refused(position, difference):
    damaged = bytearray(NEXT)
    damaged[position] ^= difference
    with pytest.raises(SignedDocumentError):
        Trust.start(FIRST).update(bytes(damaged), now=NOW)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=3), max_leaves=4
    ),
    st.sampled_from(["schema", "version", "expires", "roles", "threshold", "keys"]),
)
def test_any_value_in_a_root_is_taken_or_its_own_error(value, field):
    payload = changed(**{field: value}) if field in root_payload() else role("root", **{field: value})
    try:
        parse_root(payload)
    except SignedDocumentError:
        return
    assert field in ("version", "threshold", "schema")
