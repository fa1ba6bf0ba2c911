# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The newest list of revocations: of those in the build, beside licenses, and from earlier starts, the highest number.

A list that was known once is not forgotten because an older one, or none, is installed in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Trust, armor, dearmor
from tunesmith.licensing.contents.parts import of_product
from tunesmith_enterprise.entitlement.build import PRODUCT
from tunesmith_enterprise.entitlement.evidence import Refused
from tunesmith_enterprise.entitlement.opening import Opened, digest, once
from tunesmith_enterprise.entitlement.state import StateFolder

if TYPE_CHECKING:
    from tunesmith.licensing.contents import Revocations

__all__ = ["Newest", "keep_list", "newest_list", "read_list"]

_FILE: Final = "revocations.txt"


class Newest(NamedTuple):
    """The newest list.

    Attributes:
        revocations: None: there is no list.
        envelope: of it.
        is_kept: it is the one from earlier starts.
    """

    revocations: Revocations | None
    envelope: bytes
    is_kept: bool
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]


def read_list(state: StateFolder) -> tuple[bytes | None, tuple[str, ...]]:
    """The envelope of the list that is kept, not yet verified, and a note if it is of no use."""
    try:
        content = state.read(_FILE)
        return (None if content is None else dearmor(content, "revocations")), ()
    except SignedDocumentError as error:
        return None, (f"the list of revocations that was kept cannot be used: {error.what}",)


def newest_list(trust: Trust, built: bytes | None, kept: bytes | None, opened: Sequence[Opened]) -> Newest:
    """The list with the highest number; of two with the same number the one that was issued later.

    Args:
        built: the envelope of the build's.
        kept: what :func:`read_list` returned.
        opened: all documents that were found.
    """
    refused: list[Refused] = []
    notes: list[str] = []
    found: list[tuple[Revocations, bytes, str]] = []
    ours = ((kept, "that was kept"), (built, "of this build"))
    for envelope, which in ours:
        if envelope is None:
            continue
        try:
            found.append((_verified(trust, envelope, digest(envelope)), envelope, ""))
        except SignedDocumentError as error:
            notes.append(f"the list of revocations {which} is not used: {error.what}")
    for document in opened:
        if document.kind == "revocations":
            try:
                listed = _verified(trust, document.envelope, document.sha256)
            except SignedDocumentError as error:
                refused.append(Refused(document.source, error))
            else:
                found.append((listed, document.envelope, document.source.name))
    if not found:
        return Newest(None, b"", False, tuple(refused), tuple(notes))
    newest, envelope, _ = max(found, key=lambda one: (one[0].number, one[0].issued_at))
    notes += [
        f"{name} holds list {listed.number} of revocations; the newer list {newest.number} is known and counts"
        for listed, _, name in found
        if name and listed.number < newest.number
    ]
    return Newest(newest, envelope, envelope == kept, tuple(refused), tuple(notes))


def keep_list(state: StateFolder, trust: Trust, newest: Newest) -> None:
    """Keep the list for later starts, unless another process has kept a newer one.

    Raises:
        OSError: it could not be kept.
    """
    if newest.revocations is None or newest.is_kept:
        return
    with state.alone() as alone:
        kept, _ = read_list(state)
        try:
            known = 0 if kept is None else _verified(trust, kept, digest(kept)).number
        except SignedDocumentError:
            known = 0
        if alone and known < newest.revocations.number:
            state.write(_FILE, armor(newest.envelope).encode())


def _verified(trust: Trust, envelope: bytes, sha256: str) -> Revocations:
    def read() -> Revocations:
        from tunesmith.licensing.contents import parse_revocations  # not before there is a list

        found = parse_revocations(trust.verify(envelope, "revocations"))
        of_product(found.product, PRODUCT, "the list of revocations")
        return found

    return once(("revocations", digest(trust.envelope), sha256), read)
