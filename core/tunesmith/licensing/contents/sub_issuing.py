# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Licenses that a sub-issuer issues to its own customers, under a license of the vendor's that lets it.

Whoever sells a product with another vendor's inside gets a license with ``oem``: keys of its own, the features it may
pass on. What it signs counts as far as that license reaches, and no further.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.contents.license import License, SubIssuer, parse_license
from tunesmith.licensing.envelope import verify
from tunesmith.licensing.reasons import refusal
from tunesmith.licensing.timestamps import format_timestamp

__all__ = ["no_granting_license", "read_license_under"]


def read_license_under(envelope: bytes, granting: License) -> License:
    """The license of an envelope that a sub-issuer signed.

    Args:
        granting: the license with ``oem``, verified, which ``under`` of the other names.

    Raises:
        SignedDocumentError: none of the sub-issuer's keys signed it; ``no-granting-license``: ``granting`` is another
            one than it names, or lets nobody issue; ``beyond-grant``: it says more than it may.
    """
    if granting.oem is None:
        raise no_granting_license(granting.license_id, "one that lets nobody issue licenses")
    found = parse_license(verify(envelope, "license", granting.oem.keys))
    if found.under != granting.license_id:
        raise no_granting_license(found.under or "none", granting.license_id)
    for given, expected in _beyond(found, granting, granting.oem):
        raise refusal(
            "beyond-grant",
            f"the license {found.license_id} says more than its issuer may say",
            given=given,
            expected=f"{expected}, as in {granting.license_id}",
            fix="ask whoever issued it for one within those bounds",
        )
    return found


def no_granting_license(named: str, given: str) -> SignedDocumentError:
    """The error for a license whose issuer's own license is not there.

    Args:
        named: the id of that license.
        given: what there is in its place.
    """
    return refusal(
        "no-granting-license",
        "a license was issued under another one, which is not there",
        given=given,
        expected=f"the license {named}, which lets its issuer issue it",
        fix="install both: whoever issued it has the other one",
    )


def _beyond(found: License, granting: License, right: SubIssuer) -> Iterator[tuple[str, str]]:
    """What is beyond the right to issue, and what would not be; nothing, where all is within."""
    if found.product != granting.product:
        yield f"the product {found.product}", granting.product
    if (found.binding.kind, found.binding.values) != ("oem", (right.product,)):
        yield f"the binding {found.binding.kind}", f"the binding oem, to the product {right.product}"
    if granting.environment not in ("production", found.environment):
        yield f"the environment {found.environment}", granting.environment
    yield from _beyond_features(found, granting, right)
    for name, given, latest in (
        ("expires_at", found.expires_at, granting.expires_at),
        ("the days of grace until", found.grace_until, granting.grace_until),
    ):
        if latest is not None and (given is None or given > latest):
            yield f"{name} {_shown(given)}", f"at the latest {_shown(latest)}"
    given, latest = found.maintenance_until, granting.maintenance_until
    if given is not None and (latest is None or given > latest):  # it lets builds work for ever
        yield f"maintenance_until {_shown(given)}", f"at the latest {_shown(latest)}" if latest else "none"


def _beyond_features(found: License, granting: License, right: SubIssuer) -> Iterator[tuple[str, str]]:
    allowed = sorted({*right.features} & {*granting.features})
    for code, limits in found.features.items():
        if code not in allowed:
            yield f"the feature {code}", ", ".join(allowed) or "no feature"
            continue
        for name, most in granting.features[code].items():
            if limits.get(name, most + 1) > most:
                yield f"{limits.get(name, 'any number of')} {name} of {code}", f"at most {most}"


def _shown(moment: datetime | None) -> str:
    return "never" if moment is None else format_timestamp(moment)
