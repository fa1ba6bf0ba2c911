# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Vectors of the text form: rows 12, 13, 19 and 20."""

from __future__ import annotations

from vector_parts import PAYLOAD, armor, b64, envelope, root, vector

TEXT = armor(envelope())
LINES = TEXT.splitlines()
LINE = "".join(LINES[1:-1])
MOST = 4 << 20


def texts():
    def text(name, shows, document, outcome, **more):
        return vector(name, shows, document, outcome, form="text", **more)

    for name, document in taken().items():
        yield text(f"text-{name.replace(' ', '-')}", f"taken: {name}", document, PAYLOAD)
    parts = [(TEXT, 1), (" ", MOST - len(TEXT))]
    yield text("text-of-limit", "4,194,304 characters, most of them white space", parts, PAYLOAD)
    parts = [(TEXT, 1), (" ", MOST + 1 - len(TEXT))]
    yield text("text-beyond-limit", "4,194,305 characters, most of them white space", parts, "too-large")
    for name, (document, reason) in accidents().items():
        yield text(f"text-{name.replace(' ', '-')}", f"refused: {name}", document, reason)
    changed = TEXT.replace(LINES[2], LINES[2][:8] + LINES[2][4:8] + LINES[2][12:])
    yield text("text-changed", "four characters changed, still an envelope", changed, "signature")
    for kind in ("usage-report", "activation-response"):
        document = armor(envelope(kind=kind), kind.upper().replace("-", " "))
        yield text(f"text-{kind}", f"a {kind} in its text form", document, PAYLOAD, kind=kind)
    padded = b64(envelope(b'{"a":"xx"}'))
    assert padded.endswith("==")
    stray = padded[:-3] + chr(ord(padded[-3]) + 1) + "=="
    for name, document, reason in (
        ("lost-padding", padded[:-2], "padding"),
        ("half-the-padding", padded[:-1], "padding"),
        ("trailing-bits", stray, "trailing-bits"),
        ("lost-3", padded[:-3], "truncated"),
        ("lost-7", padded[:-7], "truncated"),
    ):
        yield text(f"text-{name}", f"the end of one line: {name}", document, reason)


def taken():
    """What happens on the way and changes nothing."""
    return {
        "lines of 64": TEXT,
        "one line": LINE,
        "one line and its end": LINE + "\n",
        "line ends of Windows": TEXT.replace("\n", "\r\n"),
        "line ends of old Macintoshes": TEXT.replace("\n", "\r"),
        "white space around": "\n\t  " + TEXT + "\r\n \t\n",
        "no line end behind": TEXT.rstrip(),
        "indented": "".join(f"    {line}\n" for line in LINES),
        "empty lines": TEXT.replace("\n", "\n\n"),
        "lines of 20": armor(envelope(), columns=20),
        "lines of 76": armor(envelope(), columns=76),
        "not wrapped": armor(envelope(), columns=9999),
        "spaces for line ends": TEXT.replace("\n", " "),
        "no line ends": TEXT.replace("\n", ""),
        "double quotes": f'"{TEXT}"',
        "single quotes": f"'{TEXT}'",
        "line ends written out": TEXT.replace("\n", "\\n"),
        "Windows line ends written out": TEXT.replace("\n", "\\r\\n"),
        "written out in quotes": '"' + TEXT.replace("\n", "\\n") + '"',
        "one line in quotes": f'"{LINE}"',
    }


def accidents():
    """Each with the name of what happened."""
    after = armor(root(), "ROOT")
    return {
        "nothing": ("", "empty"),
        "only white space": (" \n\t ", "empty"),
        "only quotes": ('""', "empty"),
        "address": ("https://example.com/licenses/8812", "address"),
        "path": ("/etc/tunesmith/customer.lic", "path"),
        "name of a file": ("customer.lic", "path"),
        "web page": ("<!DOCTYPE html><title>Sign in", "web-page"),
        "bare envelope": (envelope(), "bare-envelope"),
        "key to type in": ("ABCD-1234-EFGH-5678", "unrecognized"),
        "JWT": ("eyJhbGciOiJub25lIn0.e30.", "unrecognized"),
        "certificate": ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "other-pem"),
        "private key": ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "other-pem"),
        "no END line": ("\n".join(LINES[:-1]), "truncated"),
        "no BEGIN line": ("\n".join(LINES[1:]), "truncated"),
        "half": (TEXT[: len(TEXT) // 2], "truncated"),
        "first line lost": ("\n".join(LINES[:1] + LINES[2:]), "truncated"),
        "last line lost": ("\n".join([*LINES[:-2], LINES[-1]]), "truncated"),
        "nothing between": (f"{LINES[0]}\n{LINES[-1]}", "truncated"),
        "one line cut at 400": (LINE[:400], "truncated"),
        "one line cut at 7": (LINE[:7], "truncated"),
        "curly quotes": (f"\u201c{LINE}\u201d", "typography"),
        "long dashes": (TEXT.replace("-----", "\u2014\u2014-"), "typography"),
        "space that does not break": (TEXT.replace("BEGIN ", "BEGIN\u00a0"), "typography"),
        "space of no width": (TEXT.replace(LINES[2], "\u200b" + LINES[2]), "typography"),
        "two documents": (TEXT + TEXT, "two-documents"),
        "a root with it": (TEXT + after, "two-documents"),
        "another kind": (after, "wrong-kind"),
        "another kind in one line": (b64(root()), "wrong-kind"),
        "label of another kind": (TEXT.replace("LICENSE", "ROOT"), "frame"),
        "two labels": (TEXT.replace("END TUNESMITH LICENSE", "END TUNESMITH ROOT"), "frame"),
        "unknown label": (TEXT.replace("LICENSE", "VOUCHER"), "newer-format"),
        "label in small letters": (TEXT.replace("BEGIN TUNESMITH LICENSE", "begin tunesmith license"), "truncated"),
        "four dashes": (TEXT.replace("-----", "----"), "frame"),
        "four dashes behind": (TEXT.rstrip()[:-1], "frame"),
        "greeting": ("Dear customer,\n" + TEXT, "text-around"),
        "text behind": (TEXT + "\nBest regards", "text-around"),
        "one quote": ('"' + TEXT, "text-around"),
        "quoted by mail": ("".join(f"> {line}\n" for line in LINES), "mail-quote"),
        "URL safe": (TEXT.replace(LINES[3][:2], "-_", 1), "url-safe"),
        "strange character": (TEXT.replace(LINES[4], LINES[4][:8] + "*" + LINES[4][9:]), "alphabet"),
        "Cyrillic letter": (TEXT.replace(LINES[4], LINES[4][:9] + "\u0430" + LINES[4][10:]), "alphabet"),
        "escape sequence": (TEXT.replace(LINES[4], "\x1b[2J" + LINES[4]), "alphabet"),
        "byte order mark": ("\ufeff" + TEXT, "byte-order-mark"),
        "UTF-16": (b"\xff\xfe" + TEXT.encode("utf-16-le"), "byte-order-mark"),
        "UTF-16 without mark": (TEXT.encode("utf-16-le"), "not-text"),
        "Latin-1": (TEXT.encode() + b"\xe9", "not-text"),
        "zero byte": (TEXT + "\0", "not-text"),
        "gzip": (bytes.fromhex("1f8b0800000000000003"), "compressed"),
        "zip": (b"PK\x03\x04\x14\0", "compressed"),
    }
