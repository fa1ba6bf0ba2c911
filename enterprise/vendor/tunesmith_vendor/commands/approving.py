# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor approve``, ``reject``, ``finish``, ``show`` and ``activation respond``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunesmith.licensing import read_document
from tunesmith.licensing.contents import read_activation_request
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
    note,
    opened,
    passphrases,
    plain,
    show_json,
)
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing.activating import activate, active, deactivate
from tunesmith_vendor.ledger.acts import ACTS, progress
from tunesmith_vendor.ledger.store import Ledger
from tunesmith_vendor.ledger.tables import entries

__all__ = ["activation", "register"]

EntryNumber = Annotated[int, typer.Argument(metavar="ENTRY", help="The number of the entry in the ledger.", min=1)]


def approve(
    entry: EntryNumber,
    reason: Reason = "",
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Approve what another operator proposed, and sign it."""
    refuse_taken_file(out, force)
    works = clerk(opened(desk), ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    done = works.approve(entry, reason=reason_of(reason))
    told(done, out=out, force=force, as_json=as_json)
    if done.act is not None and done.act.account == works.operator.account:
        note(f"proposed and approved from one account, {done.act.account}: the ledger cannot tell that these were two")


def reject(
    entry: EntryNumber,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the ledger.")],
    operator: OperatorName = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """End a proposal without signing it; also your own."""
    works = clerk(opened(desk), ledger, operator, None, passphrases(None, None))
    told(works.reject(entry, reason=reason_of(reason)), out=None, force=False, as_json=as_json)


def finish(
    entry: EntryNumber,
    operator: OperatorName = None,
    key: Keys = None,
    out: Out = None,
    force: Force = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Sign what was entered and then interrupted."""
    refuse_taken_file(out, force)
    works = clerk(opened(desk), ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    told(works.finish(entry), out=out, force=force, as_json=as_json)


def show(
    which: Annotated[str, typer.Argument(metavar="ENTRY|ID", help="An entry of the ledger, or a license or pool.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE|-", help="Write its document there once more.")
    ] = None,
    force: Force = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Show an act, or the latest of a license or pool; with --out write its document, the latest signed, once more."""
    works = clerk(opened(desk), ledger, None, None, passphrases(None, None))
    number = which.isascii() and which.isdigit()
    done = works.printed(int(which) if number else _latest(works.ledger, which, signed=out is not None))
    if out is not None and done.text is None:
        raise VendorError(
            "there is no document to write: it is not signed",
            given=f"entry {done.act.seq if done.act else which}: {done.progress}",
        )
    if out is not None:
        refuse_taken_file(out, force)
        works.refuse_unbelieved(done)
    told(done if out is not None else done.without_text(), out=out, force=force, as_json=as_json)


activation = typer.Typer(help="Activations: licenses bound to the installations that ask.")


@activation.callback()
def _activations() -> None:
    """Activations: licenses bound to the installations that ask."""


@activation.command("respond")
def respond(
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="What the customer's installation wrote.")],
    license_id: Annotated[
        str | None, typer.Option("--license", metavar="ID", help="It has to be for this license.")
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
    """Answer a request: the license bound to the installation that asks; or enter that it gave its place up."""
    refuse_taken_file(out, force)
    asked = read_activation_request(read_document(request, "activation-request"))
    if license_id is not None and license_id != asked.license_id:
        raise VendorError("the request is for another license", given=asked.license_id, expected=license_id)
    works = clerk(opened(desk), ledger, operator, key, passphrases(passphrase_file, passphrase_fd))
    if asked.asks == "activate":
        done = works.carry_out(activate(asked, works.now), reason=reason_of(reason), dry_run=dry_run)
        told(done, out=out, force=force, as_json=as_json)
        return
    number = None
    if dry_run:
        with works.ledger.reading() as reading:
            active(reading, asked)
    else:
        number = works.ledger.write(
            works.operator, lambda pen: deactivate(pen, asked, reason_of(reason)), now=works.now
        ).seq
    come = "dry-run" if dry_run else "done"
    if as_json:
        values = {"entry": number, "action": "deactivate", "progress": come, "id": asked.license_id}
        show_json(values | {"install_id": asked.install_id})
        return
    print(f"deactivate {plain(asked.install_id)} of {plain(asked.license_id)}: {come}")
    if number is not None:
        print(f"  entry               {number}")


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (approve, reject, finish, show):
        app.command(command.__name__)(command)
    app.add_typer(activation, name="activation")


def _latest(ledger: Ledger, subject: str, *, signed: bool) -> int:
    """The entry of the latest act about a license or pool; if there is one, of the latest that was signed."""
    acts = (entries.c.subject == subject, entries.c.action.in_(ACTS), entries.c.action != "revoke")
    with ledger.reading() as reading:
        latest = reading.last(*acts)
        if latest is None:
            raise VendorError(
                "the ledger knows no license or pool of this id",
                given=ascii(subject),
                fix="`tunesmith-vendor ledger search` finds it by its customer or order",
            )
        if signed:
            for act in reading.select(*acts, newest_first=True):
                if progress(reading, act) == "signed":
                    return act.seq
        return latest.seq
