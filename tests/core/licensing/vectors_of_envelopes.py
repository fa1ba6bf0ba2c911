# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Vectors of envelopes and of the JSON in them: rows 5, 9 and 11 to 17."""

from __future__ import annotations

import json

from vector_parts import KEYID, KINDS, PAYLOAD, b64, dumps, entry, envelope, media, signature, vector

GOOD = envelope()
TEXT = GOOD.decode()
LIMIT = 1 << 20


def envelopes():
    yield from kinds()
    yield from fields()
    yield from base64_texts()
    yield from writings()
    yield from sizes()
    yield from damage()


def kinds():
    """Row 5: the kind is signed, so that no document is taken for another one; row 15: kinds of another time."""
    for kind in KINDS:
        document = envelope(kind=kind)
        yield vector(f"kind-{kind}", f"a {kind}", document, PAYLOAD, kind=kind)
        for other in KINDS:
            if other != kind:
                yield vector(f"{kind}-as-{other}", f"a {kind} for a {other}", document, "wrong-kind", kind=other)
                moved = document.replace(media(kind).encode(), media(other).encode())
                yield vector(f"{kind}-renamed-{other}", f"a {kind} renamed {other}", moved, "signature", kind=other)
    for name, media_type, reason in (
        ("next-version", "application/vnd.tunesmith.license.v2+json", "newer-format"),
        ("unknown-kind", "application/vnd.tunesmith.voucher.v1+json", "newer-format"),
        ("foreign", "application/vnd.in-toto+json", "wrong-kind"),
        ("capital", "Application/vnd.tunesmith.license.v1+json", "wrong-kind"),
        ("space-behind", media("license") + " ", "newer-format"),
        ("empty", "", "wrong-kind"),
        ("escape-sequence", "\x1b[2J", "wrong-kind"),
        ("twin-letter", media("license").replace("a", "\u0430", 1), "wrong-kind"),
    ):
        document = envelope(media_type=media_type)
        yield vector(f"type-{name}", f"a payloadType, well signed: {name}", document, reason)


def fields():
    """Rows 9 and 17: there is no algorithm to confuse, and nothing that nobody reads."""
    value = json.loads(GOOD)
    for name in ("alg", "typ", "jwk", "jku", "x5u", "crit", "b64", "kid", "zip", "payloadtype", "p\u0430yload"):
        document = envelope(**{name: "none"})
        ascii_name = name.encode("ascii", "replace").decode().replace("?", "_")
        yield vector(f"field-{ascii_name}", f"the envelope has a field {ascii_name}", document, "unknown-field")
        document = envelope(signatures=[value["signatures"][0] | {name: "none"}])
        yield vector(f"signature-{ascii_name}", f"a signature has a field {ascii_name}", document, "unknown-field")
    for name in ("payload", "payloadType", "signatures"):
        document = dumps({key: item for key, item in value.items() if key != name})
        yield vector(f"no-{name}", f"there is no {name}", document, "missing-field")
        yield vector(f"null-{name}", f"{name} is null", envelope(**{name: None}), "type")
        yield vector(f"number-{name}", f"{name} is a number", envelope(**{name: 1}), "type")
    for name in ("keyid", "sig"):
        whole = value["signatures"][0]
        document = envelope(signatures=[{key: item for key, item in whole.items() if key != name}])
        yield vector(f"no-{name}", f"a signature without {name}", document, "missing-field")
        yield vector(f"null-{name}", f"{name} is null", envelope(signatures=[whole | {name: None}]), "type")
    yield vector("signature-text", "a signature is a text", envelope(signatures=["x"]), "type")
    yield vector("signatures-object", "the signatures are an object", envelope(signatures={"0": value}), "type")
    yield vector("array", "the envelope is an array", b"[" + GOOD + b"]", "type")
    yield vector("null", "the envelope is null", b"null", "type")


def base64_texts():
    """Row 13: one text for each value."""
    payload = b'{"a":">>>???","b":1}'
    text, good = b64(payload), envelope(payload)
    assert "+" in text
    assert "/" in text
    assert text.endswith("=")
    stray = text[:-2] + chr(ord(text[-2]) + 1) + "="
    made = b64(signature(0))
    for name, old, new, reason in (
        ("payload-lost-padding", text, text.rstrip("="), "padding"),
        ("payload-more-padding", text, text + "=", "padding"),
        ("payload-url-safe", text, text.replace("+", "-").replace("/", "_"), "url-safe"),
        ("payload-trailing-bits", text, stray, "trailing-bits"),
        ("payload-line-end", text, text[:8] + "\\n" + text[8:], "alphabet"),
        ("payload-line-end-behind", text, text + "\\n", "alphabet"),
        ("payload-space", text, text[:8] + " " + text[8:], "alphabet"),
        ("payload-junk", text, text[:8] + "*" + text[8:], "alphabet"),
        ("payload-padding-within", text, text[:4] + "====" + text[4:], "alphabet"),
        ("payload-other-letters", text, "\u0435" + text[1:], "alphabet"),
    ):
        document = good.replace(old.encode(), new.encode())
        yield vector(name, "the payload in another base64", document, reason)
    sample = next(n for n in range(99) if set(b64(signature(0, b'{"n":%d}' % n))) >= set("+/"))
    other = b'{"n":%d}' % sample
    plain = b64(signature(0, other))
    for name, content, new, reason in (
        ("sig-lost-padding", PAYLOAD, made.rstrip("="), "padding"),
        ("sig-more-padding", PAYLOAD, made + "==", "alphabet"),
        ("sig-trailing-bits", PAYLOAD, made[:-3] + chr(ord(made[-3]) + 1) + "==", "trailing-bits"),
        ("sig-url-safe", other, plain.replace("+", "-").replace("/", "_"), "url-safe"),
        ("sig-line-end", PAYLOAD, made + "\n", "alphabet"),
        ("sig-hexadecimal", PAYLOAD, signature(0).hex(), "signature"),
    ):
        document = envelope(content, signatures=[entry(0, new)])
        yield vector(name, "a signature in another base64, or in none", document, reason)


def writings():
    """Rows 14 and 16: the envelope as other parsers may read or write it."""
    value = json.loads(GOOD)
    behind = TEXT[:-1]
    for name, document, reason in (
        ("spaces", json.dumps(value), "not-canonical"),
        ("line-end-behind", TEXT + "\n", "not-canonical"),
        ("space-before", " " + TEXT, "not-canonical"),
        ("other-order", dumps(dict(reversed(value.items()))), "not-canonical"),
        ("escaped-letter", TEXT.replace("vnd.", "\\u0076nd."), "not-canonical"),
        ("escaped-slash", TEXT.replace("/", "\\/"), "not-canonical"),
        ("name-twice", TEXT.replace('{"payload"', '{"payload":"","payload"'), "duplicate-name"),
        ("type-twice", behind + f',"payloadType":"{media("license")}"}}', "duplicate-name"),
        ("keyid-twice", TEXT.replace('"sig"', f'"keyid":"{KEYID[0]}","sig"'), "duplicate-name"),
        ("escaped-name-twice", TEXT.replace('{"payload"', '{"p\\u0061yload":"","payload"'), "duplicate-name"),
        ("nan", behind + ',"x":NaN}', "number"),
        ("infinity", behind + ',"x":-Infinity}', "number"),
        ("too-large-number", behind + ',"x":1e999}', "number"),
        ("half-surrogate", behind + ',"x":"\\ud800"}', "surrogate"),
        ("mark", "\ufeff" + TEXT, "byte-order-mark"),
        ("utf-16", b"\xff\xfe" + TEXT.encode("utf-16-le"), "byte-order-mark"),
        ("utf-16-big", b"\xfe\xff" + TEXT.encode("utf-16-be"), "byte-order-mark"),
        ("utf-16-no-mark", TEXT.encode("utf-16-le"), "not-text"),
        ("utf-32-no-mark", TEXT.encode("utf-32-le"), "not-text"),
        ("latin-1", TEXT.encode().replace(b"vnd", b"\xe9"), "not-text"),
        ("zero-byte", TEXT + "\0", "not-text"),
        ("twice", TEXT + TEXT, "json"),
        ("comma-behind", behind + ",}", "json"),
        ("comment", TEXT + "//", "json"),
        ("single-quotes", TEXT.replace('"', "'"), "json"),
        ("no-bytes", b"", "json"),
        ("armored", b64(GOOD), "json"),
        ("arrays", [("[", 100_000)], "depth"),
    ):
        yield vector(f"writing-{name}", f"another writing of a good envelope: {name}", document, reason)


def sizes():
    """Row 12."""
    kind = next(k for k in KINDS if (LIMIT - len(envelope(b"", k))) % 4 == 0)
    units = (LIMIT - len(envelope(b"", kind))) // 4 - 3  # 8 characters before them and 4 behind
    for name, more, reason in (("limit", 0, None), ("limit-and-4", 1, "too-large")):
        payload = b'{"a":"' + b"xxx" * (units + more) + b'x"}'
        document = envelope(payload, kind)
        assert len(document) == LIMIT + 4 * more
        head, tail = document.decode().split("eHh4" * (units + more))
        parts = [(head, 1), ("eHh4", units + more), (tail, 1)]
        plain = [('{"a":"', 1), ("xxx", units + more), ('x"}', 1)]
        yield vector(f"size-{name}", "1,048,576 bytes are the most", parts, reason or plain, kind=kind)
    parts = [(TEXT, 1), (" ", LIMIT + 1 - len(GOOD))]
    yield vector("size-limit-and-1", "1,048,577 bytes: refused before anything is read", parts, "too-large")


def damage():
    """Row 11. Every cut and every flipped bit is refused; here is one for each thing that it hits."""
    for name, length in (
        ("1", 1),
        ("half", len(GOOD) // 2),
        ("all-but-2", len(GOOD) - 2),
        ("all-but-1", len(GOOD) - 1),
    ):
        yield vector(f"cut-{name}", f"the first {length} bytes of a good envelope", GOOD[:length], "json")
    start, made = TEXT.index(KEYID[0]), TEXT.index(b64(signature(0)))
    digit = next(n for n in range(start, start + 64) if TEXT[n].isdigit())
    letter = next(n for n in range(start, start + 64) if TEXT[n].isalpha())
    for name, position, bit, reason in (
        ("opening-brace", 0, 1, "json"),
        ("quote", 1, 1, "json"),
        ("name", 2, 1, "missing-field"),
        ("colon", TEXT.index(":"), 2, "json"),
        ("payload-first", TEXT.index("eyJ"), 1, "signature"),
        ("payload-later", TEXT.index("eyJ") + 21, 4, "signature"),
        ("type-kind", TEXT.index("license."), 1, "newer-format"),
        ("type-version", TEXT.index("v1+json") + 1, 2, "newer-format"),
        ("type-family", TEXT.index("application"), 1, "wrong-kind"),
        ("keyid-digit", digit, 1, "untrusted"),
        ("keyid-letter-case", letter, 32, "value"),
        ("signature-r", next(n for n in range(made, made + 40) if TEXT[n] in "bcdefg"), 8, "signature"),
        ("signature-s", next(n for n in range(made + 50, made + 84) if TEXT[n] in "bcdefg"), 8, "signature"),
        ("signature-padding", TEXT.index('=="') + 1, 1, "alphabet"),
        ("high-bit", 100, 128, "not-text"),
        ("control", TEXT.index('"payloadType"') + 3, 64 + 32, "json"),
        ("closing-brace", len(GOOD) - 1, 2, "json"),
    ):
        changed = bytearray(GOOD)
        changed[position] ^= bit
        yield vector(f"flip-{name}", f"bit {bit} of byte {position} flipped", bytes(changed), reason)


def payloads():
    """Row 14: envelopes that are well signed, with payloads of more than one reading, or just within the rules."""
    for name, payload in (
        ("empty-object", b"{}"),
        ("white-space", b' {\r\n "b" : 1 ,\t"a": [ ] }\n'),
        ("non-ascii", '{"licensee":"Gr\u00fc\u00dfe \u6e2c\u8a66 \U0001f600"}'.encode()),
        ("pair-of-surrogates", b'{"a":"\\ud83d\\ude00"}'),
        ("decomposed", '{"a":"e\u0301"}'.encode()),
        ("twin-names", '{"tier":1,"ti\u0435r":2}'.encode()),
        ("largest-integers", b'{"a":9007199254740991,"b":-9007199254740991}'),
        ("largest-double", b'{"a":1.7976931348623157e308}'),
        ("depth-32", b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"),
        ("brackets-in-text", b'{"a":"' + b"[" * 99 + b'"}'),
    ):
        yield vector(f"payload-{name}", f"a payload that is taken as it is: {name}", envelope(payload), payload)
    for name, payload, reason in (
        ("name-twice", b'{"tier":"free","tier":"all"}', "duplicate-name"),
        ("name-twice-deep", b'{"a":[{"b":1,"b":1}]}', "duplicate-name"),
        ("name-twice-escaped", b'{"tier":1,"t\\u0069er":2}', "duplicate-name"),
        ("nan", b'{"a":NaN}', "number"),
        ("infinity", b'{"a":Infinity}', "number"),
        ("minus-infinity", b'{"a":-Infinity}', "number"),
        ("beyond-double", b'{"a":1e999}', "number"),
        ("integer-beyond", b'{"a":9007199254740992}', "number"),
        ("integer-below", b'{"a":-9007199254740992}', "number"),
        ("5000-digits", b'{"a":' + b"9" * 5000 + b"}", "number"),
        ("half-surrogate", b'{"a":"\\ud800"}', "surrogate"),
        ("surrogates-exchanged", b'{"a":"\\ude00\\ud83d"}', "surrogate"),
        ("surrogate-in-name", b'{"\\udfff":1}', "surrogate"),
        ("surrogate-bytes", b'{"a":"\xed\xa0\x80"}', "not-text"),
        ("overlong", b'{"a":"\xc0\xaf"}', "not-text"),
        ("latin-1", b'{"a":"\xe9"}', "not-text"),
        ("zero-byte", b'{"a":1}\0', "not-text"),
        ("utf-16-no-mark", '{"a":1}'.encode("utf-16-be"), "not-text"),
        ("utf-16", b"\xff\xfe" + '{"a":1}'.encode("utf-16-le"), "byte-order-mark"),
        ("mark", b'\xef\xbb\xbf{"a":1}', "byte-order-mark"),
        ("depth-33", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "depth"),
        ("empty", b"", "json"),
        ("no-json", b"seats: 5", "json"),
        ("two-values", b"{}{}", "json"),
        ("comma-behind", b'{"a":1,}', "json"),
        ("control-character", b'{"a":"\x1b[2J"}', "json"),
        ("leading-zero", b'{"a":01}', "json"),
        ("compressed", bytes.fromhex("1f8b0800000000000003"), "not-text"),
    ):
        yield vector(f"payload-{name}", f"well signed, but not to be read: {name}", envelope(payload), reason)
