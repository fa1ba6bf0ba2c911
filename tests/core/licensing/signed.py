# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Keys, documents and roots for the tests of this folder; always the same ones."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import contextmanager
from datetime import datetime, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tunesmith.licensing import REASONS, PublicKey, SignedDocumentError, pae, sign

PRIVATE = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"key %d" % number).digest()) for number in range(12)]
KEYS = [PublicKey.of(key) for key in PRIVATE]
PAYLOAD = b'{"licensee":"A customer whom nobody else should know","seats":3}'
NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)


@contextmanager
def refused(reason, *words):
    """The block raises ``SignedDocumentError`` for this reason, with these words, and without words of the document."""
    assert reason in REASONS
    with pytest.raises(SignedDocumentError) as caught:
        yield
    error = caught.value
    assert error.reason == reason, str(error)
    for word in words:
        assert word in str(error)
    assert str(error).isprintable() or "\n" in str(error)
    assert "A customer" not in str(error)
    assert "eyJwYXlsb2Fk" not in str(error)


def license_document(*numbers, payload=PAYLOAD):
    return sign(payload, "license", [PRIVATE[number] for number in numbers or (0,)])


def raw_envelope(payload=PAYLOAD, media_type="application/vnd.tunesmith.license.v1+json", signers=(0,), **changes):
    """An envelope put together by hand, so that it can be wrong; signed as DSSE has it."""
    signatures = [
        {"keyid": KEYS[number].keyid, "sig": b64(PRIVATE[number].sign(pae(media_type, payload)))} for number in signers
    ]
    signatures.sort(key=lambda signature: signature["keyid"])
    value = {"payload": b64(payload), "payloadType": media_type, "signatures": signatures} | changes
    return dumps(value)


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


def b64(data):
    return base64.b64encode(data).decode()


def root_payload(version=1, root=(0, 1, 2), threshold=2, issuer=(3,), revocation=(4,), expires="2030-01-01T00:00:00Z"):
    return {
        "schema": 1,
        "version": version,
        "expires": expires,
        "roles": {
            "root": {"threshold": threshold, "keys": [KEYS[number].text for number in root]},
            "issuer": {"threshold": 1, "keys": [KEYS[number].text for number in issuer]},
            "revocation": {"threshold": 1, "keys": [KEYS[number].text for number in revocation]},
        },
    }


def root_document(signers=(0, 1), **parts):
    return sign(dumps(root_payload(**parts)), "root", [PRIVATE[number] for number in signers])
