# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import hashlib
import json

import pytest
from signed import KEYS, PRIVATE, b64, refused

from tunesmith.licensing import PublicKey, verify
from tunesmith.licensing.envelope import Envelope, _written, pae, payload_type

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def add(one, two):
    """The sum of two points of the curve -x² + y² = 1 + dx²y² (RFC 8032, 5.1.4, in affine coordinates)."""
    (a, b), (c, d) = one, two
    product = D * a * b * c * d % P
    return (a * d + b * c) * pow(1 + product, -1, P) % P, (b * d + a * c) * pow(1 - product, -1, P) % P


def torsion():
    """The eight points whose order divides 8: the multiples of a point of order 8, found from no table.

    Of a point Q of the curve, (group order / 8) * Q has an order that divides 8; for some Q it is 8 itself.
    """
    y = 1
    while True:
        y += 1
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        root = pow(square, (P + 3) // 8, P)
        root = root if root * root % P == square else root * pow(2, (P - 1) // 4, P) % P
        if root * root % P != square:
            continue
        point, total, times = (root, y), (0, 1), 2**252 + 27742317777372353535851937790883648493
        while times:
            total = add(total, point) if times & 1 else total
            point, times = add(point, point), times >> 1
        points = [(0, 1)]
        for _ in range(7):
            points.append(add(points[-1], total))
        if len(set(points)) == 8:
            return points


def written(y, sign):
    return (y | sign << 255).to_bytes(32, "little")


def test_row_3_keys_of_low_order_are_refused():
    """Both ways to write each: the bit of x may lie for the two points whose x is 0."""
    points = torsion()
    assert add(points[7], points[1]) == (0, 1)
    for _, y in points:
        for sign in (0, 1):
            with refused("key-order", "low order", "a key that was generated"):
                PublicKey(written(y, sign))


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("above", range(19))
def test_row_3_keys_written_in_a_second_way_are_refused(above, sign):
    with refused("key-encoding", "second way"):
        PublicKey(written(P + above, sign))


def test_row_3_why_under_a_low_order_key_one_signature_fits_every_message():
    """What the refusal is for: the mathematics underneath takes it."""
    key = object.__new__(PublicKey)
    object.__setattr__(key, "raw", written(1, 0))
    signature = written(1, 0) + bytes(32)
    assert all(key.fits(signature, b"message %d" % number) for number in range(16))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length):
    with refused("key", f"{length} bytes", "32 bytes"):
        PublicKey(b"\x05" * length)


def test_a_key_is_named_after_its_bytes():
    key = KEYS[0]
    assert key.keyid == hashlib.sha256(PRIVATE[0].public_key().public_bytes_raw()).hexdigest()
    assert PublicKey.from_text(key.text) == key == PublicKey(key.raw)
    assert hash(PublicKey(key.raw)) == hash(key)
    assert key != KEYS[1]


def test_bytes_that_are_no_point_fit_nothing():
    assert not PublicKey((2).to_bytes(32, "little")).fits(bytes(64), b"message")


def test_row_1_wycheproof(shared):
    """Every case by our own path: a key is loaded, and its signature fits or does not."""
    file = shared / "vectors" / "wycheproof" / "ed25519_test.json"
    if not file.is_file():
        pytest.skip("needs Wycheproof's vectors in ../shared/vectors")
    cases = [
        (group["publicKey"]["pk"], case)
        for group in json.loads(file.read_text())["testGroups"]
        for case in group["tests"]
    ]
    wrong = []
    for key, case in cases:
        fits = PublicKey(bytes.fromhex(key)).fits(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
        if fits is not (case["result"] == "valid"):
            wrong.append(case["tcId"])
    assert len(cases) == 151
    assert not wrong


def test_row_1_wycheproof_damage_done_to_envelopes(shared):
    """The damage of the invalid cases of 64 bytes (S of the order or more, parts exchanged …), done to envelopes."""
    file = shared / "vectors" / "wycheproof" / "ed25519_test.json"
    if not file.is_file():
        pytest.skip("needs Wycheproof's vectors in ../shared/vectors")
    seen = 0
    for group in json.loads(file.read_text())["testGroups"]:
        key = PublicKey(bytes.fromhex(group["publicKey"]["pk"]))
        for case in group["tests"]:
            signature = bytes.fromhex(case["sig"])
            if case["result"] == "valid" or len(signature) != 64:
                continue
            envelope = _written(Envelope("license", bytes.fromhex(case["msg"]), {key.keyid: signature}))
            with refused("signature", "does not fit"):
                verify(envelope, "license", [key])
            seen += 1
    assert seen > 20


def test_row_1_the_order_of_the_group_added_to_a_signature_is_refused():
    """S and S + L are the same to the equation; RFC 8032 (5.1.7) wants the smaller."""
    order = 2**252 + 27742317777372353535851937790883648493
    payload = b"{}"
    signature = PRIVATE[0].sign(pae(payload_type("license"), payload))
    s = int.from_bytes(signature[32:], "little") + order
    twin = signature[:32] + s.to_bytes(32, "little")
    assert b64(twin) != b64(signature)
    with refused("signature", "does not fit"):
        verify(_written(Envelope("license", payload, {KEYS[0].keyid: twin})), "license", [KEYS[0]])
