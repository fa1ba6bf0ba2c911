# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import gzip
import io
import textwrap
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed import KEYS, PAYLOAD, PRIVATE, license_document, refused, root_document

from tunesmith.licensing import (
    KINDS,
    Document,
    SignedDocumentError,
    armor,
    armor_line,
    dearmor,
    dearmor_all,
    sign,
    verify,
)

ENVELOPE = license_document()
TEXT = armor(ENVELOPE)
LINE = armor_line(ENVELOPE)
LINES = TEXT.splitlines()
BODY = "".join(LINES[1:-1])
PIECES = [
    *LINES[:4],
    LINES[-1],
    "-----",
    "-----BEGIN",
    "-----BEGIN TUNESMITH ",
    "BEGIN ",
    "END TUNESMITH",
    "A",
    "=",
    " ",
]
PIECES += ["eyJwYXlsb2FkIjoi", "\n", "\n>", '"', "\\n", "-", "\u2014", "{", "/"]


def with_padding():
    """A license whose line ends with ``==``."""
    for length in range(3):
        envelope = license_document(payload=b'{"a":"%b"}' % (b"x" * length))
        if armor_line(envelope).endswith("=="):
            return envelope
    raise AssertionError("one of three lengths ends so")


def test_armor_is_lines_of_64_characters_between_two_that_name_the_kind():
    assert LINES[0] == "-----BEGIN TUNESMITH LICENSE-----"
    assert LINES[-1] == "-----END TUNESMITH LICENSE-----"
    assert {len(line) for line in LINES[1:-2]} == {64}
    assert TEXT.isascii()
    assert TEXT.endswith("-----\n")
    assert LINE == BODY


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_from_both_forms(kind):
    envelope = sign(b"{}", kind, PRIVATE[:1])
    assert dearmor(armor(envelope), kind) == dearmor(armor_line(envelope), kind) == envelope
    assert dearmor(armor(envelope).encode(), kind) == envelope


TOLERATED = {
    "as it is": TEXT,
    "bytes": TEXT.encode(),
    "one line": LINE,
    "Windows line ends": TEXT.replace("\n", "\r\n"),
    "old Macintosh line ends": TEXT.replace("\n", "\r"),
    "white space around": "\n\t  " + TEXT + "\r\n \t\n",
    "no last line end": TEXT.rstrip(),
    "indented": textwrap.indent(TEXT, "    "),
    "spaces at the ends of lines": TEXT.replace("\n", "  \n"),
    "empty lines": TEXT.replace("\n", "\n\n"),
    "wrapped narrower": "\n".join([LINES[0], *textwrap.wrap(BODY, 20), LINES[-1]]),
    "wrapped wider": "\n".join([LINES[0], *textwrap.wrap(BODY, 76), LINES[-1]]),
    "not wrapped": "\n".join([LINES[0], BODY, LINES[-1]]),
    "spaces for line ends": TEXT.replace("\n", " "),
    "no line ends at all": TEXT.replace("\n", ""),
    "double quotes": f'"{TEXT}"',
    "single quotes": f"'{TEXT}'",
    "quotes and white space": f'  "\n{TEXT}\n"  \n',
    "line ends written out": TEXT.replace("\n", "\\n"),
    "Windows line ends written out": TEXT.replace("\n", "\\r\\n"),
    "written out in quotes": '"' + TEXT.replace("\n", "\\n") + '"',
    "one line in quotes": f'"{LINE}"',
    "one line wrapped": "\n".join(textwrap.wrap(LINE, 60)),
    "one line with its end written out": LINE + "\\n",
    "one line as bytes": LINE.encode() + b"\r\n",
}


@pytest.mark.parametrize("form", TOLERATED.values(), ids=TOLERATED)
def test_row_20_what_happens_on_the_way_and_does_no_harm(form):
    assert dearmor(form, "license") == ENVELOPE


CHOPPED = "\n".join(LINES[:-3])
ACCIDENTS = {
    "nothing": ("", "empty", "the text is empty"),
    "only spaces": (" \n\t ", "empty", "whether the secret reaches"),
    "only quotes": ('""', "empty", "the text is empty"),
    "an address": ("https://example.com/licenses/8812?token=abc", "address", "'https://'"),
    "an address in quotes": ('"HTTPS://example.com/x"', "address", "nothing is fetched"),
    "an address without a scheme": ("www.example.com/x", "address", "not a document"),
    "an address of a file": ("file:///etc/x.lic", "address", "'file://'"),
    "a path": ("/etc/tunesmith/customer.lic", "path", "the name of a file"),
    "a path at home": ("~/customer.lic", "path", "the name of a file"),
    "a path on Windows": (r"C:\new\customer.lic", "path", "the name of a file"),
    "a name": ("customer.lic", "path", "the name of a file"),
    "a login page": ("<!DOCTYPE html><title>Sign in", "web-page", "log in"),
    "the envelope itself": (ENVELOPE.decode(), "bare-envelope", "what is inside"),
    "a key to type in": ("ABCD-1234-EFGH-5678", "unrecognized", "a key to type in"),
    "a placeholder": ("changeme", "unrecognized", "8 characters"),
    "a token": ("eyJhbGciOiJub25lIn0.e30.", "unrecognized", "no signed document"),
    "a certificate": ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "other-pem", "CERTIFICATE"),
    "a private key": ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "other-pem", "to yourself"),
    "no END line": ("\n".join(LINES[:-1]), "truncated", "-----END TUNESMITH LICENSE-----"),
    "half of it": (TEXT[: len(TEXT) // 2], "truncated", "the end of the document is missing"),
    "no BEGIN line": ("\n".join(LINES[1:]), "truncated", "no BEGIN line before it"),
    "only an END line": (LINES[-1], "truncated", "the beginning"),
    "the first line less": ("\n".join(LINES[:1] + LINES[2:]), "truncated", "part of the document"),
    "the last line less": ("\n".join([*LINES[:-2], LINES[-1]]), "truncated", "part of the document"),
    "nothing between": (f"{LINES[0]}\n{LINES[-1]}", "truncated", "part of the document"),
    "one line cut": (LINE[:400], "truncated", "some fields cut off"),
    "one line cut elsewhere": (LINE[:399], "truncated", "399 characters"),
    "one line cut early": (LINE[:7], "truncated", "part of the document"),
    "curly quotes": (f"\u201c{LINE}\u201d", "typography", "U+201C"),
    "curly quotes around lines": (f"\u201c{TEXT}\u201d", "typography", "U+201C"),
    "long dashes": (TEXT.replace("-----", "\u2014\u2014-"), "typography", "U+2014"),
    "a long dash at the end": (TEXT.replace("-----END", "\u2013\u2013\u2013END"), "typography", "U+2013"),
    "spaces that do not break": (TEXT.replace("BEGIN ", "BEGIN\u00a0"), "typography", "U+00A0"),
    "spaces of no width": (TEXT.replace(LINES[2], "\u200b" + LINES[2]), "typography", "U+200B"),
    "dots for a middle": ("\n".join([LINES[0], LINES[1], "\u2026", LINES[-1]]), "typography", "U+2026"),
    "two of them": (TEXT + TEXT, "two-documents", "a license and a license"),
    "a root with it": (TEXT + armor(root_document()), "two-documents", "a license and a root"),
    "another kind": (armor(root_document()), "wrong-kind", "BEGIN TUNESMITH LICENSE"),
    "another kind in one line": (armor_line(root_document()), "wrong-kind", "the kind root"),
    "another label": (TEXT.replace("LICENSE", "ROOT"), "frame", "a license inside root"),
    "two labels": (TEXT.replace("END TUNESMITH LICENSE", "END TUNESMITH ROOT"), "frame", "END TUNESMITH ROOT"),
    "an unknown label": (TEXT.replace("LICENSE", "VOUCHER"), "newer-format", "VOUCHER"),
    "four dashes": (TEXT.replace("-----", "----"), "frame", "five plain dashes"),
    "four dashes at the end": (TEXT.rstrip()[:-1], "frame", "five plain dashes"),
    "four dashes at the beginning": (TEXT[1:], "frame", "five plain dashes"),
    "a greeting": ("Dear customer,\n" + TEXT, "text-around", "a greeting"),
    "a signature": (TEXT + "\nBest regards", "text-around", "12 characters"),
    "quoted by mail": (textwrap.indent(TEXT, "> "), "mail-quote", "take every > out"),
    "its lines quoted by mail": (TEXT.replace(LINES[3], "> " + LINES[3]), "mail-quote", "line 4, column 1"),
    "base64 of addresses": (TEXT.replace(LINES[3][:2], "-_", 1), "url-safe", "line"),
    "a strange character": (TEXT.replace(LINES[4][:9], LINES[4][:8] + "*"), "alphabet", "line 5, column 9"),
    "one quote": ('"' + TEXT, "text-around", "1 characters"),
    "a quote at the end of one line": (LINE + '"', "alphabet", "'\"'"),
    "a Cyrillic letter": (TEXT.replace(LINES[4], LINES[4][:9] + "\u0430" + LINES[4][10:]), "alphabet", "\\u0430"),
    "an escape for a terminal": (TEXT.replace(LINES[4], "\x1b[2J" + LINES[4]), "alphabet", "'\\x1b'"),
    "a byte order mark": ("\ufeff" + TEXT, "byte-order-mark", "save it anew"),
    "a byte order mark in bytes": (b"\xef\xbb\xbf" + TEXT.encode(), "byte-order-mark", "UTF-8 with"),
    "UTF-16": (TEXT.encode("utf-16"), "byte-order-mark", "UTF-16"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "not-text", "zero bytes"),
    "another encoding": (TEXT.encode() + "é".encode("latin-1"), "not-text", "wrong byte"),
    "too much": ("A" * ((4 << 20) + 1), "too-large", "4,194,305"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "words"), ACCIDENTS.values(), ids=ACCIDENTS)
def test_row_20_accidents_are_called_by_their_names(text, reason, words):
    with refused(reason, words):
        dearmor(text, "license")


@pytest.mark.parametrize("text", [armor(with_padding()), armor_line(with_padding())])
def test_row_20_lost_padding_is_told_from_lost_text(text):
    with refused("padding", "1 of =", "2 of =", "set them right"):
        dearmor(text.replace("==", "="), "license")
    with refused("padding", "0 of =", "2 of =", "some mail programs"):
        dearmor(text.replace("==", ""), "license")
    digits = armor_line(with_padding())
    for cut in range(3, 12):
        short = digits[:-cut]
        with refused("truncated", "part of the document"):
            dearmor(text.replace(digits, short) if digits in text else f"{LINES[0]}\n{short}\n{LINES[-1]}", "license")


def test_row_13_padding_that_is_too_long_and_stray_bits_are_refused():
    line = armor_line(with_padding())
    for other in (line + "=", line + "=="):
        with pytest.raises(SignedDocumentError):
            dearmor(other, "license")
    digit = line[-3]
    stray = line[:-3] + chr(ord(digit) + 1) + "=="
    with refused("trailing-bits", "the last character"):
        dearmor(stray, "license")


def test_row_19_nothing_is_unpacked():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("customer.lic", TEXT)
    for data in (packed.getvalue(), gzip.compress(TEXT.encode())):
        with refused("compressed", "unpack it first"):
            dearmor(data, "license")
    with refused("not-text"):  # gzip's first bytes lost: just no text
        dearmor(gzip.compress(TEXT.encode())[2:], "license")


def test_a_chain_of_documents_is_read_in_its_order():
    text = armor(root_document()) + "\n" + armor(root_document(version=2)).replace("\n", "\r\n") + TEXT
    assert dearmor_all(text) == [
        Document("root", root_document()),
        Document("root", root_document(version=2)),
        Document("license", ENVELOPE),
    ]
    assert dearmor_all(LINE) == [Document("license", ENVELOPE)]
    with refused("text-around", "before or after"):
        dearmor_all(TEXT + "and\n" + TEXT)


def test_nothing_but_an_envelope_is_armored():
    for write in (armor, armor_line):
        with refused("json"):
            write(b"something")


def test_row_11_a_text_cut_anywhere_is_refused():
    """Only line ends may go."""
    for length in range(len(TEXT) - 1):
        with pytest.raises(SignedDocumentError):
            dearmor(TEXT[:length], "license")
    for length in range(len(LINE)):
        with pytest.raises(SignedDocumentError):
            dearmor(LINE[:length], "license")


def test_row_11_a_text_without_one_of_its_lines_is_refused():
    """Inside the payload the armor cannot tell; the signature does."""
    for number in range(len(LINES)):
        with pytest.raises(SignedDocumentError):
            verify(dearmor("\n".join(LINES[:number] + LINES[number + 1 :]), "license"), "license", KEYS[:1])


def tolerant(text):
    """What white space and quotes may differ in."""
    return "".join(text.split())


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([TEXT, LINE]),
    st.integers(0, len(LINE) - 1),
    st.sampled_from("ABCxyz019+/=-_ \t\r\n\"'>\\n\u2014\0\u00a0<{") | st.characters(),
)
def test_row_11_one_changed_character_is_refused_or_white_space(text, position, character):
    changed = text[:position] + character + text[position + 1 :]
    try:
        payload = verify(dearmor(changed, "license"), "license", KEYS[:1])
    except SignedDocumentError:
        return
    assert payload == PAYLOAD
    assert tolerant(changed) == tolerant(text)


def test_row_11_every_flipped_bit_of_a_text_is_refused_or_white_space():
    data = TEXT.encode()
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            try:
                payload = verify(dearmor(bytes(changed), "license"), "license", KEYS[:1])
            except SignedDocumentError:
                continue
            assert payload == PAYLOAD
            assert bytes(changed).split() == data.split()


@settings(deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                *LINES[:4],
                LINES[-1],
                "-----",
                "BEGIN",
                "END TUNESMITH",
                "eyJwYXlsb2FkIjoi",
                "=",
                "\n",
                '"',
                "\\n",
                ">",
                "\u2014",
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_any_text_is_its_own_error(text):
    for call in (dearmor_all, lambda text: dearmor(text, "license")):
        with pytest.raises(SignedDocumentError):
            call(text)


@pytest.mark.parametrize("part", PIECES[5:], ids=ascii)
def test_row_12_a_text_of_the_largest_size_takes_no_time(part):
    with pytest.raises(SignedDocumentError):
        dearmor(part * ((4 << 20) // len(part)), "license")
