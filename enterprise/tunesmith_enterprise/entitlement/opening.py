# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""From texts to documents; and what was verified once is not verified again in the same process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Document, Kind, dearmor_all, refusal
from tunesmith.licensing.envelope import wrong_kind
from tunesmith_enterprise.entitlement.evidence import Refused, Source
from tunesmith_enterprise.entitlement.sources import FILES, LICENSE, Text

__all__ = ["Opened", "digest", "once", "open_texts"]

_Made = TypeVar("_Made")

_REMEMBERED: Final = 512
_made: dict[tuple[str, ...], Any] = {}


class Opened(NamedTuple):  # as other small values here: made in a fifth of a dataclass's time, at every start
    """A document of a text. Nobody has checked the signatures.

    Attributes:
        sha256: of the envelope, in hexadecimal.
    """

    source: Source
    kind: Kind
    envelope: bytes
    sha256: str


def digest(*contents: bytes) -> str:
    """SHA-256 of contents one after the other, with their lengths, in hexadecimal; of one alone, its own."""
    if len(contents) == 1:
        return hashlib.sha256(contents[0]).hexdigest()
    return hashlib.sha256(b"".join(b"%d:%b" % (len(content), content) for content in contents)).hexdigest()


def once(key: tuple[str, ...], make: Callable[[], _Made]) -> _Made:
    """What ``make`` returns; the next time with the same key, the same object.

    Args:
        key: hashes of everything that the result depends on. Signatures that fit once fit always.
        make: what it raises is not remembered.
    """
    try:
        found: _Made = _made[key]
        return found
    except KeyError:
        made = make()
    if len(_made) >= _REMEMBERED:
        _made.clear()
    _made[key] = made
    return made


def open_texts(texts: Iterable[Text]) -> tuple[list[Opened], list[Refused]]:
    """The documents of all texts, in their order, and the texts that hold none."""
    opened: list[Opened] = []
    refused: list[Refused] = []
    for text in texts:
        try:
            documents = _documents(text.content)
        except SignedDocumentError as error:
            refused.append(Refused(text.source, _explained(error, text.source)))
            continue
        opened += [Opened(text.source, one.kind, one.envelope, sha256) for one, sha256 in documents]
        if not any(one.kind in ("license", "root", "revocations") for one, _ in documents):
            refused.append(Refused(text.source, wrong_kind(documents[0][0].kind, "license")))
    return opened, refused


def _documents(content: bytes) -> tuple[tuple[Document, str], ...]:
    return once(("text", digest(content)), lambda: tuple((one, digest(one.envelope)) for one in dearmor_all(content)))


def _explained(error: SignedDocumentError, source: Source) -> SignedDocumentError:
    """The error, with what to do about it in just this place."""
    if error.reason != "path" or source.path is not None:
        return error
    if source.place == "environment":
        fix = f"put the name into {FILES}, or what is in the file into {LICENSE}"
    else:
        fix = "give a pathlib.Path for the name of a file, and bytes or a text for what is in it"
    what = f"{source.name} holds {error.what.removeprefix('this is ')}"
    return refusal("path", what, expected=error.expected, fix=fix)
