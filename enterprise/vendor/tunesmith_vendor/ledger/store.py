# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Opening the ledger, reading it, and adding to it: one writer at a time, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tunesmith.licensing import format_timestamp
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import START, Entry, digest, hash_of
from tunesmith_vendor.ledger.tables import create, entries

__all__ = ["Ledger", "Operator", "Reading", "Writing"]

T = TypeVar("T")

_COLUMNS: Final = tuple(entries.c[field.name] for field in fields(Entry))
_LOCK: Final = int.from_bytes(b"tunesmth", "big", signed=True)
"""The name of the lock that writers on PostgreSQL take."""
_WAIT: Final = 30.0
"""Seconds for which one writer waits for another."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who works at the desk: the name that they give, and the account of the machine that they use."""

    name: str
    account: str


class Reading:
    """The entries, in one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def select(self, *conditions: sa.ColumnElement[bool], newest_first: bool = False) -> Iterator[Entry]:
        """Entries that meet all conditions, in their order, a few at a time."""
        order = entries.c.seq.desc() if newest_first else entries.c.seq
        query = sa.select(*_COLUMNS).where(*conditions).order_by(order)
        found = self._connection.execute(query, execution_options={"yield_per": 500})
        try:
            for row in found:
                yield Entry(**row._mapping)
        finally:
            found.close()  # whoever has seen enough stops asking; on PostgreSQL a cursor would stay open

    def last(self, *conditions: sa.ColumnElement[bool]) -> Entry | None:
        """The last entry that meets all conditions."""
        query = sa.select(*_COLUMNS).where(*conditions).order_by(entries.c.seq.desc()).limit(1)
        row = self._connection.execute(query).first()
        return None if row is None else Entry(**row._mapping)

    def entry(self, seq: int) -> Entry:
        """One entry.

        Raises:
            VendorError: there is none of that number.
        """
        found = self.last(entries.c.seq == seq)
        if found is None:
            raise VendorError(
                "the ledger has no such entry",
                given=f"{seq:,}",
                expected=f"1 to {self.head().seq:,}",
                fix="`tunesmith-vendor ledger search` lists entries",
            )
        return found

    def head(self) -> Entry:
        """The last entry of all."""
        found = self.last()
        if found is None:
            raise VendorError(
                "the ledger is empty: not even its beginning is there",
                fix="restore it: `tunesmith-vendor ledger restore`",
            )
        return found

    def history(self, subject: str) -> list[Entry]:
        """Every entry about a license or pool."""
        return list(self.select(entries.c.subject == subject))

    def subjects(self, *conditions: sa.ColumnElement[bool]) -> list[str]:
        """The ids of licenses and pools of which an entry meets all conditions, in order."""
        subject = entries.c.subject
        query = sa.select(subject).distinct().where(subject.is_not(None), *conditions).order_by(subject)
        return [str(found) for found in self._connection.scalars(query)]

    def followers(self, seq: int) -> list[Entry]:
        """Entries that go on from one."""
        return list(self.select(entries.c.refers_to == seq))

    def product(self) -> str:
        """What the licenses of this ledger are for."""
        return str(self.entry(1).facts["product"])


class Writing(Reading):
    """The entries, while nobody else can add any."""

    def __init__(self, connection: sa.Connection, operator: Operator, now: datetime) -> None:
        super().__init__(connection)
        self.operator = operator
        self.now = now

    def add(self, action: str, *, details: Mapping[str, Any] | None = None, **values: Any) -> Entry:
        """Add an entry; ``values`` are fields of :class:`Entry`.

        Raises:
            VendorError: the entry before it is not what was written.
        """
        before = self.last()
        if before is not None and hash_of(before) != before.hash:
            raise VendorError(
                "the last entry of the ledger was changed, and nothing is added to it",
                given=f"entry {before.seq:,}",
                fix="`tunesmith-vendor ledger verify`, and `ledger restore` a backup",
            )
        payload = values.get("payload")
        if payload is not None:
            values["payload_sha256"] = digest(payload)
        entry = Entry(
            seq=1 if before is None else before.seq + 1,
            at=format_timestamp(self.now),
            operator=self.operator.name,
            account=self.operator.account,
            action=action,
            details=json.dumps(details or {}, sort_keys=True, ensure_ascii=False, separators=(",", ":")),
            prev_hash=START if before is None else before.hash,
            **values,
        )
        entry = replace(entry, hash=hash_of(entry))
        self._connection.execute(entries.insert().values(_row(entry)))
        return entry


def _row(entry: Entry) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in fields(Entry)}


class Ledger:
    """A ledger that is there.

    Args:
        place: a file (SQLite), or the address of a database: ``postgresql://host/database``.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = place
        self._engine = _engine(place)

    def __str__(self) -> str:
        return self._engine.url.render_as_string(hide_password=True) if self.file is None else str(self.file)

    @property
    def file(self) -> Path | None:
        """The file of the ledger; None: it lies in a database server."""
        return self.place if isinstance(self.place, Path) else None

    @classmethod
    def open(cls, place: Path | str) -> Ledger:
        """The ledger of a place.

        Raises:
            VendorError: there is none. One is never made in passing: it would begin to count at 1 again.
        """
        ledger = cls(place)
        absent = VendorError(
            "there is no ledger here",
            given=ledger,
            expected="a ledger",
            fix=(
                "`tunesmith-vendor ledger init` begins one; if there was one before, look for it or restore it:",
                "a new one counts serials and lists of revocations from 1",
            ),
        )
        if ledger.file is not None and not ledger.file.is_file():
            raise absent
        with ledger._told():
            there = sa.inspect(ledger._engine).has_table(entries.name)
        if not there:
            raise absent
        schema: object = 1
        # Of a first entry that is gone or was changed `verify` has to be able to tell.
        with ledger.reading() as reading, suppress(VendorError):
            schema = reading.entry(1).facts.get("schema")
        if schema != 1:
            raise VendorError(
                "a newer program writes this ledger",
                given=f"schema {schema}",
                expected="schema 1",
                fix="install a newer release of tunesmith-vendor",
            )
        return ledger

    @classmethod
    def begin(cls, place: Path | str, operator: Operator, *, product: str, now: datetime | None = None) -> Ledger:
        """A new ledger, with its first entry.

        Raises:
            VendorError: there is one already.
        """
        ledger = cls(place)
        if ledger.file is not None:
            _claim(ledger.file)

        def first(pen: Writing) -> None:
            if sa.inspect(pen._connection).has_table(entries.name):
                raise VendorError("there is a ledger already", given=ledger, fix="use it, or name another place")
            create(pen._connection)
            pen.add("begin", details={"schema": 1, "ledger": secrets.token_hex(16), "product": product})

        try:
            ledger.write(operator, first, now=now)
        except BaseException:
            if ledger.file is not None:
                ledger.file.unlink(missing_ok=True)  # it is ours: _claim made it
            raise
        return ledger

    def write(self, operator: Operator, change: Callable[[Writing], T], *, now: datetime | None = None) -> T:
        """Let ``change`` add entries; all of them or, if it raises, none. Others wait meanwhile: ask nobody anything.

        Raises:
            VendorError: the database refuses, or another writer takes longer than 30 s.
        """
        with self._told(), self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            return change(Writing(connection, operator, now or datetime.now(timezone.utc)))

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The entries as they are now."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield Reading(connection)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # Of the driver's own words only the first line: the rest repeats the statement with its values.
            cause = getattr(error, "orig", None) or error
            raise VendorError(
                "the database of the ledger refuses",
                given=f"{self}: {str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__}",
                fix="look whether it is there, may be written, is not full, and is not held by another program",
            ) from None


def _claim(file: Path) -> None:
    """Make the file, for its owner only, if it is not there."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise VendorError("there is a ledger already", given=file, fix="use it, or name another place") from None
    except OSError as error:
        raise VendorError(f"the ledger cannot be made: {error.strerror}", given=file) from None


def _engine(place: Path | str) -> sa.Engine:
    if isinstance(place, Path):
        # Without `timeout` a second writer fails after 5 s; without isolation_level the driver begins where it likes.
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(place)),
            connect_args={"timeout": _WAIT, "isolation_level": None},
            poolclass=sa.pool.NullPool,
        )
        sa.event.listen(engine, "connect", _durable)
        sa.event.listen(engine, "begin", _begin)
        return engine
    try:
        url = sa.make_url(place)
    except sa.exc.ArgumentError:
        raise VendorError("this is no address of a database", expected="postgresql://user@host/database") from None
    if url.get_backend_name() != "postgresql":
        raise VendorError(
            "a ledger lies in a file or in PostgreSQL",
            given=url.get_backend_name(),
            expected="postgresql://host/database",
        )
    try:
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), poolclass=sa.pool.NullPool)
    except ImportError:
        raise VendorError(
            "PostgreSQL needs a driver that is not installed", fix="pip install 'tunesmith-vendor[postgres]'"
        ) from None


def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = EXTRA")  # an entry that was reported survives the loss of power


def _begin(connection: sa.Connection) -> None:
    # IMMEDIATE: two writers that both began by reading could not both become writers.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
