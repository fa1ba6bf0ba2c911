# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Many at the same moment, in one process and in several; and processes that are killed in the middle of it."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lending import DISTRIBUTED, Site, together

from tunesmith_enterprise.server.audit import Verified, verify
from tunesmith_enterprise.server.refusals import Declined
from tunesmith_enterprise.server.seats import Claim
from tunesmith_enterprise.server.storage import open_storage

SCRIPT = Path(__file__).with_name("claim_until_killed.py")


def claims(service, count, name):
    """So many claims at once on one server process: leases, or what was raised."""

    async def all_of_them():
        asked = [Claim(f"{name}-{number}", f"{name}-{number}", DISTRIBUTED) for number in range(count)]
        return await asyncio.gather(*map(service.claim, asked), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_of_many_claims_at_once_exactly_as_many_get_a_seat_as_there_are(site):
    answers = claims(site.service, 20, "node")
    assert sum(not isinstance(answer, Exception) for answer in answers) == 3
    assert {answer.code for answer in answers if isinstance(answer, Exception)} == {"no-seat"}
    assert site.in_use == 3


def test_the_same_holds_for_several_server_processes_on_one_database(site):
    services = [site.start() for _ in range(4)]
    results = together(*[lambda name=f"s{n}", one=one: claims(one, 5, name) for n, one in enumerate(services)])
    answers = [answer for each in results for answer in each]
    won = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(won) == 3
    assert all(isinstance(answer, Declined) for answer in answers if answer not in won)
    assert sorted(lease.serial for lease in won) == [1, 2, 3]
    with site.service._storage.transaction() as transaction:
        assert isinstance(verify(transaction.connection), Verified)


def test_a_retried_claim_that_meets_itself_takes_one_seat(site):
    asked = Claim("node-a", "the-same", DISTRIBUTED)
    services = [site.start() for _ in range(6)]
    leases = together(*[lambda one=one: asyncio.run(one.claim(asked)) for one in services])
    assert len({lease.lease_id for lease in leases}) == 1
    assert site.in_use == 1


def test_a_server_that_is_killed_at_any_moment_loses_no_seat_and_gives_none_twice(tmp_path):
    """A process takes and returns seats as fast as it can and tells each when it has it; it is killed, again and
    again. What it told has to be in the database, and in it are never more leases than seats."""
    site = Site(tmp_path / "site")
    site.pool(seats=5, lease_seconds=3600)
    root = tmp_path / "root.txt"
    root.write_bytes(site.desk.root())
    draw = random.Random(int.from_bytes(os.urandom(4), "big"))
    told: dict[str, int] = {}
    returned: set[str] = set()
    highest = 0
    for round_ in range(5):
        output = tmp_path / f"told-{round_}.jsonl"
        with output.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(site.folder), str(root), str(site.now.timestamp())],
                stdout=out,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
            try:
                until = time.monotonic() + 20
                while output.stat().st_size < 500 and process.poll() is None and time.monotonic() < until:
                    time.sleep(0.01)
                time.sleep(draw.uniform(0, 0.15))
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
        lines = output.read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        assert len(events) >= 5, "the process did not get to its work"
        for event in events:
            if event["event"] == "returned":
                returned.add(event["lease"])
            else:
                told[event["lease"]] = event["serial"]
                assert event["serial"] > highest, "a serial came back after a restart"
        highest = max([highest, *(event["serial"] for event in events if event["event"] == "taken")])
        with open_storage(site.folder / "seats.db").transaction() as transaction:
            rows = transaction.connection.exec_driver_sql("SELECT lease_id, serial, state FROM leases").all()
            assert isinstance(verify(transaction.connection), Verified)
        there = {row.lease_id: row for row in rows}
        assert sum(row.state == "live" for row in rows) <= 5
        assert len({row.serial for row in rows}) == len(rows)
        assert told.keys() <= there.keys(), "a lease that was told is lost"
        assert all(there[lease].state == "returned" for lease in returned), "a seat that was given back is taken again"
    assert len(told) > 20


POSTGRES = next(
    (folder for folder in ("/usr/local/bin", "/usr/lib/postgresql/15/bin") if Path(folder, "initdb").exists()), ""
)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The URL of a PostgreSQL: that of the variable, or one that is started here as an ordinary user."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if given := os.environ.get("TUNESMITH_TEST_POSTGRES"):
        yield given
        return
    if not POSTGRES:
        pytest.skip("no PostgreSQL: set TUNESMITH_TEST_POSTGRES to the URL of an empty database")
    folder = Path("/tmp") / f"tunesmith-pg-{os.getpid()}"  # not below tmp_path: only its owner gets in there
    shutil.rmtree(folder, ignore_errors=True)
    as_user = {}
    if os.geteuid() == 0:
        import pwd

        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user nobody")
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    folder.mkdir(mode=0o700)
    if as_user:
        os.chown(folder, as_user["user"], as_user["group"])
    options = dict(
        check=True, capture_output=True, cwd=folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **as_user
    )
    try:
        made = [
            f"{POSTGRES}/initdb",
            "-D",
            f"{folder}/data",
            "-U",
            "tunesmith",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(made, **options)
        control = [f"{POSTGRES}/pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log"]
        subprocess.run([*control, "-o", f"-k {folder} -c listen_addresses='' -F", "start"], **options)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {error.stderr.decode(errors='replace')[-200:]}")
    yield f"postgresql+psycopg://tunesmith@/postgres?host={folder}"
    subprocess.run([*control, "-m", "immediate", "stop"], **options)
    shutil.rmtree(folder, ignore_errors=True)


def test_several_server_processes_on_postgresql_give_the_last_seat_once(tmp_path, postgres):
    site = Site(tmp_path / "site", database=postgres)
    site.pool()
    try:
        services = [site.start() for _ in range(4)]
        results = together(*[lambda name=f"s{n}", one=one: claims(one, 5, name) for n, one in enumerate(services)])
        answers = [answer for each in results for answer in each]
        won = [answer for answer in answers if not isinstance(answer, Exception)]
        assert len(won) == 3
        assert {answer.code for answer in answers if isinstance(answer, Exception)} == {"no-seat"}
        assert len({lease.serial for lease in won}) == 3
        again = site.renew(won[0])
        site.release(again)
        assert site.claim("node-z").serial > again.serial
        with site.service._storage.transaction() as transaction:
            assert isinstance(verify(transaction.connection), Verified)
        assert "taken" in site.events()
    finally:
        with site.service._storage.transaction() as transaction:
            for table in ("leases", "audit", "kept"):
                transaction.connection.exec_driver_sql(f"DROP TABLE {table}")
        site.close()
