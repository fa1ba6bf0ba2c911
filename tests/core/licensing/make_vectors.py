# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Writes the vectors of signed documents: ``python make_vectors.py [folder]``. The same bytes every time.

What is expected is written here by hand, from the reference page; it is not what some verifier happened to answer.
What ``ask``, ``form`` and the other fields of a vector mean: docs/reference/signed-documents.md, "Vectors".
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from pathlib import Path

import vectors_of_envelopes
import vectors_of_roots
import vectors_of_texts
from vector_parts import (
    KEYID,
    PAYLOAD,
    PRIVATE,
    PUBLIC,
    SEED,
    b64,
    entry,
    envelope,
    media,
    pae,
    signature,
    vector,
)

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
LONG = len(envelope())


def signatures():
    """Rows 2, 6, 7 and 10 of what can be done to signatures and to the names of keys."""
    good = signature(0)
    high = good[:32] + (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")

    def one(name, shows, made, outcome="signature", keyid=0, **more):
        return vector(name, shows, envelope(signatures=[entry(keyid, made)]), outcome, **more)

    yield vector("signed", "one signature by the one key that is trusted", envelope(), PAYLOAD)
    for length in (0, 1, 32, 63):
        yield one(f"length-{length}", f"a signature of {length} bytes", good[:length])
    for length in (65, 128):
        yield one(f"length-{length}", f"a signature of {length} bytes", good + bytes(length - 64))
    yield one("all-zero", "a signature of 64 zeros", bytes(64))
    yield one("all-ones", "a signature of 64 bytes 255", b"\xff" * 64)
    yield one("halves-exchanged", "R and S exchanged", good[32:] + good[:32])
    yield one("s-plus-order", "S + L in the place of S: the same to the equation", high)
    yield one("s-is-order", "S = L", good[:32] + ORDER.to_bytes(32, "little"))
    yield one("s-zero", "the right R, and S = 0", good[:32] + bytes(32))
    yield one("r-of-second-writing", "R with a coordinate of 2^255 - 19", PRIME.to_bytes(32, "little") + good[32:])
    yield one("bare-payload", "a signature of the payload without its type", PRIVATE[0].sign(PAYLOAD))
    encoded = PRIVATE[0].sign(pae(media("license"), b64(PAYLOAD).encode()))
    yield one("of-base64", "a signature of the payload's base64", encoded)
    hashed = PRIVATE[0].sign(hashlib.sha512(pae(media("license"), PAYLOAD)).digest())
    yield one("of-hash", "a signature of the SHA-512 of what has to be signed", hashed)
    yield one("other-key", "a trusted key's name over another key's signature", signature(1))
    yield one("other-payload", "a signature of another payload", signature(0, b'{"seats":500}'))
    yield one("unknown-key", "only a key signed that is not trusted", signature(1), "untrusted", keyid=1)
    yield one("no-keys", "nobody is trusted", good, "untrusted", keys=())
    yield one("hint-unknown", "a good signature under an unknown name", good, "untrusted", keyid="0" * 64)
    yield one("hint-other", "a good signature under another trusted key's name", good, keyid=1, keys=(0, 1))
    for name, keyid in {
        "path": "../../etc/passwd",
        "address": "https://example.com/key",
        "empty": "",
        "short": KEYID[0][:-1],
        "long": KEYID[0] + "0",
        "upper-case": KEYID[0].upper(),
        "zero-byte": KEYID[0][:-1] + "\0",
        "line-end": KEYID[0] + "\n",
        "other-letters": KEYID[0][:-1] + "\u0430",
        "other-digits": KEYID[0][:-1] + "\u0663",
    }.items():
        yield one(f"keyid-{name}", f"the name of a key is no hash: {name}", good, "value", keyid=keyid)
    head, tail = envelope().decode().split(KEYID[0])
    yield vector("keyid-huge", "a name of 800,000 digits", [(head, 1), ("0", 800_000), (tail, 1)], "value")

    pair = sorted([entry(0, signature(0)), entry(1, signature(1))], key=lambda item: item["keyid"])
    both = {"keys": (0, 1, 2), "threshold": 2}
    yield vector("two-of-three", "two of three signed", envelope(signers=(0, 1)), PAYLOAD, **both)
    yield vector("all-three", "three signed and two have to", envelope(signers=(0, 1, 2)), PAYLOAD, **both)
    yield vector("one-of-three", "one signed and two have to", envelope(), "threshold", **both)
    yield vector("one-and-stranger", "one signed, and a stranger", envelope(signers=(0, 3)), "threshold", **both)
    yield vector("stranger-too", "a stranger signed as well", envelope(signers=(0, 3)), PAYLOAD)
    misfit = sorted([entry(0, good), entry(1, bytes(64))], key=lambda item: item["keyid"])
    doc = envelope(signatures=misfit)
    yield vector("misfit-aside-stranger", "a stranger's signature is no signature: left aside", doc, PAYLOAD)
    yield vector(
        "misfit-of-trusted", "enough signed, but another trusted key's is wrong", doc, "signature", keys=(0, 1)
    )
    doc = envelope(signatures=pair[::-1])
    yield vector("out-of-order", "signatures in descending order", doc, "signature-order", **both)
    doc = envelope(signatures=[pair[0], pair[0]])
    yield vector("repeated", "a signature twice", doc, "signature-order", **both)
    doc = envelope(signatures=sorted([entry(0, good), entry(0, bytes(64))], key=lambda item: item["sig"]))
    yield vector("name-twice", "two signatures under one name", doc, "signature-order")
    doc = envelope(signatures=sorted([entry(0, good), entry("0" * 64, good)], key=lambda item: item["keyid"]))
    yield vector("two-names", "a signature under two names counts once", doc, "threshold", keys=(0, 1), threshold=2)
    doc = envelope(signatures=sorted([entry(0, good), entry(1, good)], key=lambda item: item["keyid"]))
    yield vector("two-trusted-names", "a signature under two trusted names", doc, "signature", keys=(0, 1), threshold=2)
    yield vector("key-twice", "a key given twice counts once", envelope(), "threshold", keys=(0, 0), threshold=2)
    yield vector("more-than-keys", "more have to sign than there are", envelope(), "threshold", threshold=2)
    yield vector("unsigned", "no signature", envelope(signatures=[]), "unsigned")
    doc, every = envelope(signers=range(16)), {"keys": range(16), "threshold": 16}
    yield vector("sixteen", "as many signatures as there can be", doc, PAYLOAD, **every)
    yield vector("seventeen", "one signature too many", envelope(signers=range(17)), "value", **every)


def keys():
    """Row 3. A forgery for each key of low order: R the neutral element, S = 0, and h * A = 0 for this payload."""
    neutral = (1).to_bytes(32, "little")
    low = {"0": 0, "1": 1, "p-1": PRIME - 1, "order-8": ORDER_8, "order-8-other": PRIME - ORDER_8}
    cases = {
        f"low-order-{name}-sign-{sign}": (y | sign << 255, "key-order") for name, y in low.items() for sign in (0, 1)
    }
    for above in range(19):
        cases[f"second-writing-p+{above}"] = (PRIME + above, "key-encoding")
    cases["second-writing-p-negative"] = (PRIME | 1 << 255, "key-encoding")
    for name, (number, reason) in cases.items():
        public = number.to_bytes(32, "little")
        for count in itertools.count():
            payload = b'{"forged":%d}' % count
            digest = hashlib.sha512(neutral + public + pae(media("license"), payload)).digest()
            if int.from_bytes(digest, "little") % ORDER % 8 == 0:
                break
        made = [entry(hashlib.sha256(public).hexdigest(), neutral + bytes(32))]
        shows = "a forgery under a key of low order" if reason == "key-order" else "a key written in a second way"
        yield vector(name, shows, envelope(payload, signatures=made), reason, keys=(public,))
    for length in (0, 31, 33, 64):
        raw = (PUBLIC[0] + PUBLIC[1])[:length]
        yield vector(f"key-of-{length}", f"a key of {length} bytes", envelope(), "key", keys=(raw,))
    y = next(y for y in itertools.count(2) if not on_curve(y)).to_bytes(32, "little")
    doc = envelope(signatures=[entry(hashlib.sha256(y).hexdigest(), bytes(64))])
    yield vector("no-point", "a key that is no point of the curve", doc, "signature", keys=(y,))


def on_curve(y):
    """Whether some x belongs to ``y``: (y² - 1) / (dy² + 1) is a square."""
    d = -121665 * pow(121666, -1, PRIME)
    return pow((y * y - 1) * pow(d * y * y + 1, -1, PRIME) % PRIME, (PRIME - 1) // 2, PRIME) in (0, 1)


def files():
    """The vectors, by the names of their files."""
    return {
        "signatures": list(signatures()),
        "keys": list(keys()),
        "envelopes": list(vectors_of_envelopes.envelopes()),
        "json": list(vectors_of_envelopes.payloads()),
        "texts": list(vectors_of_texts.texts()),
        "roots": list(vectors_of_roots.roots()),
    }


def write(folder):
    """All files into a folder."""
    notice = "The private key n is the SHA-256 of the seed text with n for %d. Public: for tests only, trust none."
    for name, vectors in files().items():
        found = {"format": "tunesmith-signed-documents-vectors-1", "notice": notice, "seed": SEED, "vectors": vectors}
        (folder / f"{name}.json").write_bytes(json.dumps(found, indent=1).encode() + b"\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "vectors")
