# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The database: SQLite in the server's folder, or PostgreSQL where several server processes share the seats.

Every transaction is alone: ``BEGIN IMMEDIATE`` in SQLite, an advisory lock in PostgreSQL. So a claim sees every claim
before it, and the last seat is given once. SQLite runs in WAL mode with ``synchronous=FULL``: a lease that was answered
is on the disk. With ``NORMAL`` a killed process loses nothing either, but a power cut may take back the last commits,
and with them serials that clients have seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url

from tunesmith_enterprise.server.audit import AUDIT, Recorder
from tunesmith_enterprise.server.refusals import StorageError
from tunesmith_enterprise.server.tables import KEPT, TABLES

__all__ = ["DATABASE", "Storage", "Transaction", "open_storage"]

DATABASE: Final = "seats.db"
"""The file of SQLite, in the server's folder."""

_SCHEMA: Final = "1"
_LOCK: Final = 0x74756E65  # any number, the same in every process
_WAIT: Final = 5
"""Seconds that a transaction waits for the one before it."""


class Transaction:
    """What happens together, or not at all.

    Attributes:
        connection: SQLAlchemy's.
        audit: writes into the chained log.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.audit = Recorder(connection)
        self._serial: int | None = None
        self._serial_before: int | None = None

    def next_serial(self) -> int:
        """A number above every one that was ever given out from this database."""
        if self._serial is None:
            found = self.kept("serial")
            if found is None or not found.isdecimal():
                raise StorageError(
                    "the database has lost its count of leases, and nothing is signed without it",
                    expected="a number under 'serial' in the table 'kept'",
                    fix="ask the vendor to issue the pool for a new server key, and start with a new folder",
                )
            self._serial = self._serial_before = int(found)
        self._serial += 1
        return self._serial

    def kept(self, name: str) -> str | None:
        """A value that is kept under a name."""
        found = self.connection.execute(_READ, {"kept_name": name}).scalar()
        return None if found is None else str(found)

    def keep(self, name: str, value: str) -> None:
        """Keep a value in the place of the one before."""
        changed = self.connection.execute(_UPDATE, {"kept_name": name, "kept_value": value})
        if changed.rowcount == 0:
            self.connection.execute(_INSERT, {"name": name, "value": value})

    def finish(self) -> None:
        """Write what was counted; called before the commit."""
        if self._serial != self._serial_before:
            self.keep("serial", str(self._serial))


_READ = sa.select(KEPT.c.value).where(KEPT.c.name == sa.bindparam("kept_name"))
_UPDATE = KEPT.update().where(KEPT.c.name == sa.bindparam("kept_name")).values(value=sa.bindparam("kept_value"))
_INSERT = KEPT.insert()


class Storage:
    """A database that is ready. Use :func:`open_storage`."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._shared = engine.dialect.name == "postgresql"

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction that no other overlaps. It is on the disk when the block is left.

        Raises:
            StorageError: the database cannot be used; nothing of the block was kept.
        """
        try:
            with self._engine.begin() as connection:
                if self._shared:
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                transaction = Transaction(connection)
                yield transaction
                transaction.finish()
        except exc.SQLAlchemyError as error:
            raise self._trouble(error) from error

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()

    def prepare(self) -> None:
        """Make the tables where there are none.

        Raises:
            StorageError: it cannot be used, or was made by a newer release.
        """
        with self.transaction() as transaction:
            TABLES.create_all(transaction.connection)
            schema = transaction.kept("schema")
            if schema is None and transaction.connection.execute(sa.select(AUDIT.c.seq).limit(1)).first() is None:
                transaction.keep("schema", _SCHEMA)
                transaction.keep("serial", "0")
            elif schema != _SCHEMA:
                raise StorageError(
                    "the database is of another release, or damaged",
                    given=f"{self._name}: schema {schema}",
                    expected=f"schema {_SCHEMA}",
                    fix="use the release that made it, or a newer one",
                )

    def _trouble(self, error: exc.SQLAlchemyError) -> StorageError:
        # Of the driver's words only the first line: a statement or its values have no place in a log.
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines() or ["no reason given"]
        return StorageError(
            f"the license server's database cannot be used: {cause[0]}",
            given=self._name,
            fix="look at the disk (full? read-only?) and whether the database answers; no seat was given",
        )


def open_storage(database: str | Path) -> Storage:
    """The database of a file (SQLite) or of a URL such as ``postgresql+psycopg://user@host/name``.

    Raises:
        StorageError: it cannot be used, or is of another release.
    """
    url = URL.create("sqlite", database=str(database)) if isinstance(database, Path) else _url(database)
    if url.get_backend_name() == "sqlite" and url.database:
        _own_file(Path(url.database))
    try:
        engine = sa.create_engine(url, hide_parameters=True, **_options(url))
    except ImportError as error:
        raise StorageError(
            f"the driver of this database is not installed: {error.name}",
            fix="pip install 'tunesmith-enterprise[server,postgres]'",
        ) from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediately)
    storage = Storage(engine, url.render_as_string(hide_password=True))
    try:
        storage.prepare()
    except BaseException:
        storage.close()
        raise
    return storage


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise StorageError(
            "this is no address of a database",  # not shown: it may hold a password
            expected="postgresql+psycopg://user@host/name, or sqlite:////folder/file.db",
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StorageError(
            "the license server does not know this kind of database",
            given=url.get_backend_name(),
            expected="sqlite or postgresql",
        )
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _WAIT, "check_same_thread": False}}
    limits = f"-c lock_timeout={_WAIT}s -c statement_timeout=10s -c idle_in_transaction_session_timeout=10s"
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 3, "options": limits}}


def _own_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(
            f"the database's file cannot be opened: {error.strerror}",
            given=path,
            fix="make the folder, or look at its permissions; 'tunesmith license-server init FOLDER' makes one",
        ) from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Python's own transactions begin with the first INSERT and after the SELECT: too late for the last seat.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_immediately(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
