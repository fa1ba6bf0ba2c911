# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What pools and leases say: seats that a server at the customer's site lends to one job after the other.

The vendor signs a pool for the server's key; the server signs leases with it. Who holds both can check both without
asking anybody, and a lease is of no use on another node.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from tunesmith.licensing.contents.parts import Features, begin, features, identifier, in_order, point, written
from tunesmith.licensing.contents.terms import OPTIONAL, REQUIRED, Terms, read_terms
from tunesmith.licensing.fields import integer
from tunesmith.licensing.keys import PublicKey
from tunesmith.licensing.reasons import refusal

__all__ = ["Lease", "Pool", "parse_lease", "parse_pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Terms):
    """Seats for a server to lend: terms as of a license, with limits that are for all leases together, and

    Attributes:
        pool_id: as ``license_id``.
        server_key: who signs the leases.
        seats: leases at the same time.
        lease_seconds: how long a lease lasts unless it is renewed.
        offline_hours: how long after its last renewal the holder of a lease may take up new jobs while the server
            does not answer.
        borrow_days: the longest lease that leaves the site; 0: none.
    """

    kind: ClassVar[Literal["pool"]] = "pool"

    pool_id: str
    server_key: PublicKey
    seats: int
    lease_seconds: int
    offline_hours: int
    borrow_days: int

    @property
    def id(self) -> str:
        """``pool_id``, by the name that it has in a license too."""
        return self.pool_id

    def payload(self) -> bytes:
        """The payload to sign; what :func:`parse_pool` reads."""
        return written(
            {
                "schema": 1,
                "pool_id": self.pool_id,
                **self._terms(),
                "server_key": self.server_key.text,
                "seats": self.seats,
                "lease_seconds": self.lease_seconds,
                "offline_hours": self.offline_hours,
                "borrow_days": self.borrow_days,
            }
        )


def parse_pool(payload: bytes) -> Pool:
    """The pool of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has.
    """
    value = begin(
        payload,
        "the pool",
        required=(*REQUIRED, "pool_id", "server_key", "seats", "lease_seconds", "offline_hours", "borrow_days"),
        optional=OPTIONAL,
    )
    if type(value["server_key"]) is not str:
        raise refusal("type", "the key of the pool's server has the wrong type", expected="base64 text")
    return Pool(
        **read_terms(value, "the pool"),
        pool_id=identifier(value["pool_id"], "the pool's id"),
        server_key=PublicKey.from_text(value["server_key"], "the key of the pool's server"),
        seats=integer(value["seats"], "the seats", least=1, most=1_000_000),
        lease_seconds=integer(value["lease_seconds"], "lease_seconds", least=1, most=7 * 86400),
        offline_hours=integer(value["offline_hours"], "offline_hours", least=0, most=24 * 366),
        borrow_days=integer(value["borrow_days"], "borrow_days", least=0, most=366),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A seat, for a while, on one node.

    Attributes:
        pool_id: of which pool.
        lease_id: which seat; stays through renewals.
        serial: rises with every lease and renewal that the server ever signs: one that comes back from a backup is
            noticed.
        node: for which node.
        nonce: what the node asked with, so that no old answer fits a new question.
        features: what the job may use and how much of it, e.g. ``{"distributed": {"gpus": 4}}``.
        granted_at, expires_at: aware, UTC; renewed in between, or the seat goes to somebody else.
        open_until: until then the node may take up jobs with it if the server does not answer.
        borrowed: it leaves the site and is not renewed.
    """

    pool_id: str
    lease_id: str
    serial: int
    node: str
    nonce: str
    features: Features
    granted_at: datetime
    expires_at: datetime
    open_until: datetime
    borrowed: bool = False

    def payload(self) -> bytes:
        """The payload to sign; what :func:`parse_lease` reads."""
        return written(
            {
                "schema": 1,
                "pool_id": self.pool_id,
                "lease_id": self.lease_id,
                "serial": self.serial,
                "node": self.node,
                "nonce": self.nonce,
                "features": self.features,
                "granted_at": self.granted_at,
                "expires_at": self.expires_at,
                "open_until": self.open_until,
                "borrowed": self.borrowed,
            }
        )


def parse_lease(payload: bytes) -> Lease:
    """The lease of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has.
    """
    value = begin(
        payload,
        "the lease",
        required=(
            "pool_id",
            "lease_id",
            "serial",
            "node",
            "nonce",
            "features",
            "granted_at",
            "expires_at",
            "open_until",
            "borrowed",
        ),
    )
    if type(value["borrowed"]) is not bool:
        raise refusal("type", "borrowed of the lease has the wrong type", expected="true or false")
    found = Lease(
        pool_id=identifier(value["pool_id"], "the pool's id"),
        lease_id=identifier(value["lease_id"], "the lease's id"),
        serial=integer(value["serial"], "the lease's serial", least=1, most=2**53 - 1),
        node=identifier(value["node"], "the lease's node"),
        nonce=identifier(value["nonce"], "the lease's nonce"),
        features=features(value["features"]),
        granted_at=point(value["granted_at"], "granted_at of the lease"),
        expires_at=point(value["expires_at"], "expires_at of the lease"),
        open_until=point(value["open_until"], "open_until of the lease"),
        borrowed=value["borrowed"],
    )
    in_order("the lease", granted_at=found.granted_at, expires_at=found.expires_at)
    return found
