# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A machine of the tests' own: folders, a build with a root, a clock, a license, an audit log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, NOW, Desk

import tunesmith_enterprise
from tunesmith import settings
from tunesmith.licensing import armor
from tunesmith.licensing.contents import Revocation
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.entitlement import asking, gathering
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.governance import hooks


@dataclass
class Machine:
    """What the package sees in these tests.

    Attributes:
        folder: everything is below it.
        now: what the clock says.
        asked: the features that were asked for, in order.
    """

    folder: Path
    desk: Desk = field(default_factory=Desk)
    now: datetime = NOW
    asked: list[str] = field(default_factory=list)

    @property
    def places(self) -> Places:
        return Places(*(self.folder / name for name in ("user", "system", "secrets", "state")))

    @property
    def license_file(self) -> Path:
        return self.folder / "user" / "own.lic"

    @property
    def log(self) -> ChainedLog:
        return ChainedLog(self.folder / "audit.jsonl")

    @property
    def events(self) -> list[str]:
        return [record.event for record in self.log.read()]

    def install(self, **changes: Any) -> None:
        self.license_file.parent.mkdir(exist_ok=True)
        self.license_file.write_text(armor(self.desk.license(**changes)))

    def expire(self) -> None:
        self.now = NOW + 400 * DAY

    def delete(self) -> None:
        self.license_file.unlink(missing_ok=True)

    def corrupt(self) -> None:
        self.license_file.write_bytes(self.license_file.read_bytes().replace(b"A", b"B"))

    def revoke(self) -> None:
        entries = (Revocation("license", "lic-1", None, NOW - DAY, "the contract ended"),)
        self.license_file.with_name("revocations.lic").write_text(armor(self.desk.revocations(*entries)))

    def settings(self, text: str | None = None) -> None:
        file = self.folder / "config" / "tunesmith" / "tunesmith.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'[plugins.enterprise]\naudit_log = "{self.log.path.as_posix()}"\n' if text is None else text)


HARM: dict[str, Callable[[Machine], None]] = {
    "expired": Machine.expire,
    "deleted": Machine.delete,
    "corrupted": Machine.corrupt,
    "revoked": Machine.revoke,
}
"""What can happen to a license while a job runs."""


def a_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One with a license and an audit log; the process has not asked for anything yet."""
    machine = Machine(folder)
    places, build = machine.places, machine.desk.build()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return machine.now.astimezone(tz)

    def require(feature: str, **quantities: int) -> Grant:
        machine.asked.append(feature)
        return asking.require(feature, **quantities)

    monkeypatch.setattr(tunesmith_enterprise, "require", require)
    monkeypatch.setattr(gathering, "this_build", lambda: build)
    monkeypatch.setattr(gathering, "datetime", Clock)
    monkeypatch.setattr(Places, "of", classmethod(lambda cls, environ=None: places))
    monkeypatch.setattr(hooks, "_governing", None)
    monkeypatch.setattr(settings, "_SYSTEM", folder / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state-home"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.chdir(folder)
    machine.install()
    machine.settings()
    return machine
