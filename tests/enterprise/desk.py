# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A vendor for tests: a root of its own, made in memory, and documents signed by it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tunesmith.licensing import PublicKey, Trust, armor, format_timestamp, sign
from tunesmith.licensing.contents import License, Licensee, Pool, Revocation, Revocations
from tunesmith_enterprise.entitlement.build import BUILD, PRODUCT, REVOCATIONS, ROOT, Build

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def new_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@dataclass
class Desk:
    """Three root keys, of which two have to sign; one for licenses; one for revocations."""

    roots: list[Ed25519PrivateKey] = field(default_factory=lambda: [new_key() for _ in range(3)])
    issuer: Ed25519PrivateKey = field(default_factory=new_key)
    revoker: Ed25519PrivateKey = field(default_factory=new_key)

    def root(self, version: int = 1, *, signers: Sequence[Ed25519PrivateKey] | None = None) -> bytes:
        """The envelope of a root that names the present keys."""

        def role(threshold: int, *keys: Ed25519PrivateKey) -> dict[str, object]:
            return {"threshold": threshold, "keys": [PublicKey.of(key).text for key in keys]}

        payload = {
            "schema": 1,
            "version": version,
            "expires": "2046-01-01T00:00:00Z",
            "roles": {
                "root": role(2, *self.roots),
                "issuer": role(1, self.issuer),
                "revocation": role(1, self.revoker),
            },
        }
        return sign(json.dumps(payload).encode(), "root", signers or self.roots[:2])

    def build(self, built_at: datetime = NOW - 30 * DAY, *, revocations: bytes | None = None) -> Build:
        return Build(Trust.start(self.root()), built_at, "0.1.0", revocations)

    def place(self, folder: Path, built_at: datetime = NOW - 30 * DAY, *, revocations: bytes | None = None) -> Path:
        """The files of a build in a folder, as they lie in a wheel of the vendor's."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ROOT).write_text(armor(self.root()))
        stamp = {"schema": 1, "built_at": format_timestamp(built_at), "version": "0.1.0"}
        (folder / BUILD).write_text(json.dumps(stamp))
        if revocations is not None:
            (folder / REVOCATIONS).write_text(armor(revocations))
        return folder

    def license(self, *, signer: Ed25519PrivateKey | None = None, **changes: object) -> bytes:
        """The envelope of a license: of everything without limits, for a year from a month ago, unless changed."""
        return sign(a_license(**changes).payload(), "license", [signer or self.issuer])

    def pool(self, server: Ed25519PrivateKey, **changes: object) -> bytes:
        return sign(a_pool(server, **changes).payload(), "pool", [self.issuer])

    def revocations(self, *entries: Revocation, number: int = 1, at: datetime = NOW - DAY) -> bytes:
        listed = Revocations(PRODUCT, number, at, entries)
        return sign(listed.payload(), "revocations", [self.revoker])


def a_license(**changes: object) -> License:
    fields: dict[str, object] = {
        "product": PRODUCT,
        "license_id": "lic-1",
        "serial": 1,
        "licensee": Licensee("Example Ltd", "example"),
        "edition": "Enterprise",
        "environment": "production",
        "features": {"distributed": {}, "optimizations": {}, "priority": {}, "governance": {}},
        "issued_at": NOW - 31 * DAY,
        "starts_at": NOW - 30 * DAY,
        "expires_at": NOW + 335 * DAY,
        "grace_days": 14,
    }
    return License(**(fields | changes))  # type: ignore[arg-type]


def a_pool(server: Ed25519PrivateKey, **changes: object) -> Pool:
    fields: dict[str, object] = {
        "product": PRODUCT,
        "pool_id": "pool-1",
        "serial": 1,
        "licensee": Licensee("Example Ltd", "example"),
        "edition": "Enterprise",
        "environment": "production",
        "features": {"distributed": {}, "governance": {}},
        "server_key": PublicKey.of(server),
        "seats": 3,
        "lease_seconds": 60,
        "offline_hours": 24,
        "borrow_days": 30,
        "issued_at": NOW - 31 * DAY,
        "starts_at": NOW - 30 * DAY,
        "expires_at": NOW + 335 * DAY,
    }
    return Pool(**(fields | changes))  # type: ignore[arg-type]
