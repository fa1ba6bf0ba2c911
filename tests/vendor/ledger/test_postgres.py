# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The same ledger in PostgreSQL, for a team. Skipped where there is no server and none can be started.

``TUNESMITH_TEST_POSTGRES`` names an empty database to use instead: ``postgresql://user@host/database``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_desk import ISSUE, Program, license_in

from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import broken
from tunesmith_vendor.ledger.store import Ledger, Operator

psycopg = pytest.importorskip("psycopg", reason="the driver psycopg is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database."""
    named = os.environ.get("TUNESMITH_TEST_POSTGRES")
    if named:
        yield named
        return
    programs = [shutil.which(name) for name in ("initdb", "postgres")]
    if None in programs:
        pytest.skip("PostgreSQL is not installed, and TUNESMITH_TEST_POSTGRES names no server")
    folder = Path("/tmp") / f"tunesmith-postgres-{os.getpid()}"  # a socket's path is short, and pytest's folders deep
    folder.mkdir(mode=0o700)
    become: dict[str, object] = {}
    if os.getuid() == 0:  # which PostgreSQL refuses to run as
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        become = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = None
    try:
        made = subprocess.run(
            [str(programs[0]), "-D", folder / "data", "-U", "desk", "-A", "trust", "--no-sync", "-E", "UTF8"],
            capture_output=True,
            text=True,
            cwd=folder,
            **become,  # type: ignore[call-overload]
        )
        if made.returncode:
            pytest.skip(f"no database could be made: {made.stderr.strip().splitlines()[-1:]}")
        process = subprocess.Popen(
            [str(programs[1]), "-D", folder / "data", "-k", folder, "-p", str(port), "-F", "-h", "127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **become,  # type: ignore[call-overload]
        )
        url = f"postgresql://desk@127.0.0.1:{port}/postgres"
        for _ in range(100):
            try:
                psycopg.connect(url, connect_timeout=1).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        else:
            pytest.skip("the server of PostgreSQL did not start")
        yield url
    finally:
        if process is not None:
            process.terminate()
            process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_team_works_on_one_ledger(server: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_LEDGER", server)
    assert "there is no ledger here" in program.refused("ledger", "verify")
    program.run("ledger", "init")
    assert "there is a ledger already" in program.refused("ledger", "init")
    program.run("ledger", "settings", "four_eyes=true", "--operator", "ada")
    proposed = program.json(*ISSUE, "--term", "1y", "--id", "lic-a", "--operator", "ada")
    program.run("approve", proposed["entry"], "--operator", "ben", "--out", "a.lic")
    assert license_in("a.lic").license_id == "lic-a"
    assert [one["id"] for one in program.json("ledger", "search", "--customer", "EXAMPLE L")["found"]] == ["lic-a"]
    assert "whole: 5 entries" in program.run("ledger", "verify")
    program.run("ledger", "export", "all.jsonl")
    assert "PostgreSQL's own means" in program.refused("ledger", "backup", "copy.sqlite")

    ledger = Ledger.open(server)
    for statement in (
        "UPDATE ledger_entries SET operator = 'eve'",
        "DELETE FROM ledger_entries WHERE seq = 5",
        "TRUNCATE ledger_entries",
    ):
        with psycopg.connect(server) as connection, pytest.raises(psycopg.Error, match="never changed"):
            connection.execute(statement)

    def write(name: str) -> None:
        for _ in range(10):
            Ledger.open(server).write(
                Operator(name, name), lambda pen: pen.add("note", subject=f"{name}-{pen.head().seq}")
            )

    threads = [threading.Thread(target=write, args=(name,)) for name in ("ada", "ben", "cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.reading() as reading:
        entries = list(reading.select())
    assert len(entries) == 35
    assert broken(entries) is None
    assert all(entry.subject == f"{entry.operator}-{entry.seq - 1}" for entry in entries[5:])

    def fails(pen: object) -> None:
        pen.add("note")  # type: ignore[attr-defined]
        raise VendorError("in the middle")

    with pytest.raises(VendorError, match="in the middle"):
        ledger.write(Operator("ada", "ada"), fails)
    with ledger.reading() as reading:
        assert reading.head().seq == 35
