# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor issue``, ``renew``, ``reissue``, ``upgrade``, ``revoke`` and ``pool issue``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith_vendor.commands.desk_work import (
    DryRun,
    Force,
    Keys,
    LedgerPlace,
    OperatorName,
    Out,
    Reason,
    clerk,
    reason_of,
    refuse_taken_file,
    told,
)
from tunesmith_vendor.commands.options import (
    AsJson,
    DeskFolder,
    PassphraseDescriptor,
    PassphraseFiles,
    opened,
    passphrases,
)
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing import licenses
from tunesmith_vendor.issuing.orders import Order, gather_order, read_plans
from tunesmith_vendor.issuing.pools import issue_pool
from tunesmith_vendor.issuing.revoking import revoke as revocation
from tunesmith_vendor.keys import read_public

__all__ = ["pool", "register"]

LicenseId = Annotated[str, typer.Argument(metavar="ID", help="The id of the license.")]
OrderFile = Annotated[
    Path | None, typer.Option("--order-file", metavar="FILE", help="An order in TOML or JSON; options win over it.")
]
PlanName = Annotated[str | None, typer.Option("--plan", metavar="NAME", help="A plan of plans.toml of the desk.")]
Customer = Annotated[str | None, typer.Option("--customer", metavar="ID", help="The customer's id.")]
CustomerName = Annotated[
    str | None, typer.Option("--customer-name", metavar="TEXT", help="The customer's name; once, then it is known.")
]
NewId = Annotated[str | None, typer.Option("--id", metavar="ID", help="Default: a random one.")]
Edition = Annotated[str | None, typer.Option("--edition", metavar="TEXT", help="A name for people.")]
Environment = Annotated[
    str | None, typer.Option("--environment", metavar="NAME", help="production, non-production, ci or trial.")
]
Features = Annotated[
    list[str] | None,
    typer.Option("--feature", metavar="CODE[:LIMIT=N,…]", help="E.g. distributed:nodes=4,gpus=32; may be repeated."),
]
Starts = Annotated[
    str | None, typer.Option("--starts", metavar="DAY", help="2027-01-31, or with the time. Default: now.")
]
Expires = Annotated[str | None, typer.Option("--expires", metavar="DAY", help="The end of the term.")]
Term = Annotated[str | None, typer.Option("--term", metavar="LENGTH", help="Instead: 90d, 12m or 1y.")]
Perpetual = Annotated[bool, typer.Option("--perpetual", help="Instead: it never expires.")]
Grace = Annotated[int | None, typer.Option("--grace-days", metavar="N", help="Days of grace; default 14.")]
Maintenance = Annotated[
    str | None,
    typer.Option("--maintenance-until", metavar="DAY", help="Builds made before that stay licensed for ever."),
]
BindTo = Annotated[
    str | None,
    typer.Option("--binding", metavar="KIND=VALUE,…", help="E.g. domain=example.com; none releases it."),
]
OrderNumber = Annotated[str | None, typer.Option("--order", metavar="TEXT", help="Number of the purchase.")]
Activations = Annotated[
    int | None,
    typer.Option("--activations", metavar="N", help="Signed for each of at most N installations that ask."),
]


def issue(
    order_file: OrderFile = None,
    plan: PlanName = None,
    customer: Customer = None,
    customer_name: CustomerName = None,
    license_id: NewId = None,
    edition: Edition = None,
    environment: Environment = None,
    feature: Features = None,
    starts: Starts = None,
    expires: Expires = None,
    term: Term = None,
    perpetual: Perpetual = False,
    grace_days: Grace = None,
    maintenance_until: Maintenance = None,
    binding: BindTo = None,
    order: OrderNumber = None,
    replaces: Annotated[
        list[str] | None, typer.Option("--replaces", metavar="ID", help="Does not count beside it; may be repeated.")
    ] = None,
    activations: Activations = None,
    oem_product: Annotated[
        str | None, typer.Option("--oem-product", metavar="NAME", help="May issue licenses inside this product.")
    ] = None,
    oem_key: Annotated[
        list[Path] | None, typer.Option("--oem-key", metavar="FILE", help="Public key that signs them; repeatable.")
    ] = None,
    oem_feature: Annotated[
        list[str] | None, typer.Option("--oem-feature", metavar="CODE", help="What they may contain; repeatable.")
    ] = None,
    reason: Reason = "",
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Issue a license, from options, an order file and a plan."""
    typed = _typed(locals()) | {"id": license_id, "replaces": replaces}
    if oem_product or oem_key or oem_feature:
        keys = [read_public(file).text for file in oem_key or ()]
        typed["oem"] = {"product": oem_product, "keys": keys, "features": oem_feature or []}
    refuse_taken_file(out, force)
    place = opened(desk)
    gathered = gather_order(typed, order_file, read_plans(place.folder))
    works = clerk(place, ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    planning = licenses.issue(gathered, works.now)
    done = works.carry_out(planning, reason=reason_of(reason), dry_run=dry_run)
    told(done, out=out, force=force, as_json=as_json)


def renew(
    license_id: LicenseId,
    starts: Starts = None,
    expires: Expires = None,
    term: Term = None,
    perpetual: Perpetual = False,
    grace_days: Grace = None,
    maintenance_until: Maintenance = None,
    order: OrderNumber = None,
    reason: Reason = "",
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Give a license a new term: the same id, the next serial. A length counts from the end of the old term."""
    refuse_taken_file(out, force)
    works = clerk(opened(desk), ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    planning = licenses.renew(license_id, _order(locals()), works.now)
    done = works.carry_out(planning, reason=reason_of(reason), dry_run=dry_run)
    told(done, out=out, force=force, as_json=as_json)


def reissue(
    license_id: LicenseId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the ledger.")],
    binding: BindTo = None,
    expires: Expires = None,
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Sign a license once more with the next serial: it was lost, or is bound to something else from now on."""
    refuse_taken_file(out, force)
    works = clerk(opened(desk), ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    planning = licenses.reissue(license_id, _order(locals()), works.now)
    done = works.carry_out(planning, reason=reason_of(reason), dry_run=dry_run)
    told(done, out=out, force=force, as_json=as_json)


def upgrade(
    license_id: LicenseId,
    plan: PlanName = None,
    edition: Edition = None,
    environment: Environment = None,
    feature: Features = None,
    drop_feature: Annotated[
        list[str] | None, typer.Option("--drop-feature", metavar="CODE", help="Without this; may be repeated.")
    ] = None,
    activations: Activations = None,
    order: OrderNumber = None,
    reason: Reason = "",
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Change what a license contains: features come to those that there are, or take the place of their code's."""
    refuse_taken_file(out, force)
    place = opened(desk)
    works = clerk(place, ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    order_of = gather_order(_typed(locals()), None, read_plans(place.folder) if plan else {})
    planning = licenses.upgrade(license_id, order_of, tuple(drop_feature or ()), works.now)
    done = works.carry_out(planning, reason=reason_of(reason), dry_run=dry_run)
    told(done, out=out, force=force, as_json=as_json)


def revoke(
    subject: Annotated[str, typer.Argument(metavar="ID", help="The id of the license or pool.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; customers read it in the list.")],
    up_to: Annotated[
        int | None, typer.Option("--up-to", metavar="SERIAL", help="Later serials count. Default: none does.")
    ] = None,
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a license or pool: makes the next list, which holds everything that was ever revoked."""
    refuse_taken_file(out, force)
    works = clerk(opened(desk), ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    planning = revocation(subject, up_to, reason_of(reason), works.now)
    done = works.carry_out(planning, reason=reason_of(reason), dry_run=dry_run)
    told(done, out=out, force=force, as_json=as_json)


pool = typer.Typer(help="Pools: seats that a license server at the customer's lends.")


@pool.callback()
def _pools() -> None:
    """Pools: seats that a license server at the customer's lends."""


@pool.command("issue")
def pool_issue(
    server_key: Annotated[
        Path, typer.Option("--server-key", metavar="FILE", help="The server's public key: PEM, or base64 on a line.")
    ],
    order_file: OrderFile = None,
    plan: PlanName = None,
    customer: Customer = None,
    customer_name: CustomerName = None,
    pool_id: NewId = None,
    again: Annotated[
        bool, typer.Option("--again", help="The next serial of the pool of --id: a new term, seats or server.")
    ] = False,
    edition: Edition = None,
    environment: Environment = None,
    feature: Features = None,
    seats: Annotated[int | None, typer.Option("--seats", metavar="N", help="Jobs at the same time.")] = None,
    lease_seconds: Annotated[
        int | None, typer.Option("--lease-seconds", metavar="N", help="Of a lease that is not renewed; default 300.")
    ] = None,
    offline_hours: Annotated[
        int | None, typer.Option("--offline-hours", metavar="N", help="Without the server; default 24.")
    ] = None,
    borrow_days: Annotated[
        int | None, typer.Option("--borrow-days", metavar="N", help="The longest that one is borrowed; default 0.")
    ] = None,
    starts: Starts = None,
    expires: Expires = None,
    term: Term = None,
    perpetual: Perpetual = False,
    grace_days: Grace = None,
    maintenance_until: Maintenance = None,
    order: OrderNumber = None,
    reason: Reason = "",
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Sign a pool for the key of a license server."""
    typed = _typed(locals()) | {"id": pool_id}
    refuse_taken_file(out, force)
    place = opened(desk)
    gathered = gather_order(typed, order_file, read_plans(place.folder))
    works = clerk(place, ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    planning = issue_pool(gathered, read_public(server_key), works.now, again=again)
    done = works.carry_out(planning, reason=reason_of(reason), dry_run=dry_run)
    told(done, out=out, force=force, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (issue, renew, reissue, upgrade, revoke):
        app.command(command.__name__)(command)
    app.add_typer(pool, name="pool")


_KEYS = (
    "plan",
    "customer",
    "customer_name",
    "edition",
    "environment",
    "starts",
    "expires",
    "term",
    "grace_days",
    "maintenance_until",
    "order",
    "activations",
    "seats",
    "lease_seconds",
    "offline_hours",
    "borrow_days",
)


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """The keys of an order among the options of a command."""
    found = {name: given[name] for name in _KEYS if given.get(name) is not None}
    if given.get("perpetual"):
        found["perpetual"] = True
    if given.get("feature"):
        found["features"] = dict(map(_feature, given["feature"]))
    if given.get("binding"):
        kind, _, values = given["binding"].partition("=")
        found["binding"] = {"kind": kind, "values": [value for value in values.split(",") if value]}
    return found


def _order(given: dict[str, Any]) -> Order:
    return gather_order(_typed(given), None, {})


def _feature(written: str) -> tuple[str, dict[str, int]]:
    code, colon, rest = written.partition(":")
    limits: dict[str, int] = {}
    for part in rest.split(",") if colon else ():
        name, _, number = part.partition("=")
        if not name or not number.isascii() or not number.isdigit():
            raise VendorError(
                "this is no feature with its limits", given=ascii(written), expected="distributed:nodes=4,gpus=32"
            )
        limits[name] = int(number)
    return code, limits
