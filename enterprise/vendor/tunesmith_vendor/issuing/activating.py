# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What to enter and sign when an installation asks to be activated, or gives its place up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import ActivationRequest
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing.clerk import Plan
from tunesmith_vendor.issuing.licenses import bound, license_plan
from tunesmith_vendor.ledger.chain import Entry
from tunesmith_vendor.ledger.records import Record, record, revocation_of
from tunesmith_vendor.ledger.store import Reading, Writing

__all__ = ["activate", "active", "deactivate"]


def activate(request: ActivationRequest, now: datetime) -> Callable[[Reading], Plan]:
    """The license, bound to the installation that asks and to those that were activated before.

    It names all of them, so that whichever of their files lies where several installations look, each finds itself in
    it. The same installation may ask as often as it likes, with the key that it had at first.

    Args:
        request: its signature was checked when it was read.
    """

    def planning(reading: Reading) -> Plan:
        known = _asked(reading, request)
        if known.license.grace_until is not None and known.license.grace_until < now:
            raise VendorError(
                "this license is over",
                given=f"{known.id}, until {format_timestamp(known.license.grace_until)} with its grace",
                fix="`tunesmith-vendor renew` it first",
            )
        if request.install_id not in known.installed and len(known.installed) >= (known.activations or 0):
            raise VendorError(
                "this license allows no further installation",
                given=f"{known.activations} allowed, all of them active: {_listed(known)}",
                fix=(
                    "have one of them give its place up: `tunesmith license deactivate` there, then this command here;",
                    "or allow more: `tunesmith-vendor upgrade ID --activations N`",
                ),
            )
        installed = tuple(dict.fromkeys([*known.installed, request.install_id]))
        content = replace(bound(known.license, installed), serial=known.highest + 1, issued_at=now)
        details = {
            "base": known.content.serial,
            "key": request.key.text,
            "label": request.label,
            "nonce": request.nonce,
            "product": request.product,
        }
        return license_plan("activate", content, known.activations, details, install_id=request.install_id)

    return planning


def active(reading: Reading, request: ActivationRequest) -> Record:
    """The license that an installation may give its place in up.

    Raises:
        VendorError: it has none.
    """
    known = _asked(reading, request)
    if request.install_id not in known.installed:
        raise VendorError(
            "this installation is not active",
            given=_listed(known) or "none is",
            expected="an installation that was activated and did not give its place up since",
        )
    return known


def deactivate(pen: Writing, request: ActivationRequest, reason: str) -> Entry:
    """Enter that an installation has given its place up, which somebody else may take now. Nothing is signed: the
    installation says that it has removed the license, and nobody can look."""
    known = active(pen, request)
    return pen.add(
        "deactivate",
        reason=reason,
        subject=known.id,
        customer=known.content.licensee.id,
        customer_name=known.content.licensee.name,
        install_id=request.install_id,
        details={"label": request.label, "nonce": request.nonce},
    )


def _asked(reading: Reading, request: ActivationRequest) -> Record:
    if request.product != reading.product():
        raise VendorError("this request is for another product", given=request.product, expected=reading.product())
    known = record(reading, request.license_id)
    if revocation_of(reading, known) is not None:
        raise VendorError("this license is revoked", given=known.id)
    if known.activations is None:
        raise VendorError(
            "this license is not activated but simply used",
            given=known.id,
            fix="send the license itself: `tunesmith-vendor show` writes it again",
        )
    before = known.installed.get(request.install_id)
    if before is not None and before.key != request.key.text:
        raise VendorError(
            "another key asks under the id of an installation that is active",
            given=f"{request.install_id}, activated {before.at}",
            expected="the key with which it was activated",
            fix="an installation that lost its state makes a new id; ask the customer which of the two is real",
        )
    return known


def _listed(known: Record) -> str:
    return ", ".join(one.label or one.install_id for one in known.installed.values())
