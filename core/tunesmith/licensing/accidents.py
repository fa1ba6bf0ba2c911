# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What happens to documents on their way: pasted addresses, mail programs, editors, lost ends. Each told by its name.

Every one of these has cost somebody a day with a message such as "invalid license".
"""

from __future__ import annotations

import re
from typing import Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.base64_text import decode_base64
from tunesmith.licensing.reasons import refusal, shown

__all__ = [
    "BEGINNING",
    "ENDING",
    "plain_text",
    "refuse_damaged_frame",
    "refuse_other_things",
    "refuse_strange_characters",
    "refuse_text_around",
    "refuse_unrecognized",
    "told",
    "truncated",
]

BEGINNING: Final = "eyJwYXlsb2FkIjoi"
"""Base64 of ``{"payload":"``, with which every envelope begins."""
ENDING: Final = b'"}]}'

_AGAIN: Final = (
    "copy the document once more, from its BEGIN line to its END line; best as a file, not through mail or chat"
)
_STRANGE = re.compile(r"[^A-Za-z0-9+/= \t\r\n]")
# Quotes, dashes, dots and spaces that word processors and chat programs put in the place of plain ones.
_TYPOGRAPHY = re.compile(
    "[\u2018-\u201f\u2010-\u2015\u2212\u2026\u00ab\u00bb\u00a0\u00ad\u2002-\u200b\u202f\u2060\u3000\ufeff]"
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://|www\.")
_PATH = re.compile(
    r"(?:[~.]{0,2}/|[A-Za-z]:[\\/])[^\n]{0,1000}|[^\s/]{1,200}\.(?:lic|license|pem|txt|key|json)", re.IGNORECASE
)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_ABOUT_FRAME = re.compile(r"\b(?:BEGIN|END)\b|TUNESMITH")
_COMPRESSED: Final = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")


def plain_text(text: str | bytes, most: int) -> str:
    """The text without what may be around it: white space, a pair of quotes; and with line ends for ``\\n``."""
    if len(text) > most:
        raise refusal(
            "too-large", "this text is too large for a document", given=f"{len(text):,}", expected=f"at most {most:,}"
        )
    if isinstance(text, bytes):
        text = _decoded(text)
    if text.startswith("\ufeff"):
        raise _mark("UTF-8 with a byte order mark")
    text = text.strip(" \t\r\n")
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if "-----" in text or text.startswith(BEGINNING):  # and not the \n of C:\new.lic
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    text = text.strip(" \t\r\n")
    if not text:
        raise refusal(
            "empty",
            "there is no document: the text is empty",
            expected="the text of a document",
            fix="look whether the variable or the file was filled; in a pipeline, whether the secret reaches this step",
        )
    return text


def _decoded(data: bytes) -> str:
    if data.startswith(_COMPRESSED):
        raise refusal(
            "compressed", "this is a compressed file", expected="the text of a document", fix="unpack it first"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _mark("UTF-16")
    if data.startswith(b"\xef\xbb\xbf"):
        raise _mark("UTF-8 with a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(
            "not-text", "this is no text", given=f"a wrong byte at {error.start:,}", expected="plain text", fix=_AGAIN
        ) from None
    if "\0" in text:
        raise refusal("not-text", "this is no text", given="zero bytes in it", expected="plain text", fix=_AGAIN)
    return text


def _mark(encoding: str) -> SignedDocumentError:
    return refusal(
        "byte-order-mark",
        "an editor has saved this in an encoding of its own",
        given=encoding,
        expected="plain text: ASCII, or UTF-8 without a byte order mark",
        fix="save it anew as UTF-8, or use the file as it was received",
    )


def refuse_other_things(text: str) -> None:
    """Where there is neither a BEGIN nor an END line of ours: what else people paste."""
    address = _ADDRESS.match(text)
    if address:
        raise refusal(
            "address",
            "this is an address and not a document",
            given=f"something that begins with {shown(address[0].lower())}",
            expected="the text of a document",
            fix="open the address, save what is there, and give that; nothing is fetched from here",
        )
    if text.startswith("<"):
        raise refusal(
            "web-page",
            "this is a web page and not a document",
            given="something that begins with <",
            expected="the text of a document",
            fix="perhaps the page asks you to log in: download the document in a browser",
        )
    if text.startswith("{"):
        raise refusal(
            "bare-envelope",
            "this is JSON: perhaps what is inside a document, but not the document",
            expected="the text from BEGIN to END, or one line of base64",
            fix="use the document as it was received",
        )
    pem = _PEM.search(text)
    if pem:
        raise refusal(
            "other-pem",
            "this is something else in the same dress: a certificate or a key, say",
            given=f"-----BEGIN {pem[1]}-----",
            expected="-----BEGIN TUNESMITH …-----",
            fix="keep private keys to yourself" if "PRIVATE" in pem[1] else "look for the file that the vendor sent",
        )
    refuse_damaged_frame(text)
    if _PATH.fullmatch(text):
        raise refusal(
            "path",
            "this is the name of a file and not what is in it",
            expected="the text of a document",
            fix="give the name where a file is asked for, and the text where the text is",
        )


def refuse_damaged_frame(body: str) -> None:
    """A BEGIN or END line that is there but not as it has to be."""
    found = _ABOUT_FRAME.search(body)
    # Base64 may hold these words by chance, but not with a dash or another strange character close by.
    if found and re.search(r"[^A-Za-z0-9+/=\s]", body[max(0, found.start() - 12) : found.end() + 40]):
        if _TYPOGRAPHY.search(body):
            raise _typography(body)
        raise refusal(
            "frame",
            "the BEGIN or the END line is damaged",
            expected="-----BEGIN TUNESMITH … and -----END TUNESMITH …, with five plain dashes before and after",
            fix=_AGAIN,
        )


def refuse_text_around(text: str) -> None:
    """Before the BEGIN line, after the END line or between two documents."""
    rest = text.strip(" \t\r\n")
    if not rest:
        return
    if not rest.strip("> \t\r\n"):
        raise _mail_quote("the character '>' before a line")
    refuse_damaged_frame(rest)
    if _TYPOGRAPHY.search(rest):
        raise _typography(rest)
    raise refusal(
        "text-around",
        "there is other text before or after the document",
        given=f"{len(rest):,} characters that do not belong to it",
        expected="nothing but the document, from its BEGIN line to its END line",
        fix="delete the rest: a greeting, a signature, a line of the mail program",
    )


def refuse_unrecognized(digits: str) -> None:
    """Text without BEGIN and END lines that does not begin as a document in one line does."""
    if digits.startswith(BEGINNING) or BEGINNING.startswith(digits):
        return
    if _TYPOGRAPHY.search(digits[:1] + digits[-1:]):
        raise _typography(digits[:1] + digits[-1:])
    raise refusal(
        "unrecognized",
        "this is no signed document",
        given=f"{len(digits):,} characters that begin otherwise",
        expected="the text of a document, from its BEGIN line to its END line, or all of its one line",
        fix="paste the document itself: not its name, an order number or a key to type in",
    )


def refuse_strange_characters(body: str, offset: int, plain: str) -> None:
    """Characters that are not of base64 and no white space; ``body`` stands in ``plain`` at ``offset``."""
    strange = _STRANGE.search(body)
    if not strange:
        return
    refuse_damaged_frame(body)
    if _TYPOGRAPHY.search(body):
        raise _typography(body)
    position = offset + strange.start()
    before = plain[:position]
    line = before.count("\n") + 1
    column = position - (before.rfind("\n") + 1) + 1
    given = f"the character {shown(strange[0])} in line {line:,}, column {column:,}"
    if strange[0] == ">" and not before[before.rfind("\n") + 1 :].strip(" \t"):
        raise _mail_quote(given)
    if strange[0] in "-_":
        raise refusal(
            "url-safe",
            "the document was written in the base64 of web addresses",
            given=given,
            expected="+ and / in the place of - and _",
            fix="use the document as it was received",
        )
    raise refusal(
        "alphabet",
        "a character does not belong into a document",
        given=given,
        expected="the letters A-Z and a-z, the digits, +, / and =",
        fix=_AGAIN,
    )


def told(error: SignedDocumentError, digits: str) -> SignedDocumentError:
    """What is wrong with ``digits`` that are no base64: only the padding gone, or more than that?"""
    if error.reason != "padding":
        return error
    bare = digits.rstrip("=")
    try:
        whole = decode_base64(bare + "=" * (-len(bare) % 4), "the document").endswith(ENDING)
    except SignedDocumentError:
        whole = False
    if not whole:
        return truncated(len(digits))
    wanted = -len(bare) % 4
    return refusal(
        "padding",
        "the = at the end of the document are not as they were",
        given=f"{len(digits) - len(bare)} of =",
        expected=f"{wanted} of =" if wanted else "none",
        fix="set them right; some mail programs and shells take them away",
    )


def truncated(length: int) -> SignedDocumentError:
    """Characters are missing."""
    return refusal(
        "truncated",
        "part of the document is missing",
        given=f"{length:,} characters of base64",
        expected="a document that is whole",
        fix=_AGAIN + "; some fields cut off what is too long for them",
    )


def _mail_quote(given: str) -> SignedDocumentError:
    return refusal(
        "mail-quote", "a mail program has quoted this document", given=given, fix="take every > out, or " + _AGAIN
    )


def _typography(text: str) -> SignedDocumentError:
    found = _TYPOGRAPHY.search(text)
    return refusal(
        "typography",
        "a word processor or a chat program has changed characters of the document",
        given=f"the character U+{ord(found[0]):04X}" if found else None,
        expected="plain dashes, quotes and spaces",
        fix=_AGAIN,
    )
