# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where securesystemslib takes an envelope that we refuse, and why we do: reasons to the ids of vectors.

There is no difference the other way round.
"""

import sys

from tunesmith.licensing import KINDS

_FIELDS = ("alg", "typ", "jwk", "jku", "x5u", "crit", "b64", "kid", "zip", "payloadtype", "p_yload")

DIFFERENCES = {
    "which kind is wanted is for its caller to compare; here the reader says it, so that nobody can forget": {
        *(f"{kind}-as-{other}" for kind in KINDS for other in KINDS if kind != other),
        "type-foreign",
        "type-capital",
        "type-empty",
        "type-escape-sequence",
        "type-twin-letter",
        "type-next-version",
        "type-unknown-kind",
        "type-space-behind",
    },
    "DSSE ignores fields that it does not know; a field that is ignored is one that somebody else may obey": {
        *(f"field-{name}" for name in _FIELDS),
        *(f"signature-{name}" for name in _FIELDS),
    },
    "DSSE takes both alphabets of base64, and Python's decoder stray bits; here a value has one text": {
        "payload-url-safe",
        "sig-url-safe",
        "payload-trailing-bits",
        "sig-trailing-bits",
        # Before Python 3.11 its decoder also takes one = too many.
        *({"payload-more-padding"} if sys.version_info < (3, 11) else ()),
    },
    "an envelope has one writing here, so that a list of refused documents cannot be passed by a space": {
        "writing-spaces",
        "writing-line-end-behind",
        "writing-space-before",
        "writing-other-order",
        "writing-escaped-letter",
        "writing-escaped-slash",
    },
    "signatures stand in one order, for the same reason": {"out-of-order"},
    "Python's JSON takes the last of two equal names; another parser takes the first": {
        "writing-name-twice",
        "writing-type-twice",
        "writing-keyid-twice",
        "writing-escaped-name-twice",
    },
    "Python's JSON takes NaN, infinities and halves of surrogate pairs, which are no JSON or not to be written": {
        "writing-nan",
        "writing-infinity",
        "writing-too-large-number",
        "writing-half-surrogate",
    },
    "Python's JSON guesses UTF-16, UTF-32 and marks; here there is one encoding": {
        "writing-mark",
        "writing-utf-16",
        "writing-utf-16-big",
        "writing-utf-16-no-mark",
        "writing-utf-32-no-mark",
    },
    "DSSE signs any bytes and does not look into them; here the payload is JSON with one reading": {
        "payload-name-twice",
        "payload-name-twice-deep",
        "payload-name-twice-escaped",
        "payload-nan",
        "payload-infinity",
        "payload-minus-infinity",
        "payload-beyond-double",
        "payload-integer-beyond",
        "payload-integer-below",
        "payload-5000-digits",
        "payload-half-surrogate",
        "payload-surrogates-exchanged",
        "payload-surrogate-in-name",
        "payload-surrogate-bytes",
        "payload-overlong",
        "payload-latin-1",
        "payload-zero-byte",
        "payload-utf-16-no-mark",
        "payload-utf-16",
        "payload-mark",
        "payload-depth-33",
        "payload-empty",
        "payload-no-json",
        "payload-two-values",
        "payload-comma-behind",
        "payload-control-character",
        "payload-leading-zero",
        "payload-compressed",
    },
    "it has no limits of size or number; here nobody can make a reader work without end": {
        "size-limit-and-4",
        "size-limit-and-1",
        "seventeen",
    },
    "RFC 8032 and OpenSSL take keys of low order, under which these are real forgeries": {
        *(f"low-order-{name}-sign-{sign}" for name in ("0", "1", "p-1", "order-8", "order-8-other") for sign in (0, 1)),
        # Of low order as well, written in a second way.
        "second-writing-p+0",
        "second-writing-p+1",
        "second-writing-p-negative",
    },
    "DSSE stops at enough signatures; here a wrong one under a trusted name is never the result of honest work": {
        "misfit-of-trusted",
    },
}
