# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The licenses among the documents that were found: those whose signatures fit, each once, the newest of each.

- Of licenses with the same id the one with the highest serial counts. If two with the same serial differ, which is a
  mistake of the vendor's, the one that was issued later counts, else the first that was found; a note says so. Nobody
  is locked out by it.
- A sub-issuer's ids are its own: its license ``a`` takes the place of no license ``a`` of somebody else's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey, Trust, read_envelope, refusal
from tunesmith.licensing.contents import License, parse_license
from tunesmith.licensing.contents.parts import of_product
from tunesmith.licensing.contents.sub_issuing import no_granting_license, read_license_under
from tunesmith_enterprise.entitlement.build import PRODUCT
from tunesmith_enterprise.entitlement.evidence import Held, Refused, Source
from tunesmith_enterprise.entitlement.opening import Opened, digest, once

__all__ = ["Licenses", "read_licenses"]

_UNSIGNED_HERE = frozenset({"untrusted", "other-key", "threshold"})


class Licenses(NamedTuple):
    """What was read.

    Attributes:
        held: the newest of each.
        issued: all that the vendor itself signed, older serials too: each was signed at a moment that has been.
    """

    held: tuple[Held, ...]
    issued: tuple[License, ...]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]


def read_licenses(
    trust: Trust, opened: Sequence[Opened], *, first: Trust, failures: Mapping[Source, SignedDocumentError]
) -> Licenses:
    """Verify and read all licenses.

    Args:
        trust: the newest root.
        opened: all documents that were found.
        first: the root of the build; its keys that the newest has no more are told from strangers'.
        failures: of chains of roots, by where they lie: the reason why a license from there may be signed with keys
            that are not known.
    """
    earlier = {"keys that an earlier root named": _issuers(first) - _issuers(trust)}
    refused: list[Refused] = []
    direct: list[Held] = []
    below: list[tuple[Opened, str]] = []
    documents: dict[str, Opened] = {}
    for one in opened:
        if one.kind == "license":
            documents.setdefault(one.sha256, one)
    for document in documents.values():
        try:
            found = _read(trust, document, earlier)
        except SignedDocumentError as error:
            refused.append(Refused(document.source, _too_old(error, failures.get(document.source))))
            continue
        if isinstance(found, str):
            below.append((document, found))
        else:
            direct.append(Held(found, document.source, document.sha256))
    newest, notes = _newest(direct)
    granting = {held.license.license_id: held for held in newest}
    under: list[Held] = []
    for document, name in below:
        try:
            under.append(_under(document, name, granting.get(name)))
        except SignedDocumentError as error:
            refused.append(Refused(document.source, error))
    newest_under, more = _newest(under)
    order = {sha256: number for number, sha256 in enumerate(documents)}
    held = sorted((*newest, *newest_under), key=lambda held: order[held.sha256])
    return Licenses(tuple(held), tuple(one.license for one in direct), tuple(refused), (*notes, *more))


def _read(trust: Trust, document: Opened, earlier: Mapping[str, Collection[PublicKey]]) -> License | str:
    """The vendor's license; or the id of the license whose sub-issuer has to have signed it."""

    def read() -> License | str:
        try:
            found = parse_license(trust.verify(document.envelope, "license", others=earlier))
        except SignedDocumentError as error:
            named = _named_above(document.envelope) if error.reason in _UNSIGNED_HERE else None
            if named is None:
                raise
            return named
        if found.under is not None:
            return found.under
        of_product(found.product, PRODUCT, f"the license {found.license_id}")
        return found

    return once(("license", digest(trust.envelope), document.sha256), read)


def _named_above(envelope: bytes) -> str | None:
    """The license that an unverified one says to be under; nothing else of it is looked at."""
    try:
        return parse_license(read_envelope(envelope).payload).under
    except SignedDocumentError:
        return None


def _under(document: Opened, name: str, granting: Held | None) -> Held:
    if granting is None:
        raise no_granting_license(name, "no such license that is good, among all that was found")

    def read() -> License:
        found = read_license_under(document.envelope, granting.license)
        of_product(found.product, PRODUCT, f"the license {found.license_id}")
        return found

    found = once(("under", granting.sha256, document.sha256), read)
    return Held(found, document.source, document.sha256, granting.license)


def _newest(found: Iterable[Held]) -> tuple[list[Held], list[str]]:
    best: dict[tuple[str | None, str], Held] = {}
    notes: list[str] = []
    for held in found:
        key = held.license.under, held.license.license_id
        other = best.setdefault(key, held)
        mine, theirs = held.license, other.license
        if mine.serial == theirs.serial and mine != theirs:
            kept = held if mine.issued_at > theirs.issued_at else other
            notes.append(
                f"there are two different licenses {mine.license_id} with serial {mine.serial}, in {other.source.name} "
                f"and in {held.source.name}; the one in {kept.source.name} counts. Ask the vendor which is right"
            )
            best[key] = kept
        elif mine.serial > theirs.serial:
            best[key] = held
    return list(best.values()), notes


def _too_old(error: SignedDocumentError, failure: SignedDocumentError | None) -> SignedDocumentError:
    if failure is None or error.reason not in _UNSIGNED_HERE:
        return error
    return refusal(
        "root-gap" if failure.reason == "root-gap" else "untrusted",
        "this license is signed with keys of a newer root, and the roots that came with it cannot be followed",
        given=f"{failure.what}: {failure.given}",
        expected=failure.expected,
        fix=[*failure.fix, "or install a newer build of tunesmith-enterprise, which brings a newer root"],
    )


def _issuers(trust: Trust) -> frozenset[PublicKey]:
    return frozenset(trust.root.roles["issuer"].keys)
