# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor ledger``: begin it, check it, search it, copy it, put a copy back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith.licensing import dearmor_all, format_timestamp
from tunesmith_vendor.commands.desk_work import (
    Force,
    Keys,
    LedgerPlace,
    OperatorName,
    Reason,
    clerk,
    ledger_of,
    operator,
    place_of,
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
from tunesmith_vendor.desk import Desk, utc_now
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import make_private_folder, read_bytes, replace_file
from tunesmith_vendor.issuing.clerk import Plan
from tunesmith_vendor.issuing.terms import moment
from tunesmith_vendor.ledger import checkpoint as checkpoints
from tunesmith_vendor.ledger import copies
from tunesmith_vendor.ledger.acts import four_eyes
from tunesmith_vendor.ledger.additions import add_document, trusts
from tunesmith_vendor.ledger.chain import Broken, Entry
from tunesmith_vendor.ledger.checkpoint import Checkpoint
from tunesmith_vendor.ledger.store import Ledger, Reading
from tunesmith_vendor.reports.searching import search

__all__ = ["app"]

app = typer.Typer(help="The ledger: begin, check, search, copy.")

CheckpointFile = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="One that was filed away elsewhere.")
]


@app.command("init")
def init(
    product: Annotated[
        str, typer.Option("--product", metavar="NAME", help="What its licenses are for.")
    ] = "tunesmith-enterprise",
    operator_name: OperatorName = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Begin a ledger, once."""
    place = opened(desk)
    if ledger is None:
        make_private_folder(place.folder)
    made = Ledger.begin(place_of(place, ledger), operator(operator_name), product=product)
    if as_json:
        show_json({"ledger": str(made), "product": product})
        return
    print(f"ledger  {made}\nfor     {plain(product)}")
    note("keep backups of it elsewhere (`ledger backup`), and checkpoints (`ledger checkpoint`) elsewhere again")


@app.command("verify")
def verify(
    checkpoint: CheckpointFile = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Walk the whole chain; an error names the first entry that is not what was written."""
    place = opened(desk)
    made = [] if checkpoint is None else [_checkpoint(place, checkpoint)]
    with ledger_of(place, ledger).reading() as reading:
        wrong = copies.verify(reading, *made)
        head = reading.last()
    values: dict[str, Any] = {
        "verified": wrong is None,
        "entries": head.seq if head else 0,
        "head": head.hash if head else None,
        "broken": wrong.seq if isinstance(wrong, Broken) else None,
        "why": None if wrong is None else wrong.why if isinstance(wrong, Broken) else wrong,
    }
    if as_json:
        show_json(values)
        if wrong is not None:
            raise typer.Exit(2)
        return
    if wrong is not None:
        raise VendorError(
            "this ledger is not what was written into it",
            given=str(wrong),
            fix="keep the file as it is, to look into; `ledger restore` puts a backup back",
        )
    print(f"whole: {values['entries']:,} entries, the last hash is {values['head']}")
    if checkpoint is None:
        note("whoever can write to the database could have computed all hashes anew: --checkpoint FILE tells")


@app.command("checkpoint")
def checkpoint(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes; keep it where nobody changes it.")],
    operator_name: OperatorName = None,
    key: Keys = None,
    force: Force = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Sign how long the ledger is and what its last hash is, with an issuer's key; to print or file away."""
    refuse_taken_file(out, force)
    place, book = opened(desk), ledger_of(opened(desk), ledger)
    ask = passphrases(passphrase_file, passphrase_fd)
    signers = {one.public: place.signer(one.name, "issuer", ask) for one in place.signers_for("license", key or ())}
    with book.reading() as reading:
        wrong = copies.verify(reading)
        if wrong is not None:
            raise VendorError("a ledger that is broken gets no checkpoint", given=str(wrong))
        head, own = reading.head(), reading.entry(1).facts["ledger"]
    now = utc_now()
    text = checkpoints.make(head, own, now, signers)
    replace_file(out, text.encode("ascii"))
    facts = {"entries": head.seq, "head": head.hash}
    entry = book.write(
        operator(operator_name), lambda pen: pen.add("checkpoint", details=facts, documents=text), now=now
    )
    if as_json:
        show_json({"entry": entry.seq, **facts, "at": format_timestamp(now), "file": str(out)})
        return
    print(f"{head.seq:,} entries, the last hash is {head.hash}\n  file  {out}")


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A name that ends with .jsonl or .csv.")],
    force: Force = False,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Write every entry for other programs: JSON lines with all that the hashes are made of, or a table."""
    write = {".jsonl": copies.export_json_lines, ".csv": copies.export_csv}.get(out.suffix)
    if write is None:
        raise VendorError("it is not clear in which form to export", given=out.name, expected="FILE.jsonl or FILE.csv")
    refuse_taken_file(out, force)
    text = io.StringIO(newline="")
    with ledger_of(opened(desk), ledger).reading() as reading:
        count = write(reading, text)
    replace_file(out, text.getvalue().encode())
    if as_json:
        show_json({"entries": count, "file": str(out)})
        return
    print(f"{count:,} entries\n  file  {out}")


@app.command("search")
def searching(
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="TEXT", help="The customer's id, or part of the name.")
    ] = None,
    order: Annotated[str | None, typer.Option("--order", metavar="TEXT", help="Number of a purchase.")] = None,
    subject: Annotated[str | None, typer.Option("--id", metavar="ID", help="Of a license or pool.")] = None,
    expiring_before: Annotated[
        str | None, typer.Option("--expiring-before", metavar="DAY", help="Their latest serial ends before that.")
    ] = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Find licenses and pools by all that is given."""
    before = None if expiring_before is None else moment(expiring_before, "--expiring-before")
    with ledger_of(opened(desk), ledger).reading() as reading:
        found = [
            one.plain()
            for one in search(reading, customer=customer, order=order, subject=subject, expiring_before=before)
        ]
    if as_json:
        show_json({"found": found})
        return
    for one in found:
        marks = ", revoked" * one["revoked"] + (f", replaced by {one['replaced_by']}" if one["replaced_by"] else "")
        ends = one["expires_at"] or "never"
        print(f"{one['id']}  serial {one['serial']}  {plain(one['customer_name'])}  ends {ends}{marks}")
    note(f"{len(found):,} found")


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Signed documents of this desk.")],
    reason: Reason = "",
    operator_name: OperatorName = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Enter licenses, pools and lists that were signed and are not in the ledger; roots in the file are left aside."""
    place = opened(desk)
    roots = trusts(place)
    documents = [one for one in dearmor_all(read_bytes(file, "the file")) if one.kind != "root"]
    why = reason_of(reason)

    def enter(pen: Any) -> list[Entry | None]:
        return [add_document(pen, one, roots, why) for one in documents]

    found = ledger_of(place, ledger).write(operator(operator_name), enter, now=utc_now())
    added = [entry for entry in found if entry is not None]
    if as_json:
        show_json({"added": [entry.seq for entry in added], "known": len(found) - len(added)})
        return
    for entry in added:
        print(f"{entry.facts['kind']} {entry.subject or ''} serial {entry.serial or '-'}\n  entry  {entry.seq}")
    note(f"{len(added)} added, {len(found) - len(added)} were there")


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Copy a ledger that lies in a file, also while others use it; the copy is checked."""
    count = copies.back_up(ledger_of(opened(desk), ledger), file)
    if as_json:
        show_json({"entries": count, "file": str(file)})
        return
    print(f"{count:,} entries, and the copy is whole\n  file  {file}")


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ledger backup` wrote.")],
    checkpoint: CheckpointFile = None,
    force: Annotated[bool, typer.Option("--force", help="Also if entries are lost by it.")] = False,
    operator_name: OperatorName = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the ledger. What is there is kept under another name."""
    place = opened(desk)
    where = place_of(place, ledger)
    if not isinstance(where, Path):
        raise VendorError("a ledger in PostgreSQL is restored with PostgreSQL's own means", fix="pg_restore")
    made = None if checkpoint is None else _checkpoint(place, checkpoint)
    restored, moved = copies.restore(where, file, operator(operator_name), utc_now(), made=made, force=force)
    with restored.reading() as reading:
        count = reading.head().seq
    if as_json:
        show_json({"entries": count, "file": str(where), "kept": None if moved is None else str(moved)})
        return
    print(f"restored: {count:,} entries, this one among them\n  file  {where}")
    if moved is not None:
        note(f"the ledger that was there is kept as {moved}")
    if made is None:
        note("without --checkpoint nobody can tell whether this backup is the newest")


@app.command("settings")
def settings(
    change: Annotated[
        str | None, typer.Argument(metavar="[four_eyes=true|false]", help="Nothing: show what is set.")
    ] = None,
    reason: Reason = "",
    operator_name: OperatorName = None,
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Show or change what the ledger asks for. With four_eyes a second operator approves, also this change."""
    works = clerk(opened(desk), ledger, operator_name, None, passphrases(None, None))
    if change is None:
        with works.ledger.reading() as reading:
            values = {"four_eyes": four_eyes(reading), "product": reading.product()}
        if as_json:
            show_json(values)
        else:
            print(f"four_eyes  {str(values['four_eyes']).lower()}\nproduct    {values['product']}")
        return
    name, _, value = change.partition("=")
    if name != "four_eyes" or value not in ("true", "false"):
        raise VendorError("there is no such setting", given=ascii(change), expected="four_eyes=true or four_eyes=false")

    def planning(reading: Reading) -> Plan:
        if four_eyes(reading) == (value == "true"):
            raise VendorError("it is set so already", given=change)
        return Plan(action="set", kind=None, payload=None, details={"four_eyes": value == "true"})

    told(works.carry_out(planning, reason=reason_of(reason)), out=None, force=False, as_json=as_json)


def _checkpoint(desk: Desk, file: Path) -> Checkpoint:
    keys = [key for trust in trusts(desk) for key in trust.root.roles["issuer"].keys]
    return checkpoints.read(read_bytes(file, "the checkpoint"), keys)
