# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A desk whose keys cost nothing to open, and customers' installations that ask it for something."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tunesmith.licensing import Kind, PublicKey, Trust, armor, dearmor_all, sign
from tunesmith.licensing.contents import ActivationRequest, License, Metered, UsageReport, Used, parse_license
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.key_files import Cost
from tunesmith_vendor.keys import make_key
from tunesmith_vendor.ledger.store import Ledger
from tunesmith_vendor.main import main

PASSPHRASE = "a passphrase for tests only"
PRODUCT = "tunesmith-enterprise"
NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
HOLDERS = [Ed25519PrivateKey.generate() for _ in range(3)]


ISSUE = (
    *("issue", "--customer", "example", "--customer-name", "Example Ltd", "--edition", "Enterprise"),
    *("--environment", "production", "--feature", "distributed:nodes=4,gpus=32", "--feature", "governance"),
)
"""All of a command but when the license ends."""


def opened(file: str | Path, kind: Kind, *, root: int = 2) -> bytes:
    """The payload of the last document of a file, as a customer reads it who has the first root only."""
    documents = dearmor_all(Path(file).read_bytes())
    roots = [document.envelope for document in documents if document.kind == "root"]
    trust = Trust.start(roots[0]).follow(roots, now=NOW)
    assert trust.root.version == root
    return trust.verify(documents[-1].envelope, kind)


def license_in(file: str | Path, *, root: int = 2) -> License:
    return parse_license(opened(file, "license", root=root))


def make_desk(folder: Path) -> Path:
    """Keys `issuer` and `revoker`, and two roots that name them, of which the second is the newest."""
    desk = Desk(folder, cost=Cost(n=2, r=8, p=1))
    for name, role in (("issuer", "issuer"), ("revoker", "revocation"), ("spare", "issuer")):
        make_key(desk, name, role, lambda _: PASSPHRASE)  # type: ignore[arg-type]
    with desk.changing():
        desk.keep_chain([a_root(desk, version, "issuer") for version in (1, 2)])
    return folder


def a_root(desk: Desk, version: int, issuer: str) -> bytes:
    """A root that names one key of the desk as issuer."""
    register = desk.register()

    def role(threshold: int, *keys: PublicKey) -> dict[str, object]:
        return {"threshold": threshold, "keys": [key.text for key in keys]}

    root = {
        "schema": 1,
        "version": version,
        "expires": "2046-01-01T00:00:00Z",
        "roles": {
            "root": role(2, *map(PublicKey.of, HOLDERS)),
            "issuer": role(1, register.find(issuer).public),
            "revocation": role(1, register.find("revoker").public),
        },
    }
    return sign(json.dumps(root).encode(), "root", HOLDERS[:2])


def replace_issuer(folder: Path, name: str) -> None:
    """The next root, which names another issuer."""
    desk = Desk(folder)
    with desk.changing():
        desk.keep_chain([*desk.chain(), a_root(desk, len(desk.chain()) + 1, name)])


class Installation:
    """A customer's installation."""

    def __init__(self, install_id: str) -> None:
        self.install_id, self.key = install_id, Ed25519PrivateKey.generate()

    def request(self, folder: Path, license_id: str, *, asks: str = "activate", product: str = PRODUCT) -> Path:
        asked = ActivationRequest(
            asks=asks,  # type: ignore[arg-type]
            product=product,
            license_id=license_id,
            install_id=self.install_id,
            key=PublicKey.of(self.key),
            nonce=f"nonce-of-{self.install_id}",
            made_at=NOW,
            label=f"node {self.install_id}",
        )
        file = folder / f"{self.install_id}-{asks}.req"
        file.write_text(armor(sign(asked.payload(), "activation-request", [self.key])))
        return file

    def usage(self, folder: Path, *used: Used, product: str = PRODUCT, metered: tuple[Metered, ...] = ()) -> Path:
        report = UsageReport(
            product=product,
            install_id=self.install_id,
            key=PublicKey.of(self.key),
            since=NOW - 30 * DAY,
            until=NOW + 3650 * DAY,
            made_at=NOW,
            used=used,
            journal_entries=len(used),
            journal_head="0" * 64,
            metered=metered,
        )
        file = folder / f"{self.install_id}.usage"
        file.write_text(armor(sign(report.payload(), "usage-report", [self.key])))
        return file


@dataclass
class Program:
    """``tunesmith-vendor`` at a desk of its own; ``run`` gives back what it printed."""

    desk: Path
    capture: Any

    def __call__(self, *args: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in args])
        printed = self.capture.readouterr()
        return code, printed.out, printed.err

    def run(self, *args: object) -> str:
        code, out, err = self(*args)
        assert code == 0, err
        return out

    def json(self, *args: object) -> Any:
        return json.loads(self.run(*args, "--json"))

    def refused(self, *args: object) -> str:
        code, _, err = self(*args)
        assert code == 2, err
        assert "Traceback" not in err
        return err

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(self.desk / "ledger.sqlite")
