# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Envelopes as text that survives mail, terminals, environment variables and secret stores.

Two forms: lines between ``-----BEGIN TUNESMITH LICENSE-----`` and ``-----END …``, and one line of base64. Taken as they
are: any line ends and any wrapping, white space around, a pair of quotes around, ``\\n`` written out. None of these can
change what a document says. Everything else is refused, with the accident by its name.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import accidents
from tunesmith.licensing.base64_text import decode_base64, encode_base64
from tunesmith.licensing.envelope import KINDS, Kind, read_envelope, wrong_kind
from tunesmith.licensing.reasons import refusal

__all__ = ["COLUMNS", "TEXT", "Document", "armor", "armor_line", "dearmor", "dearmor_all"]

COLUMNS: Final = 64
TEXT: Final = 4 << 20
"""Characters of a text, at most: the largest envelope in base64, with room for white space, or some of them."""

_FRAME = re.compile(
    r"-----(BEGIN|END)[ \t\r\n]{1,9}TUNESMITH[ \t\r\n]{1,9}([A-Z]{1,20}(?:[ \t\r\n]{1,9}[A-Z]{1,20})?)-----"
)
_SPACE: Final = " \t\r\n"
_UNSPACED: Final = str.maketrans("", "", _SPACE)
_LABELS: Final[dict[str, Kind]] = {kind.upper().replace("-", " "): kind for kind in KINDS}


class Document(NamedTuple):
    """One document of a text.

    Attributes:
        kind: what it says it is.
        envelope: its bytes, for ``verify``. Nobody has checked the signatures.
    """

    kind: Kind
    envelope: bytes


def armor(envelope: bytes) -> str:
    """The envelope as lines of 64 characters between a first and a last line that say what it is.

    Raises:
        SignedDocumentError: these bytes are no envelope.
    """
    label = read_envelope(envelope).kind.upper().replace("-", " ")
    body = encode_base64(envelope)
    lines = [body[start : start + COLUMNS] for start in range(0, len(body), COLUMNS)]
    return "\n".join([f"-----BEGIN TUNESMITH {label}-----", *lines, f"-----END TUNESMITH {label}-----", ""])


def armor_line(envelope: bytes) -> str:
    """The envelope as one line of base64, for environment variables.

    Raises:
        SignedDocumentError: these bytes are no envelope.
    """
    read_envelope(envelope)
    return encode_base64(envelope)


def dearmor(text: str | bytes, kind: Kind) -> bytes:
    """The envelope of a text that holds one document of one kind.

    Raises:
        SignedDocumentError: it does not; the only error for any text or bytes whatever. The reason names the accident:
            ``address``, ``truncated``, ``typography``, ``two-documents``, ``wrong-kind`` …
    """
    documents = dearmor_all(text)
    if len(documents) > 1:
        raise refusal(
            "two-documents",
            f"this text holds {len(documents)} documents",
            given=" and ".join(f"a {document.kind}" for document in documents[:3]),
            expected=f"one {kind}",
            fix="put each in a file of its own",
        )
    if documents[0].kind != kind:
        raise wrong_kind(documents[0].kind, kind)
    return documents[0].envelope


def dearmor_all(text: str | bytes) -> list[Document]:
    """All documents of a text, in its order: a chain of roots, or a license with the roots that it needs.

    Raises:
        SignedDocumentError: there is none, or something else stands between them, or one of them is damaged.
    """
    plain = accidents.plain_text(text, TEXT)
    frames = list(_FRAME.finditer(plain))
    if not frames:
        accidents.refuse_other_things(plain)
        return [_document(plain, 0, plain, None)]
    found = []
    end = 0
    for begin, close in zip(frames[::2], [*frames[1::2], None], strict=False):
        if begin[1] == "END":
            accidents.refuse_damaged_frame(plain[end : begin.start()])
            raise refusal(
                "truncated",
                "the beginning of the document is missing",
                given="an END line with no BEGIN line before it",
                fix="copy the document once more, from its BEGIN line to its END line",
            )
        accidents.refuse_text_around(plain[end : begin.start()])
        label = " ".join(begin[2].split())
        if close is None or close[1] == "BEGIN":
            body = plain[begin.end() : close.start() if close else None]
            accidents.refuse_damaged_frame(body)
            raise refusal(
                "truncated",
                "the end of the document is missing",
                given="a BEGIN line with no END line after it",
                expected=f"a last line -----END TUNESMITH {label}-----",
                fix="copy the document once more, from its BEGIN line to its END line",
            )
        if " ".join(close[2].split()) != label:
            raise refusal(
                "frame",
                "the first and the last line are of different documents",
                given=f"BEGIN TUNESMITH {label}, END TUNESMITH {' '.join(close[2].split())}",
                fix="copy the document once more, from its BEGIN line to its END line",
            )
        if label not in _LABELS:
            raise refusal(
                "newer-format",
                "this kind of document is not known here",
                given=f"BEGIN TUNESMITH {label}",
                expected=", ".join(_LABELS),
                fix="a newer release may read it",
            )
        found.append(_document(plain[begin.end() : close.start()], begin.end(), plain, _LABELS[label]))
        end = close.end()
    accidents.refuse_text_around(plain[end:])
    return found


def _document(body: str, offset: int, plain: str, kind: Kind | None) -> Document:
    digits = body.translate(_UNSPACED)
    if kind is None:
        accidents.refuse_unrecognized(digits)
    accidents.refuse_strange_characters(body, offset, plain)
    if not digits.startswith(accidents.BEGINNING):
        raise accidents.truncated(len(digits))
    try:
        envelope = decode_base64(digits, "the document")
    except SignedDocumentError as error:
        raise accidents.told(error, digits) from None
    if not envelope.endswith(accidents.ENDING):
        raise accidents.truncated(len(digits))
    found = read_envelope(envelope).kind
    if kind is not None and kind != found:
        raise refusal(
            "frame",
            "the first line names another kind of document than there is inside",
            given=f"a {found} inside {kind}",
            fix="use the document as it was received",
        )
    return Document(found, envelope)
