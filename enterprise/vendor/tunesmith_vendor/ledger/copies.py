# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The ledger in other places: backups that can be put back, exports for other programs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sqlite3
import tempfile
from base64 import b64encode
from contextlib import closing, suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import Broken, Entry, broken
from tunesmith_vendor.ledger.checkpoint import Checkpoint, compare
from tunesmith_vendor.ledger.store import Ledger, Operator, Reading

__all__ = ["COLUMNS", "back_up", "export_csv", "export_json_lines", "plain", "restore", "verify"]

COLUMNS: Final = tuple(field.name for field in fields(Entry))


def verify(reading: Reading, *made: Checkpoint) -> Broken | str | None:
    """What is wrong with a ledger: the first broken entry, or what a checkpoint says; None: nothing."""
    found = broken(reading.select())
    if found is not None:
        return found
    return next((against for one in made if (against := compare(reading, one)) is not None), None)


def back_up(ledger: Ledger, file: Path) -> int:
    """Copy a ledger that lies in a file, while others may write to it; give back how many entries the copy has.

    Raises:
        VendorError: the ledger lies in PostgreSQL; the file exists, or cannot be written; the copy is not whole, and
            is gone again.
    """
    if ledger.file is None:
        raise VendorError(
            "a ledger in PostgreSQL is backed up with PostgreSQL's own means",
            given=ledger,
            fix="pg_dump --format=custom --table=ledger_entries …, and `ledger export` for a copy that outlives it",
        )
    if file.exists():
        raise VendorError("there is a file of that name already, and it stays", given=file, fix="choose another name")
    temporary = _beside(file)
    try:
        with closing(sqlite3.connect(ledger.file)) as source, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
        count = _whole(temporary)
        _settle(temporary)
        os.replace(temporary, file)
    except (OSError, sqlite3.Error) as error:
        raise VendorError("the backup cannot be made", given=f"{file}: {error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
    return count


def restore(
    place: Path, backup: Path, operator: Operator, now: datetime, *, made: Checkpoint | None, force: bool
) -> tuple[Ledger, Path | None]:
    """Put a backup in the place of a ledger, and enter that this was done.

    Args:
        made: a checkpoint that was kept elsewhere; None: nobody has one.
        force: also if entries are lost by it.

    Returns:
        The ledger, and where the file that was there before went; None: there was none.

    Raises:
        VendorError: the backup is not whole; it lacks entries that the ledger in place or the checkpoint has.
    """
    try:
        digest = hashlib.sha256(backup.read_bytes()).hexdigest()
    except OSError as error:
        raise VendorError("the backup cannot be read", given=f"{backup}: {error.strerror}") from None
    count = _whole(backup)
    lost = _lost(place, backup, count, made)
    if lost is not None and not force:
        raise VendorError(
            "this backup would lose what was entered since",
            given=lost,
            fix=(
                "look for a newer one. If there is none, use --force; then bring back what is missing with",
                "`tunesmith-vendor ledger add FILE` for each document that was sent since, or serials and lists of",
                "revocations are counted from where the backup ends, and customers refuse a list that is older",
            ),
        )
    temporary = _beside(place)
    moved = None
    try:
        with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
        _settle(temporary)
        if place.exists():
            moved = place.with_name(f"{place.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
            if moved.exists():
                raise VendorError("there is a file of that name already, and it stays", given=moved)
            os.replace(place, moved)
        os.replace(temporary, place)
    except (OSError, sqlite3.Error) as error:
        raise VendorError("the backup cannot be put back", given=f"{place}: {error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
    ledger = Ledger.open(place)
    facts = {"backup_sha256": digest, "entries": count, "lost": lost}
    ledger.write(operator, lambda pen: pen.add("restore", details=facts), now=now)
    return ledger, moved


def export_json_lines(reading: Reading, file: TextIO) -> int:
    """Every entry as one line of JSON, with all that its hash is made of; give back how many."""
    count = 0
    for entry in reading.select():
        file.write(json.dumps(plain(entry), ensure_ascii=False) + "\n")
        count += 1
    return count


def export_csv(reading: Reading, file: TextIO) -> int:
    """Every entry as a row for a table program; give back how many.

    A cell that such a program would take for a formula gets an apostrophe before it, so a hash over the cells would not
    fit: for checking there are the JSON lines.
    """
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    count = 0
    for entry in reading.select():
        writer.writerow([_cell(value) for value in plain(entry).values()])
        count += 1
    return count


def plain(entry: Entry) -> dict[str, Any]:
    """An entry as JSON has it; the payload in base64."""
    values = {name: getattr(entry, name) for name in COLUMNS}
    if entry.payload is not None:
        values["payload"] = b64encode(entry.payload).decode("ascii")
    return values


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _lost(place: Path, backup: Path, count: int, made: Checkpoint | None) -> str | None:
    with Ledger.open(backup).reading() as old:
        if made is not None:
            against = compare(old, made)
            if against is not None:
                return against
        last = old.head().hash
    if not place.is_file():
        return None
    try:
        with Ledger.open(place).reading() as present:
            if broken(present.select()) is not None:
                return None  # what is broken is what a backup is for
            head = present.head().seq
            if head >= count and present.entry(count).hash == last:
                return None if head == count else f"{head - count:,} entries that the ledger in place has"
            return "the ledger in place is another one, or has gone another way"
    except VendorError:
        return None


def _whole(file: Path) -> int:
    ledger = Ledger.open(file)
    with ledger.reading() as reading:
        found = broken(reading.select())
        if found is not None:
            raise VendorError("this copy of the ledger is not whole", given=f"{file}: {found}", fix="use another one")
        return reading.head().seq


def _beside(file: Path) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner only
    except OSError as error:
        raise VendorError("the file cannot be written", given=f"{file}: {error.strerror}") from None
    os.close(number)
    return Path(name)


def _settle(file: Path) -> None:
    number = os.open(file, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
