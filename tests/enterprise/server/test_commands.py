# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license-server …``, in process and as a process that is killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from lending import Site
from typer.testing import CliRunner

import tunesmith_enterprise
from tunesmith.errors import OutputError, PluginError, SettingsError
from tunesmith.licensing import PublicKey
from tunesmith_enterprise.commands.license_server import app

CLAIM = {"node": "node-a", "features": {"distributed": {}}}


def tunesmith(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_init_makes_a_key_and_says_what_to_send_to_the_vendor(tmp_path):
    done = tunesmith("init", tmp_path / "site")
    assert done.exit_code == 0
    text = (tmp_path / "site" / "server.pub").read_text().strip()
    assert done.stdout.strip() == text
    assert PublicKey.from_text(text).text == text
    assert "send" in done.stderr
    assert "PRIVATE" not in done.output
    with pytest.raises(OutputError, match="left alone"):
        tunesmith("init", tmp_path / "site")
    other = json.loads(tunesmith("init", tmp_path / "other", "--json").stdout)
    assert sorted(other) == ["file", "keyid", "public_key"]


def test_status_tells_who_has_which_seats_also_without_the_files_of_the_pools(site):
    assert tunesmith("status", site.folder).stderr.strip() == "no pool has been served yet"
    site.claim("node-a")
    site.claim("laptop", borrow_days=3)
    site.now = datetime.now(timezone.utc)
    text = tunesmith("status", site.folder).stdout
    assert "pool-1:" in text
    assert "laptop" in text
    pool = json.loads(tunesmith("status", site.folder, "--json").stdout)["pools"][0]
    assert (pool["pool"], pool["seats"], pool["borrowed"]) == ("pool-1", 3, 1)
    assert "BEGIN TUNESMITH" not in text


def test_the_log_is_verified_and_exported(site, tmp_path):
    site.claim("node-a")
    done = tunesmith("audit", "verify", site.folder)
    assert done.exit_code == 0
    assert "the audit log is whole: 2 rows" in done.stdout
    assert json.loads(tunesmith("audit", "verify", site.folder, "--json").stdout)["rows"] == 2
    lines = [json.loads(line) for line in tunesmith("audit", "export", site.folder).stdout.splitlines()]
    assert [line["event"] for line in lines] == ["pool", "taken"]
    out = tmp_path / "audit.jsonl"
    tunesmith("audit", "export", site.folder, "--out", out)
    assert [json.loads(line)["seq"] for line in out.read_text().splitlines()] == [1, 2]
    with pytest.raises(OutputError, match="cannot be written"):
        tunesmith("audit", "export", site.folder, "--out", out)


def test_a_changed_row_is_named_with_exit_code_1(site):
    site.claim("node-a")
    with site.service._storage.transaction() as transaction:
        transaction.connection.exec_driver_sql("UPDATE audit SET details = '{}' WHERE seq = 2")
    done = tunesmith("audit", "verify", site.folder)
    assert done.exit_code == 1
    assert "broken at row 2" in done.stdout
    found = json.loads(tunesmith("audit", "verify", site.folder, "--json").stdout)
    assert (found["whole"], found["first_broken"]) == (False, 2)


def test_without_the_extra_the_command_says_how_to_get_it(site, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"fastapi, uvicorn, sqlalchemy"):
        tunesmith("status", site.folder)


def test_others_are_not_let_in_without_tls(site):
    with pytest.raises(SettingsError, match="needs TLS"):
        tunesmith("run", site.folder, "--pool", site.pool_file, "--host", "0.0.0.0")


def test_what_the_page_tells_to_type_is_there(site, root, tmp_path):
    """docs/how-to/license-server.md, all but the server itself, which the next test runs."""
    page = (root / "docs" / "how-to" / "license-server.md").read_text(encoding="utf-8").replace("\\\n", "")
    lines = re.findall(r"^\$ tunesmith license-server (.*)$", page, re.MULTILINE)
    assert len(lines) == 7
    options = set(re.findall(r"--[a-z-]+", tunesmith("run", "--help").stdout))
    site.claim()
    for line in lines:
        words = [word.replace("/srv/license-server", str(site.folder)) for word in line.split()]
        if words[0] == "run":
            assert {word for word in words if word.startswith("--")} <= options
            continue
        words = [str(tmp_path / word) if word in ("2026.jsonl",) else word for word in words]
        if words[0] == "init":
            words[1] = str(tmp_path / "new")
        assert tunesmith(*words).exit_code == 0


class Process:
    """``tunesmith license-server run`` of a package that the vendor has built: its root lies in it."""

    def __init__(self, site: Site, packages: Path, *arguments: object) -> None:
        self.log = packages / "log"
        command = ["license-server", "run", site.folder, "--pool", site.pool_file, "--port", 0, *arguments]
        environ = {"PYTHONPATH": os.pathsep.join([str(packages), *sys.path]), "XDG_CONFIG_HOME": str(packages)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tunesmith_cli", *map(str, command)],
                stderr=log,
                env=os.environ | environ,
                cwd=packages,
            )
        until = time.monotonic() + 60
        while "lending seats at" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        self.address = self.log.read_text().partition("lending seats at ")[2].split()[0]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def test_a_server_process_is_killed_started_again_reloaded_and_stopped(tmp_path):
    packages = tmp_path / "packages"
    shutil.copytree(
        Path(tunesmith_enterprise.__file__).parent,
        packages / "tunesmith_enterprise",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    now = datetime.now(timezone.utc).replace(microsecond=0)
    term = {"issued_at": now, "starts_at": now - timedelta(days=1), "expires_at": now + timedelta(days=300)}
    site = Site(tmp_path / "site", now=now)
    site.desk.place(packages / "tunesmith_enterprise" / "placed", now)
    site.pool(seats=2, **term)
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-the-site\n")
    known = {"authorization": "Bearer a-secret-of-the-site"}

    first = Process(site, packages, "--secret-file", secret)
    with httpx.Client(base_url=first.address, headers=known) as client:
        taken = [client.post("/v1/leases", json=CLAIM | {"nonce": f"n{number}"}).json() for number in range(2)]
        assert client.post("/v1/leases", json=CLAIM | {"nonce": "n2"}).status_code == 409
    assert first.end(signal.SIGKILL) == -signal.SIGKILL

    again = Process(site, packages, "--secret-file", secret)
    with httpx.Client(base_url=again.address, headers=known) as client:
        assert client.post("/v1/leases", json=CLAIM | {"nonce": "n0"}).json() == taken[0]
        assert client.post("/v1/leases", json=CLAIM | {"nonce": "n3"}).status_code == 409
        site.pool(seats=3, serial=2, **term)
        again.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 20
        while client.get("/v1/status").json()["pools"][0]["serial"] != 2:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert client.post("/v1/leases", json=CLAIM | {"nonce": "n3"}).status_code == 201
    again.end(signal.SIGTERM)
    log = again.log.read_text()
    for text in ("a-secret-of-the-site", taken[0]["secret"], taken[0]["lease"][:60], "BEGIN TUNESMITH", "Traceback"):
        assert text not in log
