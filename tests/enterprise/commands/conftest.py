# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A customer with folders of their own, a build of the tests' vendor, and a clock that stands."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, NOW, Desk

from tunesmith.licensing import armor
from tunesmith_cli.main import main
from tunesmith_enterprise.commands import context
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.places import Places


@dataclass
class Customer:
    """What a test changes; commands see it at once."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    desk: Desk = field(default_factory=Desk)
    now: datetime = NOW
    build: Build = field(init=False)
    out: str = ""
    err: str = ""

    def __post_init__(self) -> None:
        self.build = self.desk.build()
        self.places = Places(
            self.folder / "config" / "licenses.d",
            self.folder / "etc" / "licenses.d",
            self.folder / "secrets",
            self.folder / "state",
        )

    def look(self, argument: bytes | None = None) -> Evidence:
        return gather(argument, places=self.places, build=self.build, now=self.now)

    def run(self, *args: object) -> int:
        """One command of ``tunesmith license``."""
        self.capsys.readouterr()
        code = main(["license", *map(str, args)])
        said = self.capsys.readouterr()
        self.out, self.err = said.out, said.err
        assert "Traceback" not in self.err
        assert "-----BEGIN TUNESMITH LICENSE" not in self.out + self.err
        return code

    def ok(self, *args: object) -> str:
        assert self.run(*args) == 0, self.err
        return " ".join(self.out.split())

    def json(self, *args: object, code: int = 0) -> Any:
        assert self.run(*args, "--json") == code, self.err
        assert self.out.isascii()
        return json.loads(self.out)

    def file(self, name: str, *envelopes: bytes) -> Path:
        path = self.folder / name
        path.write_text("".join(map(armor, envelopes)), encoding="utf-8")
        return path

    def kept(self) -> list[str]:
        """The names in the user's folder of licenses."""
        assert self.places.user is not None
        return sorted(path.name for path in self.places.user.iterdir()) if self.places.user.is_dir() else []

    def journal(self) -> list[str]:
        path = context.journal_path()
        assert path is not None
        return [json.loads(line)["event"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def customer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Customer:
    one = Customer(tmp_path, capsys)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no-state"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "places", lambda: one.places)
    monkeypatch.setattr(context, "look", one.look)
    return one


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


__all__: Sequence[str] = ["DAY", "NOW", "Customer", "customer", "stdin"]
