# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/how-to/priority-serving.md: every command on the page is run, in its order, with the real server."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, Desk

import tunesmith_enterprise
from tunesmith.licensing import armor
from tunesmith_enterprise.priority.plan import ClassPlan, Plan, TenantPlan

BLOCK = re.compile(r"^```(sh|toml|py title=(\S+))\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"  # (\d{3})$")


def commands(body: str) -> Iterator[str]:
    """Lines after ``$ ``, joined with their continuation lines."""
    lines = iter(body.splitlines())
    for line in lines:
        command = line.removeprefix("$ ")
        while command.endswith("\\"):
            command += "\n" + next(lines)
        yield command


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A machine with a copy of the package as the vendor's desk makes it, and a license."""
    desk, now = Desk(), datetime.now(timezone.utc).replace(microsecond=0)
    package = tmp_path / "site" / "tunesmith_enterprise"
    source = Path(tunesmith_enterprise.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__", "distributed", "server"))
    for part in ("distributed", "server"):  # as they are: nothing of them is looked at here
        (package / part).symlink_to(source / part)
    desk.place(package / "placed")
    spans: dict[str, object] = {"issued_at": now - DAY, "starts_at": now - DAY, "expires_at": now + 365 * DAY}
    file = tmp_path / "config" / "tunesmith" / "licenses.d" / "own.lic"
    file.parent.mkdir(parents=True)
    file.write_text(armor(desk.license(features={"governance": {}, "priority": {}}, **spans)))
    yield tmp_path
    with suppress(OSError, ValueError):
        os.kill(int((tmp_path / "server.pid").read_text()), signal.SIGTERM)


@pytest.mark.timeout(180)
def test_what_the_page_says_works(root: Path, place: Path, forge: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = (root / "docs" / "how-to" / "priority-serving.md").read_text(encoding="utf-8")
    for written, here in {"/var/lib/tunesmith": place.as_posix(), "8000": str(port)}.items():
        assert written in page
        page = page.replace(written, here)
    blocks = BLOCK.findall(page)
    settings = place / "config" / "tunesmith" / "tunesmith.toml"
    settings.write_text("\n".join(body for kind, _, body in blocks if kind == "toml"))
    for _, title, body in blocks:
        if title:
            (place / title).write_text(body)
    installed = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {
        "PATH": f"{forge.folder}{os.pathsep}{installed}",
        "PYTHONPATH": str(place / "site"),
        "XDG_CONFIG_HOME": str(place / "config"),
        "XDG_STATE_HOME": str(place / "state"),
    }
    environment.pop("CI", None)
    lines = [line for kind, _, body in blocks if kind == "sh" for line in commands(body)]
    assert len([line for line in lines if STATUS.search(line)]) == 3
    said = {}
    for line in lines:
        done = subprocess.run(["bash", "-ec", line], cwd=place, env=environment, capture_output=True, text=True)
        log = (place / "server.log").read_text() if (place / "server.log").exists() else ""
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}{log}"
        if found := STATUS.search(line):
            assert done.stdout == found[1], f"{line}\n{(place / 'answer.json').read_text()}{log}"
        said[line] = done.stdout
    alone, loaded, research = map(float, re.findall(r": (\d+\.\d+) s", said["python load.py"]))
    assert loaded < research  # how much faster is the benchmark's to judge, on a machine with nothing else to do
    assert alone > 0
    figures = (place / "figures.txt").read_text()
    paused = re.search(r'preemptions_total\{class="batch",model="chat"\} (\d+)', figures)
    assert paused
    assert int(paused[1]) >= 5
    for line in (
        'tunesmith_scheduler_tokens_total{class="batch",model="chat",tenant="research"}',
        'tunesmith_scheduler_wait_seconds_count{class="interactive",model="chat"} 16.0',
    ):
        assert line in figures
    for name in re.findall(r"`(tunesmith_scheduler_\w+)`", page):
        assert name in figures, name


@pytest.mark.parametrize(("heading", "kind"), [("classes.NAME", ClassPlan), ("tenants.NAME", TenantPlan)])
def test_the_reference_lists_every_key_with_its_default(root: Path, heading: str, kind: Any) -> None:
    page = (root / "docs" / "reference" / "priority.md").read_text(encoding="utf-8")
    section = page.partition(f"## `{heading}`")[2].partition("\n## ")[0]
    told: dict[str, str] = {}
    for keys, default in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|", section, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"\w+", keys), default)
    words = {"None": {"none", "that of all"}, "False": {"false"}, "()": {"all"}}
    assert set(told) == set(kind.model_fields)
    for name, field in kind.model_fields.items():
        default = repr(field.default)
        assert told[name] in words.get(default, {default.removesuffix(".0")}), name


def test_the_reference_names_the_keys_beside_them(root: Path) -> None:
    page = (root / "docs" / "reference" / "priority.md").read_text(encoding="utf-8")
    assert all(f"`{name}" in page for name in Plan.model_fields)
