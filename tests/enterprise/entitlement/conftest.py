# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A vendor and a machine for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from desk import NOW, Desk

from tunesmith.licensing import armor
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder


@dataclass
class Bench:
    """Folders of one machine, a vendor, and a build of its."""

    folder: Path
    desk: Desk
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = Places(*(self.folder / name for name in ("user", "system", "secrets", "state")))
        self.state = StateFolder(self.places.state)
        self.build = self.desk.build()
        self.environ.update(XDG_CONFIG_HOME=str(self.folder / "config"))

    def put(self, place: str, *envelopes: bytes, name: str = "a.lic") -> Path:
        """One file with documents, in the folder of a place."""
        return self.write(f"{place}/{name}", "".join(armor(one) for one in envelopes))

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def settings(self, text: str) -> None:
        self.write("config/tunesmith/tunesmith.toml", text)

    def gather(self, argument: Any = None, **changes: Any) -> Evidence:
        given = {"environ": self.environ, "places": self.places, "build": self.build, "now": NOW} | changes
        return gather(argument, **given)


@pytest.fixture(scope="session")
def desk() -> Desk:
    return Desk()


@pytest.fixture
def bench(tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("tunesmith.settings._SYSTEM", tmp_path / "etc")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, desk)
