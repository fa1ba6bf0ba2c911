# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The tables. Times are whole seconds since 1970, as those of a lease are."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["AUDIT", "KEPT", "LEASES", "TABLES"]

TABLES = sa.MetaData()

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite's integers are of 64 bits anyway
_NAME = sa.String(64)

KEPT = sa.Table(
    "kept",
    TABLES,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""The highest serial (``serial``), the newest revocations (``revocations``), the newest of each pool (``pool:ID``)."""

LEASES = sa.Table(
    "leases",
    TABLES,
    sa.Column("lease_id", _NAME, primary_key=True),
    sa.Column("pool_id", _NAME, nullable=False),
    sa.Column("node", _NAME, nullable=False),
    sa.Column("claim_nonce", _NAME, nullable=False),
    sa.Column("nonce", _NAME, nullable=False),
    sa.Column("serial", _NUMBER, nullable=False),
    sa.Column("features", sa.Text, nullable=False),
    sa.Column("taken_at", _NUMBER, nullable=False),
    sa.Column("granted_at", _NUMBER, nullable=False),
    sa.Column("expires_at", _NUMBER, nullable=False),
    sa.Column("open_until", _NUMBER, nullable=False),
    sa.Column("borrowed", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.UniqueConstraint("node", "claim_nonce"),
    sa.Index("leases_by_pool", "pool_id", "state", "expires_at"),
)
"""A row a lease: ``live``, ``expired`` (nobody renewed it in time) or ``returned``."""

AUDIT = sa.Table(
    "audit",
    TABLES,
    sa.Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("at", _NUMBER, nullable=False),
    sa.Column("event", sa.String(20), nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
"""What happened, each row with the hash of the one before."""
