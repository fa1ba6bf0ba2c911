# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/how-to/governed-server.md: every command on the page is run, in its order, with the real server."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from access_site import Issuer, jwk, sign
from desk import DAY, Desk

import tunesmith_enterprise
from tunesmith.licensing import armor
from tunesmith_enterprise.governance.access.key_file import read_keys
from tunesmith_enterprise.governance.access.roles import ROUTES

BLOCK = re.compile(r"^```(sh|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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
    file.write_text(armor(desk.license(features={"governance": {}}, **spans)))
    yield tmp_path
    with suppress(OSError, ValueError):
        os.kill(int((tmp_path / "server.pid").read_text()), signal.SIGTERM)


@pytest.mark.timeout(600)
def test_what_the_page_says_works(root: Path, place: Path, issuer: Issuer, forge: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = (root / "docs" / "how-to" / "governed-server.md").read_text(encoding="utf-8")
    for written, here in {
        "/var/log/tunesmith": place.as_posix(),
        "/var/lib/tunesmith": place.as_posix(),
        "https://login.example.org/realms/main": issuer.url,
        "8000": str(port),
    }.items():
        assert written in page
        page = page.replace(written, here)
    blocks = BLOCK.findall(page)
    settings = place / "config" / "tunesmith" / "tunesmith.toml"
    settings.write_text("\n".join(body for kind, body in blocks if kind == "toml"))  # with all of it from the start
    issuer.keys = [jwk("ed", "first")]
    claims = issuer.claims(groups=["engineers", "others"], department="red", org=None)
    installed = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {
        "PATH": f"{forge.folder}{os.pathsep}{installed}",
        "PYTHONPATH": str(place / "site"),
        "XDG_CONFIG_HOME": str(place / "config"),
        "XDG_STATE_HOME": str(place / "state"),
        "TOKEN": sign(claims, "ed"),
        "OLD_TOKEN": sign(claims | {"exp": int(time.time()) - 3600}, "ed"),
    }
    environment.pop("CI", None)
    lines = [line for kind, body in blocks if kind == "sh" for line in commands(body)]
    assert len([line for line in lines if STATUS.search(line)]) >= 12
    for line in lines:
        done = subprocess.run(["bash", "-ec", line], cwd=place, env=environment, capture_output=True, text=True)
        log = (place / "server.log").read_text() if (place / "server.log").exists() else ""
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}{log}"
        if found := STATUS.search(line):
            assert done.stdout == found[1], f"{line}\n{(place / 'answer.json').read_text()}{log}"
    with (place / "requests.csv").open() as file:
        served = [row["fields"] for row in csv.DictReader(file)]
    user, new = ((place / name).read_text().strip() for name in ("user.key", "new.key"))
    told = "".join(served) + (place / "server.log").read_text()
    assert f'"caller": "key:{user.split("_")[1]}", "tenant": "shop"' in told
    assert '"caller": "oidc:ana", "tenant": "red"' in told
    secrets = [user, new, user.split("_", 2)[2], environment["TOKEN"], environment["OLD_TOKEN"]]
    told += (place / "audit.jsonl").read_text() + (place / "keys.json").read_text()
    assert not [secret for secret in secrets if secret in told]
    assert [key.role for key in read_keys(place / "keys.json")] == ["viewer", "user", "operator", "user"]


def test_the_reference_has_every_route_under_its_role(root: Path) -> None:
    page = (root / "docs" / "reference" / "access.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*(?:GET|POST).*) \|$", page, re.MULTILINE))
    for (_, path), role in ROUTES.items():
        assert f"{path.replace(':path', '')}`" in rows[role]
