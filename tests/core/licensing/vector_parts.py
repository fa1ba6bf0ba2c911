# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the vectors are put together from: keys, envelopes, roots, texts. Nothing here uses ``tunesmith``.

The private keys are the SHA-256 of texts that stand below. They are public, for tests only, and no product may trust
them.
"""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED = "Tunesmith test vectors, key %d: public, for tests only, never trust it"
PRIVATE = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256((SEED % n).encode()).digest()) for n in range(18)]
PUBLIC = [key.public_key().public_bytes_raw() for key in PRIVATE]
KEYID = [hashlib.sha256(raw).hexdigest() for raw in PUBLIC]
KINDS = (
    "license",
    "root",
    "revocations",
    "pool",
    "lease",
    "activation-request",
    "activation-response",
    "usage-report",
)
PAYLOAD = b'{"licensee":"Example Ltd","seats":5}'


def b64(data):
    return base64.b64encode(data).decode()


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


def media(kind):
    return f"application/vnd.tunesmith.{kind}.v1+json"


def pae(media_type, payload):
    return b"DSSEv1 %d %b %d %b" % (len(media_type.encode()), media_type.encode(), len(payload), payload)


def signature(number, payload=PAYLOAD, kind="license"):
    """The 64 bytes that key ``number`` makes."""
    return PRIVATE[number].sign(pae(media(kind), payload))


def entry(keyid, made):
    """One of the ``signatures``: a key's number or a text, and the bytes or the text of its signature."""
    return {
        "keyid": KEYID[keyid] if isinstance(keyid, int) else keyid,
        "sig": made if isinstance(made, str) else b64(made),
    }


def envelope(payload=PAYLOAD, /, kind="license", signers=(0,), *, media_type=None, **changes):
    """An envelope signed by ``signers``; ``changes`` take the place of fields or come behind them."""
    media_type = media_type if media_type is not None else media(kind)
    made = [entry(number, PRIVATE[number].sign(pae(media_type, payload))) for number in signers]
    made.sort(key=lambda item: item["keyid"])
    return dumps({"payload": b64(payload), "payloadType": media_type, "signatures": made} | changes)


def root_value(version=1, root=(0, 1, 2), threshold=2, issuer=(3,), revocation=(4,), expires="2036-01-01T00:00:00Z"):
    def role(numbers, least):
        return {"threshold": least, "keys": [b64(PUBLIC[number]) for number in numbers]}

    roles = {"root": role(root, threshold), "issuer": role(issuer, 1), "revocation": role(revocation, 1)}
    return {"schema": 1, "version": version, "expires": expires, "roles": roles}


def root(signers=(0, 1), **parts):
    """The envelope of a root; ``parts`` as for ``root_value``."""
    return envelope(dumps(root_value(**parts)), "root", signers)


def armor(data, label="LICENSE", columns=64, end="\n"):
    body = b64(data)
    lines = [body[start : start + columns] for start in range(0, len(body), columns)]
    return end.join([f"-----BEGIN TUNESMITH {label}-----", *lines, f"-----END TUNESMITH {label}-----", ""])


def written(data):
    """Bytes as they stand in a vector: ASCII as text, others as base64, long ones as texts with their numbers."""
    if isinstance(data, list):
        return {"parts": [{"text": text, "times": times} for text, times in data]}
    if isinstance(data, str):
        data = data.encode()
    return {"text": data.decode()} if data.isascii() else {"base64": b64(data)}


def vector(name, shows, document, outcome, ask="verify", form="envelope", kind="license", **more):
    """One vector. ``outcome``: the payload if the document is taken (bytes or parts), or the reason (text)."""
    found = {"id": name, "shows": shows, "ask": ask, "form": form}
    if ask in ("verify", "role"):
        found["kind"] = kind
    if ask == "verify":
        keys = more.pop("keys", (0,))
        found["keys"] = [(PUBLIC[key] if isinstance(key, int) else key).hex() for key in keys]
        found["threshold"] = more.pop("threshold", 1)
    if "roots" in more:
        found["roots"] = [written(item) for item in more.pop("roots")]
    found.update(more)
    found["document"] = written(document)
    found["expected"] = {"reason": outcome} if isinstance(outcome, str) else {"payload": written(outcome)}
    return found
