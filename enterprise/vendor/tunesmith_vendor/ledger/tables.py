# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The one table, for SQLite and PostgreSQL, and the triggers that let nobody change or delete a row by accident."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

__all__ = ["create", "entries", "metadata"]

metadata: Final = MetaData()

entries: Final = Table(
    "ledger_entries",
    metadata,
    # The number is ours and not the database's: numbers that a database hands out have gaps after a rollback.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("action", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("order_number", Text, index=True),
    Column("subject", Text, index=True),
    Column("serial", BigInteger),
    Column("customer", Text, index=True),
    Column("customer_name", Text),
    Column("expires_at", Text, index=True),
    Column("install_id", Text, index=True),
    Column("refers_to", BigInteger, index=True),
    Column("details", Text, nullable=False),
    Column("payload", LargeBinary),
    Column("payload_sha256", Text, index=True),
    Column("documents", Text),
    # Unique: even without the lock of `store`, two writers could not both go on from one entry.
    Column("prev_hash", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
    CheckConstraint("seq >= 1", name="ledger_seq"),
)
# One act is signed once, approved or rejected once.
Index(
    "ledger_once",
    entries.c.refers_to,
    unique=True,
    sqlite_where=entries.c.action == "sign",
    postgresql_where=entries.c.action == "sign",
)

_SQLITE: Final = tuple(
    f"CREATE TRIGGER ledger_no_{verb.lower()} BEFORE {verb} ON ledger_entries "
    "BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never changed'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL: Final = (
    "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'entries of the ledger are never changed'; END $$",
    "CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger_entries "
    "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
    "CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger_entries "
    "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
)


def create(connection: Connection) -> None:
    """Make the table and its triggers."""
    metadata.create_all(connection)
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
