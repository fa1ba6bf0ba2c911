# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The commands as a customer has them: the package with a root placed in it, in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from desk import DAY, Desk

import tunesmith_enterprise
from tunesmith.licensing import armor

# Several commands in one process; a line begins with the exit code of the one before.
PROBE = """
import sys
from tunesmith_cli.main import main
for line in sys.argv[1:]:
    print(main(["license", *line.split()]), flush=True)
"""
KILLED = """
import os, signal, sys
from tunesmith_cli.main import main
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
main(["license", "install", sys.argv[1]])
"""


class Shipped:
    """A copy of the package as the vendor's desk makes it, and a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.desk = folder, Desk()
        package = folder / "site" / "tunesmith_enterprise"
        shutil.copytree(
            Path(tunesmith_enterprise.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
        )
        self.desk.place(package / "placed")

    def run(self, code: str, *args: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "site"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        environ.pop("CI", None)
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            cwd=self.folder, env=environ, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def file(self, name: str, envelope: bytes) -> str:
        (self.folder / name).write_text(armor(envelope))
        return name


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    return Shipped(tmp_path_factory.mktemp("shipped"))


def a_year(desk: Desk, **changes: object) -> bytes:
    """A license that counts on the day of the test."""
    from datetime import datetime, timezone

    now = datetime.now(timezone.utc).replace(microsecond=0)
    spans = {"issued_at": now - DAY, "starts_at": now - DAY, "expires_at": now + 365 * DAY}
    return desk.license(**(spans | changes))


def test_from_install_to_remove(shipped: Shipped) -> None:
    name = shipped.file("new.txt", a_year(shipped.desk))
    done = shipped.run(PROBE, f"install {name}", "check governance", "doctor", "remove lic-1", "status --json")
    lines = done.stdout.splitlines()
    assert f"installed: {shipped.folder}/config/tunesmith/licenses.d/lic-1.lic" in lines
    assert "governance is granted by lic-1 (serial 1): no limits" in lines
    assert "all is well" in lines
    assert json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])["state"] == "none"
    assert [line for line in lines if line.isdecimal()] == ["0"] * 5
    journal = (shipped.folder / "state/tunesmith/enterprise/journal.jsonl").read_text()
    assert "BEGIN" not in journal
    assert journal.count('"event":"license-') == 2


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_in_the_middle_it_leaves_the_old_license_or_the_new_one(shipped: Shipped) -> None:
    shipped.run(PROBE, f"install {shipped.file('old.txt', a_year(shipped.desk))}")
    kept = shipped.folder / "config/tunesmith/licenses.d/lic-1.lic"
    before = kept.read_bytes()
    done = shipped.run(KILLED, shipped.file("newer.txt", a_year(shipped.desk, serial=2)))
    assert done.returncode == -signal.SIGTERM
    assert kept.read_bytes() == before
    done = shipped.run(PROBE, "status", "install newer.txt", "check governance")
    assert [line for line in done.stdout.splitlines() if line.isdecimal()] == ["0"] * 3
    assert "lic-1 (serial 2)" in done.stdout
