# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What to enter and sign for licenses: issued, renewed, issued anew, made larger or smaller.

Each function gives back a planning for :class:`~tunesmith_vendor.issuing.clerk.Clerk`: it is asked while nobody else
can write, so serials and ids are never given twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import Binding, License, parse_license
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing.clerk import Plan
from tunesmith_vendor.issuing.orders import Order
from tunesmith_vendor.ledger.records import Record, record, revocation_of
from tunesmith_vendor.ledger.store import Reading
from tunesmith_vendor.ledger.tables import entries

__all__ = ["bound", "issue", "license_plan", "name_of", "random_id", "reissue", "renew", "upgrade"]

_LETTERS: Final = "abcdefghjkmnpqrstvwxyz23456789"
"""Without those that are taken for others when an id is read out."""


def issue(order: Order, now: datetime) -> Callable[[Reading], Plan]:
    """A license that is new."""
    order.refuse_keys(pool=False)
    # Chosen once: a planning is asked twice, and a dry run has to show what it showed.
    license_id = order.text("id") or random_id("lic")

    def planning(reading: Reading) -> Plan:
        refuse_taken(reading, license_id)
        starts = order.starts(now)
        activations = order.activations()
        binding = order.binding()
        if activations is not None and binding.kind != "none":
            raise VendorError(
                "a license that is activated is bound to the installations that ask for it",
                given=f"activations, and the binding {binding.kind}",
                expected="one of the two",
            )
        content = License(
            product=reading.product(),
            license_id=license_id,
            serial=1,
            licensee=order.licensee(name_of(reading, order.needed("customer"))),
            edition=order.needed("edition"),
            environment=order.needed("environment"),  # type: ignore[arg-type] # checked when it is read back
            features=order.features(),
            issued_at=now,
            starts_at=starts,
            expires_at=order.expires(starts),
            grace_days=order.number("grace_days", 14),
            maintenance_until=order.maintenance(starts),
            binding=binding,
            order=order.text("order"),
            replaces=order.replaces(),
            oem=order.oem(),
        )
        return license_plan("issue", content, activations, {} if activations is None else {"activations": activations})

    return planning


def renew(license_id: str, order: Order, now: datetime) -> Callable[[Reading], Plan]:
    """The same for a new term.

    A length of time counts from the end of the old term or, if that is over with its grace, from now. The license keeps
    its start: one that begins later would not count before, and the customer would have none if they install it early.
    """

    def planning(reading: Reading) -> Plan:
        known = _usable(reading, license_id)
        old = known.license
        over = old.grace_until is None or old.grace_until < now
        fresh = now if over or old.expires_at is None else old.expires_at
        expires = order.expires(fresh)
        if expires is not None and old.expires_at is not None and expires <= old.expires_at:
            raise VendorError(
                "the new term ends no later than the old one",
                given=f"{format_timestamp(expires)}, after {format_timestamp(old.expires_at)}",
                fix="a shorter term comes with `reissue --expires`, and counts once the customer has installed it",
            )
        maintenance = order.maintenance(fresh)
        if maintenance is None:
            # Who bought both together renews both together.
            together = old.maintenance_until is not None and old.maintenance_until == old.expires_at
            maintenance = expires if together else old.maintenance_until
        return _next(
            "renew",
            known,
            replace(
                old,
                expires_at=expires,
                maintenance_until=maintenance,
                starts_at=order.starts(old.starts_at),
                grace_days=order.number("grace_days", old.grace_days),
                order=order.text("order") or old.order,
            ),
            now,
        )

    return planning


def reissue(license_id: str, order: Order, now: datetime) -> Callable[[Reading], Plan]:
    """The same once more with the next serial: it was lost, or is bound to something else from now on."""

    def planning(reading: Reading) -> Plan:
        known = _usable(reading, license_id)
        changed = known.license
        if "binding" in order.values:
            if known.activations is not None:
                raise VendorError(
                    "this license is bound to the installations that were activated with it",
                    given=license_id,
                    fix="`tunesmith-vendor activation respond` answers a request, also for giving one up",
                )
            changed = replace(changed, binding=order.binding())
        if "expires" in order.values:
            changed = replace(changed, expires_at=order.expires(changed.starts_at))
        return _next("reissue", known, changed, now)

    return planning


def upgrade(license_id: str, order: Order, dropped: tuple[str, ...], now: datetime) -> Callable[[Reading], Plan]:
    """Other features or limits, from now on.

    Args:
        order: its features come to those that there are, or take the place of those of the same code.
        dropped: codes of features that go.
    """

    def planning(reading: Reading) -> Plan:
        known = _usable(reading, license_id)
        old = known.license
        features: dict[str, Mapping[str, int]] = dict(old.features)
        for code in dropped:
            if features.pop(code, None) is None:
                raise VendorError(
                    "the license does not have this feature", given=ascii(code), expected=", ".join(old.features)
                )
        if "features" in order.values:
            features |= order.features()
        activations = order.activations()
        if activations is not None and known.activations is None:
            raise VendorError(
                "this license is not activated but simply used",
                given=f"{license_id}, and activations",
                fix="issue a new one that --replaces it",
            )
        if activations is not None and activations < len(known.installed):
            raise VendorError(
                "more installations are active than that",
                given=f"{activations}; active are {len(known.installed)}",
                fix="have some deactivated first",
            )
        changed = replace(
            old,
            features=features,
            edition=order.text("edition") or old.edition,
            environment=order.text("environment") or old.environment,  # type: ignore[arg-type] # checked when read back
            order=order.text("order") or old.order,
        )
        return _next("upgrade", known, changed, now, {} if activations is None else {"activations": activations})

    return planning


def license_plan(
    action: str, content: License, activations: int | None, details: Mapping[str, Any], *, install_id: str | None = None
) -> Plan:
    """The plan for a license, which has to read back as what it was written from.

    A license to be activated that has no installation yet is entered and not signed: there is nothing to bind it to,
    and without a binding it would be good everywhere.
    """
    payload = content.payload()
    read = parse_license(payload)
    beyond = next((code for code in (read.oem.features if read.oem else ()) if code not in read.features), None)
    if beyond is not None:
        raise VendorError(
            "this license would let its holder pass on a feature that it does not have itself",
            given=beyond,
            expected=f"some of {', '.join(read.features)}",
        )
    signs = activations is None or read.binding.kind != "none"
    return Plan(
        action=action,
        kind="license" if signs else None,
        payload=payload,
        subject=read.license_id,
        serial=read.serial,
        customer=read.licensee.id,
        customer_name=read.licensee.name,
        order_number=read.order,
        install_id=install_id,
        expires_at=None if read.expires_at is None else format_timestamp(read.expires_at),
        # Searched for: who asks whether a license was replaced does not want to read all of them.
        details={**details, "replaces": list(read.replaces)} if read.replaces else details,
    )


def bound(content: License, installed: tuple[str, ...]) -> License:
    """The license, bound to these installations; to none, if there are none."""
    return replace(content, binding=Binding("install-id", installed) if installed else Binding())


def random_id(kind: str) -> str:
    """An id that nobody guesses and everybody can read out: ``lic-`` and 12 letters."""
    return f"{kind}-" + "".join(secrets.choice(_LETTERS) for _ in range(12))


def name_of(reading: Reading, customer: str) -> str | None:
    """The name by which the ledger knew a customer last."""
    found = reading.last(entries.c.customer == customer, entries.c.customer_name.is_not(None))
    return None if found is None else found.customer_name


def refuse_taken(reading: Reading, subject: str) -> None:
    """No id twice; also not that of a proposal.

    Raises:
        VendorError: it is taken.
    """
    taken = reading.last(entries.c.subject == subject)
    if taken is not None:
        raise VendorError(
            "this id is taken",
            given=f"{subject}, since entry {taken.seq:,}",
            expected="an id that is new",
            fix="leave --id out; or `renew`, `reissue` or `upgrade` what there is",
        )


def _usable(reading: Reading, license_id: str) -> Record:
    known = record(reading, license_id)
    known.license  # noqa: B018 # refuses a pool
    met = revocation_of(reading, known)
    if met is not None and met.up_to is None:
        raise VendorError(
            "this license is revoked, with all serials to come",
            given=f"{license_id}, since {format_timestamp(met.at)}",
            fix="issue a new one",
        )
    return known


def _next(
    action: str, known: Record, changed: License, now: datetime, details: Mapping[str, Any] | None = None
) -> Plan:
    if known.activations is not None:
        changed = bound(changed, tuple(known.installed))
    changed = replace(changed, serial=known.highest + 1, issued_at=now)
    return license_plan(action, changed, known.activations, {"base": known.content.serial, **(details or {})})
