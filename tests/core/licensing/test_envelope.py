# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed import KEYS, PAYLOAD, PRIVATE, b64, dumps, license_document, raw_envelope, refused, root_document

from tunesmith.licensing import (
    KINDS,
    Envelope,
    SignedDocumentError,
    pae,
    parse_json,
    read_envelope,
    seal,
    sign,
    signed_bytes,
    verify,
)

SIGNED = license_document()
TWICE = license_document(0, 1)


def test_what_is_signed_comes_back_byte_for_byte():
    payload = b'{ "b" : 1 ,\n"a": "\xc3\xa9" }'
    for kind in KINDS:
        assert verify(sign(payload, kind, PRIVATE[:1]), kind, KEYS[:1]) == payload


def test_the_encoding_is_that_of_dsse():
    """The example of DSSE's protocol.md."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("é", b"\0\xff") == b"DSSEv1 2 \xc3\xa9 2 \0\xff"
    assert signed_bytes(b"{}", "usage-report") == b"DSSEv1 46 application/vnd.tunesmith.usage-report.v1+json 2 {}"


def test_an_envelope_put_together_by_hand_is_taken():
    assert raw_envelope() == SIGNED
    assert raw_envelope(signers=(0, 1)) == TWICE


def test_reading_without_asking_who_signed():
    assert read_envelope(TWICE) == Envelope(
        "license", PAYLOAD, {KEYS[n].keyid: PRIVATE[n].sign(signed_bytes(PAYLOAD, "license")) for n in (0, 1)}
    )


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_row_2_signatures_of_another_length_are_refused(length):
    signature = {"keyid": KEYS[0].keyid, "sig": b64(b"\x01" * length)}
    with refused("signature", f"{length} bytes", "64 bytes"):
        verify(raw_envelope(signatures=[signature]), "license", KEYS[:1])


@pytest.mark.parametrize("damage", ["zeros", "halves exchanged", "ones"])
def test_row_2_signatures_of_zeros_or_with_exchanged_halves_are_refused(damage):
    right = PRIVATE[0].sign(signed_bytes(PAYLOAD, "license"))
    wrong = {"zeros": bytes(64), "halves exchanged": right[32:] + right[:32], "ones": b"\xff" * 64}[damage]
    with refused("signature", "does not fit this license", "fetch or copy"):
        verify(raw_envelope(signatures=[{"keyid": KEYS[0].keyid, "sig": b64(wrong)}]), "license", KEYS[:1])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "license"])
def test_row_5_a_license_is_taken_for_nothing_else(kind):
    with refused("wrong-kind", f"the kind {kind}", "the kind license"):
        verify(SIGNED, kind, KEYS[:1])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "license"])
def test_row_5_a_signature_does_not_move_to_another_kind(kind):
    moved = SIGNED.replace(b"tunesmith.license.", b"tunesmith.%b." % kind.encode())
    with refused("signature", f"does not fit this {kind}"):
        verify(moved, kind, KEYS[:1])


def test_row_5_a_signature_over_the_bare_payload_does_not_count():
    signature = {"keyid": KEYS[0].keyid, "sig": b64(PRIVATE[0].sign(PAYLOAD))}
    with refused("signature"):
        verify(raw_envelope(signatures=[signature]), "license", KEYS[:1])


def test_row_6_an_unknown_key_does_not_count():
    with refused("untrusted", "nobody who may sign a license", KEYS[0].keyid[:16], KEYS[1].keyid[:16]):
        verify(SIGNED, "license", [KEYS[1]])
    with refused("untrusted", "no key is trusted here"):
        verify(SIGNED, "license", [])


@pytest.mark.parametrize(
    "keyid",
    [
        "../../etc/passwd",
        "https://example.com/key",
        "0" * 1_000_000,
        "0" * 63,
        "0" * 65,
        "",
        KEYS[0].keyid.upper(),
        KEYS[0].keyid[:-1] + "\0",
        KEYS[0].keyid[:-1] + "\u0430",
        KEYS[0].keyid[:-1] + "\u0663",
        KEYS[0].keyid + "\n",
    ],
    ids=range(11),
)
def test_row_6_a_key_id_that_is_no_hash_is_refused(keyid):
    signature = {"keyid": keyid, "sig": b64(bytes(64))}
    with refused("value", "no hash of a key", f"{len(keyid):,} characters") if len(keyid) < 1e6 else refused("value"):
        verify(raw_envelope(signatures=[signature]), "license", KEYS[:1])


@pytest.mark.parametrize("keyid", [None, 1, True, [], {}])
def test_row_6_a_key_id_that_is_no_text_is_refused(keyid):
    with refused("type", "a keyid"):
        read_envelope(raw_envelope(signatures=[{"keyid": keyid, "sig": b64(bytes(64))}]))


def test_row_6_one_signature_under_two_ids_does_not_count_twice():
    signature = json.loads(SIGNED)["signatures"][0]["sig"]
    twins = sorted(KEYS[n].keyid for n in (0, 1))
    envelope = raw_envelope(signatures=[{"keyid": keyid, "sig": signature} for keyid in twins])
    with refused("signature"):  # it claims to be by a key that did not sign
        verify(envelope, "license", KEYS[:2], 2)
    unknown = sorted([KEYS[0].keyid, "0" * 64])
    envelope = raw_envelope(signatures=[{"keyid": keyid, "sig": signature} for keyid in unknown])
    with refused("threshold", "1 of those who may", "2 of 2"):
        verify(envelope, "license", KEYS[:2], 2)


def test_row_6_one_signature_repeated_is_refused():
    signature = json.loads(SIGNED)["signatures"][0]
    with refused("signature-order", "twice"):
        verify(raw_envelope(signatures=[signature, signature]), "license", KEYS[:2], 2)


def test_row_6_one_key_given_twice_counts_once():
    with refused("threshold", "2 of 1"):
        verify(SIGNED, "license", [KEYS[0], KEYS[0]], 2)
    assert verify(SIGNED, "license", [KEYS[0], KEYS[0]]) == PAYLOAD


def test_row_7_a_key_id_only_hints():
    """Another hint never makes another key count, and a wrong one never makes a signature good."""
    signature = json.loads(SIGNED)["signatures"][0]["sig"]
    hinted = raw_envelope(signatures=[{"keyid": KEYS[1].keyid, "sig": signature}])
    with refused("signature"):
        verify(hinted, "license", KEYS[:2])
    with refused("untrusted"):
        verify(hinted, "license", KEYS[:1])


def test_row_8_a_test_license_is_told_from_a_foreign_one():
    with refused("other-key", "signed with the test keys, which do not count here", "ask whoever issued it"):
        verify(SIGNED, "license", [KEYS[1]], others={"the production keys": [KEYS[2]], "the test keys": [KEYS[0]]})
    with refused("untrusted"):
        verify(SIGNED, "license", [KEYS[1]], others={"the test keys": [KEYS[2]]})


@pytest.mark.parametrize(
    "field", ["alg", "typ", "jwk", "jku", "x5u", "x5c", "crit", "b64", "kid", "none", "payloadtype", "Payload"]
)
@pytest.mark.parametrize("value", ["none", None])
def test_row_9_there_is_no_algorithm_to_confuse(field, value):
    with refused("unknown-field", "the envelope", repr(field)):
        verify(raw_envelope(**{field: value}), "license", KEYS[:1])
    signature = json.loads(SIGNED)["signatures"][0]
    with refused("unknown-field", "a signature", repr(field)):
        verify(raw_envelope(signatures=[signature | {field: value}]), "license", KEYS[:1])


@pytest.mark.parametrize("field", ["payload", "payloadType", "signatures"])
def test_a_field_that_is_missing_is_named(field):
    value = json.loads(SIGNED)
    del value[field]
    with refused("missing-field", f"no {field}"):
        read_envelope(dumps(value))


@pytest.mark.parametrize("field", ["payload", "payloadType", "signatures"])
@pytest.mark.parametrize("value", [None, True, 1, {}, {"a": 1}])
def test_row_17_fields_of_another_type_are_refused(field, value):
    with refused("type"):
        read_envelope(dumps(json.loads(SIGNED) | {field: value}))


def test_signatures_are_objects_of_two_fields():
    with refused("type", "a signature", "an object"):
        read_envelope(raw_envelope(signatures=["x"]))
    with refused("missing-field", "no sig"):
        read_envelope(raw_envelope(signatures=[{"keyid": KEYS[0].keyid}]))


def test_no_signature_and_too_many_are_refused():
    with refused("unsigned", "nobody signed this license"):
        verify(raw_envelope(signatures=[]), "license", KEYS[:1])
    many = [{"keyid": f"{number:064x}", "sig": b64(bytes(64))} for number in range(17)]
    with refused("value", "17", "0 to 16"):
        verify(raw_envelope(signatures=many), "license", KEYS[:1])


def test_a_threshold_has_to_be_reached():
    assert verify(TWICE, "license", KEYS[:3], 2) == PAYLOAD
    with refused("threshold", "too few signed this license", "2 of those who may", "3 of 3"):
        verify(TWICE, "license", KEYS[:3], 3)
    assert verify(TWICE, "license", [KEYS[1]]) == PAYLOAD  # somebody else may sign too


@pytest.mark.parametrize("threshold", [0, -1, True, 1.0, None])
def test_row_10_a_threshold_of_nothing_is_a_mistake_of_the_caller(threshold):
    with pytest.raises(ValueError, match="at least 1"):
        verify(SIGNED, "license", KEYS[:1], threshold)


def test_a_kind_that_does_not_exist_is_a_mistake_of_the_caller():
    for call in (lambda: verify(SIGNED, "licence", KEYS[:1]), lambda: sign(b"{}", "licence", PRIVATE[:1])):
        with pytest.raises(ValueError, match="'licence'"):
            call()


@pytest.mark.parametrize(
    ("media_type", "reason", "words"),
    [
        ("application/vnd.tunesmith.license.v2+json", "newer-format", "license, version 2"),
        ("application/vnd.tunesmith.voucher.v1+json", "newer-format", "voucher"),
        ("application/vnd.in-toto+json", "wrong-kind", "vnd.in-toto"),
        ("application/vnd.tunesmith.license.v1+json ", "newer-format", "version 1"),
        ("Application/vnd.tunesmith.license.v1+json", "wrong-kind", "Application"),
        ("license", "wrong-kind", "'license'"),
        ("", "wrong-kind", "''"),
        ("\x1b[2J" * 20, "wrong-kind", "\\x1b[2J"),
    ],
)
def test_row_15_kinds_and_versions_that_are_not_known_are_refused(media_type, reason, words):
    with refused(reason, words):
        verify(raw_envelope(media_type=media_type), "license", KEYS[:1])


def test_row_16_another_writing_of_the_same_envelope_is_refused():
    value = json.loads(SIGNED)
    for other in (
        json.dumps(value).encode(),
        SIGNED + b"\n",
        dumps(dict(reversed(value.items()))),
        SIGNED.replace(b"vnd.", b"\\u0076nd."),
        SIGNED.replace(b"/", b"\\/"),
    ):
        assert json.loads(other) == value
        with refused("not-canonical", "no spaces or escapes", "parsed it and written it again"):
            verify(other, "license", KEYS[:1])


def test_row_13_base64_in_an_envelope_is_canonical():
    payload = b'{"a":12}'
    signed = raw_envelope(payload)
    text = b64(payload)
    for other, reason in (
        (text[:-1], "padding"),
        (text + "\n", "alphabet"),
        (text[:-2] + "R=", "trailing-bits"),
        ("_" + text[1:], "url-safe"),
    ):
        with refused(reason, "the payload"):
            verify(signed.replace(text.encode(), json.dumps(other)[1:-1].encode()), "license", KEYS[:1])


def test_row_14_an_envelope_with_a_name_twice_is_refused():
    with refused("duplicate-name", "'payload'"):
        verify(SIGNED.replace(b'{"payload"', b'{"payload":"","payload"', 1), "license", KEYS[:1])


def test_row_12_an_envelope_has_a_size():
    with refused("too-large", "1,048,577 bytes"):
        verify(SIGNED + b" " * ((1 << 20) + 1 - len(SIGNED)), "license", KEYS[:1])
    with refused("too-large", "the license is too large"):
        sign(b'{"a":"%b"}' % (b"x" * 800_000), "license", PRIVATE[:1])
    large = b'{"a":"%b"}' % (b"x" * 780_000)
    assert verify(sign(large, "license", PRIVATE[:1]), "license", KEYS[:1]) == large


def test_row_11_an_envelope_cut_anywhere_is_refused():
    for length in range(len(SIGNED)):
        with pytest.raises(SignedDocumentError):
            verify(SIGNED[:length], "license", KEYS[:1])


def test_row_11_every_flipped_bit_is_refused():
    for position in range(len(SIGNED)):
        for bit in range(8):
            changed = bytearray(SIGNED)
            changed[position] ^= 1 << bit
            with pytest.raises(SignedDocumentError):
                verify(bytes(changed), "license", KEYS[:1])


@settings(deadline=None)
@given(st.integers(0, len(TWICE) - 1), st.integers(1, 255))
def test_row_11_a_changed_byte_never_changes_the_payload(position, difference):
    """One of two signatures is enough here: damage to the hint of the other one only leaves it aside."""
    changed = bytearray(TWICE)
    changed[position] ^= difference
    try:
        payload = verify(bytes(changed), "license", KEYS[:2])
    except SignedDocumentError:
        return
    assert payload == PAYLOAD


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["payload", "payloadType", "signatures", "keyid", "sig", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.binary(max_size=300) | JSON.map(dumps))
def test_any_bytes_are_its_own_error(data):
    for call in (read_envelope, lambda data: verify(data, "license", KEYS[:1])):
        with pytest.raises(SignedDocumentError):
            call(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["payload", "payloadType", "signatures", "keyid", "sig"]), JSON)
def test_any_value_in_the_place_of_any_field_is_its_own_error(field, value):
    changed = json.loads(SIGNED)
    place = changed if field in changed else changed["signatures"][0]
    place[field] = value
    with pytest.raises(SignedDocumentError):
        verify(dumps(changed), "license", KEYS[:1])


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"1", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xef\xbb\xbf{}", b'{"a":"\xff"}']
)
def test_nobody_signs_what_no_reader_would_take(payload):
    with pytest.raises(SignedDocumentError):
        sign(payload, "license", PRIVATE[:1])


def test_signatures_made_elsewhere_are_joined_and_checked():
    message = signed_bytes(PAYLOAD, "license")
    signatures = {KEYS[n]: PRIVATE[n].sign(message) for n in (1, 0)}
    assert seal(PAYLOAD, "license", signatures) == TWICE
    with refused("signature"):
        seal(PAYLOAD, "license", {KEYS[0]: PRIVATE[1].sign(message)})
    with pytest.raises(ValueError, match="1 to 16 signatures, not 0"):
        seal(PAYLOAD, "license", {})


def test_row_4_documents_of_other_keys_are_refused_whatever_they_are():
    with refused("wrong-kind", "the kind root"):
        verify(root_document(), "license", KEYS[:3])


def test_the_payload_is_read_by_the_same_rules():
    """DSSE signs bytes: a signer without our checks may sign a payload of two readings. Reading it is refused."""
    payload = b'{"tier":"free","tier":"ent"}'
    with refused("duplicate-name", "'tier'"):
        parse_json(verify(raw_envelope(payload), "license", KEYS[:1]))
