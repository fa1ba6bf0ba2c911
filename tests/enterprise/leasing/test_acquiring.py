# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job and its seat: taken, kept while it runs, given back; and what happens when the server is not there."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from desk import DAY, NOW, Desk
from lending import DISTRIBUTED, serving

from tunesmith.errors import SettingsError
from tunesmith.licensing import Trust
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.evidence import Evidence, Facts
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.leasing import LicenseServer, acquire, borrow
from tunesmith_enterprise.leasing.keeping import NODE_ID, Keeping, node_id

HOUR = timedelta(hours=1)


def refused(call, *arguments, **named):
    with pytest.raises(LicenseError) as caught:
        call(*arguments, **named)
    return caught.value


def wait_until(condition, seconds=5.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        threading.Event().wait(0.01)


def test_a_job_takes_a_seat_that_a_decision_can_rest_on_and_gives_it_back(site, node):
    with node.acquire({"distributed": {"gpus": 4}}) as holding:
        seat = holding.seat
        assert (seat.pool.pool_id, seat.lease.node, seat.answered) == ("pool-1", "node-a", True)
        assert (seat.source.place, seat.source.name) == ("server", node.server.url)
        assert site.in_use == 1
        grant = decide("distributed", {"gpus": 4}, replace(node.evidence, seats=(seat,)))
        assert grant.basis[0].lease_id == seat.lease.lease_id
    assert site.in_use == 0


def test_a_process_holds_one_seat_however_often_it_asks(site, node):
    first = node.acquire()
    assert node.acquire() is first
    grown = node.acquire({"governance": {}})
    assert grown is first
    assert sorted(grown.seat.lease.features) == ["distributed", "governance"]
    assert site.in_use == 1
    first.release()
    assert node.acquire() is not first  # the next job asks anew


def test_when_no_seat_is_free_the_job_is_told_who_has_them(site, node):
    for _ in range(3):
        site.claim("node-b")
    error = refused(node.acquire)
    assert error.code == "no-seat"
    assert "all 3 seats of the pool pool-1 are taken" in error.what
    assert "node-b (3)" in error.given
    assert any("60 seconds" in line for line in error.fix)
    assert error.exit_code == LicenseError.exit_codes["no-seat"]


@pytest.mark.parametrize(
    ("changes", "features", "code"),
    [
        ({}, {"optimizations": {}}, "not-included"),
        ({"features": {"distributed": {"gpus": 2}}}, {"distributed": {"gpus": 3}}, "limit"),
        ({"expires_at": NOW - 20 * DAY}, DISTRIBUTED, "expired"),
        ({"starts_at": NOW + DAY}, DISTRIBUTED, "upcoming"),
    ],
)
def test_what_the_server_says_of_its_pool_has_a_code_of_its_own(site, node, changes, features, code):
    site.pool(serial=2, **changes)
    site.service.reload()
    assert refused(node.acquire, features).code == code


def test_a_job_that_asks_for_more_than_is_left_is_told_and_keeps_what_it_has(site, node):
    site.pool(serial=2, features={"distributed": {"gpus": 4}, "governance": {}})
    site.service.reload()
    first = node.acquire({"distributed": {"gpus": 4}})
    assert refused(node.acquire, {"distributed": {"gpus": 5}}).code == "limit"
    assert first.seat.lease.features == {"distributed": {"gpus": 4}}
    assert site.in_use == 1


def test_while_the_server_is_away_the_last_lease_opens_new_jobs_for_its_hours(site, node, away):
    node.acquire().release()
    away.folder, away.server = node.folder, LicenseServer("http://127.0.0.1:9")
    kept = away.keeping.last(node.server.url)[0]
    # The same server, that is not there any more: its address is the same.
    away.keeping.keep_last(replace(kept, server=away.server.url), node.client.look(kept).lease)
    away.now = NOW + 23 * HOUR
    holding = away.acquire()
    assert not holding.seat.answered
    assert "cannot be asked" in holding.notes[0]
    assert "jobs may begin until 2026-11-27T12:00:00Z" in holding.notes[0]
    assert decide("distributed", {}, replace(away.evidence, seats=(holding.seat,))).state == "valid"
    away.now = NOW + 24 * HOUR
    assert refused(away.acquire).code == "no-server"


def test_a_lease_from_before_opens_only_what_it_was_for_and_only_on_its_node(site, node):
    node.acquire({"distributed": {"gpus": 2}}).release()
    with_server, node.server = node.server, LicenseServer("http://127.0.0.1:9")
    kept = node.keeping.last(with_server.url)[0]
    node.keeping.keep_last(replace(kept, server=node.server.url), node.client.look(kept).lease)
    assert node.acquire({"distributed": {"gpus": 2}}).seat.lease.features == {"distributed": {"gpus": 2}}
    assert refused(node.acquire, {"distributed": {"gpus": 3}}).code == "no-server"
    assert refused(node.acquire, {"governance": {}}).code == "no-server"
    node.name = "node-b"  # the folder was copied
    assert refused(node.acquire, {"distributed": {"gpus": 2}}).code == "no-server"


def test_a_server_that_does_not_answer_is_no_invalid_license(away):
    error = refused(away.acquire)
    assert error.code == "no-server"
    assert "does not answer" in error.what
    assert "http://127.0.0.1:9" in error.given
    assert "invalid" not in str(error)


def test_a_build_without_a_root_asks_nobody(node, site):
    evidence = Evidence(build=Build(), facts=Facts(now=NOW))
    error = refused(acquire, node.server, DISTRIBUTED, evidence, state=node.state, environ=node.environ)
    assert error.code == "no-root"
    assert site.in_use == 0


def test_a_lease_is_renewed_while_the_job_runs(site, node):
    site.pool(serial=2, lease_seconds=1)
    site.service.reload()
    holding = node.acquire()
    first = holding.seat.lease
    wait_until(lambda: holding.seat.lease.serial > first.serial + 1)
    assert holding.seat.lease.lease_id == first.lease_id
    assert site.in_use == 1


def test_a_job_goes_on_when_its_lease_cannot_be_renewed_and_takes_a_seat_again_later(site, node, caplog):
    site.pool(serial=2, lease_seconds=1, seats=1)
    site.service.reload()
    holding = node.acquire()
    first = holding.seat.lease
    site.release(first)
    other = site.claim("node-b")  # somebody else has the seat now
    wait_until(lambda: "was not renewed" in caplog.text)
    assert caplog.text.count("the job goes on") == 1
    assert holding.seat.lease == first
    site.release(other)
    wait_until(lambda: holding.seat.lease.lease_id != first.lease_id)
    assert site.in_use == 1


def test_a_server_that_goes_away_in_the_middle_of_a_job_does_not_reach_it(site, make_node):
    site.pool(serial=2, lease_seconds=1)
    with serving(site.service) as address:
        node = make_node(address=address)
        holding = node.acquire()
    before = holding.seat
    threading.Event().wait(0.6)
    assert holding.seat == before
    holding.release()  # and the end of the job neither


HOLD = """
import sys, threading
from datetime import datetime, timezone
from pathlib import Path
from tunesmith.errors import SettingsError
from tunesmith.licensing import Trust
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.entitlement.evidence import Evidence, Facts
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.leasing import LicenseServer, acquire
url, root, state, now, how = sys.argv[1:]
now = datetime.fromtimestamp(float(now), timezone.utc)
trust = Trust.start(Path(root).read_bytes())
evidence = Evidence(build=Build(trust, now, "0"), facts=Facts(now=now), trust=trust)
acquire(LicenseServer(url), {"distributed": {}}, evidence, state=StateFolder(Path(state)), environ={})
print("held", flush=True)
if how == "killed":
    threading.Event().wait()
"""


def hold(site, address, tmp_path, how):
    root = tmp_path / "root.bin"
    root.write_bytes(site.desk.root())
    command = [sys.executable, "-c", HOLD, address, str(root), str(tmp_path / how), str(NOW.timestamp()), how]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_process_that_ends_gives_its_seat_back_and_one_that_is_killed_loses_it_in_time(site, address, tmp_path):
    ended, killed = hold(site, address, tmp_path, "ended"), hold(site, address, tmp_path, "killed")
    assert ended.wait(20) == 0
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    for process in (ended, killed):
        process.stdout.close()
    assert site.in_use == 1
    site.now += timedelta(seconds=60)
    assert site.in_use == 0
    assert [site.claim(f"node-{number}").pool_id for number in range(3)] == ["pool-1"] * 3


def test_a_child_that_was_forked_off_neither_renews_nor_returns_the_seat_of_its_parent(site, node):
    holding = node.acquire()
    holding._process += 1  # as it is in a child
    holding.release()
    assert site.in_use == 1
    holding._process -= 1


def test_a_borrowed_lease_is_used_without_asking_anybody(site, node):
    borrow(node.client, DISTRIBUTED, 7)
    site.service._storage.transaction = None  # whoever asks now gets no answer
    node.now = NOW + 6 * DAY
    holding = node.acquire()
    assert (holding.seat.lease.borrowed, holding.notes) == (True, ())
    assert decide("distributed", {}, replace(node.evidence, seats=(holding.seat,))).state == "valid"
    holding.release()
    node.now = NOW + 7 * DAY
    assert refused(node.acquire).code == "no-server"
    del site.service._storage.transaction


def test_a_read_only_state_folder_costs_the_memory_and_not_the_seat(site, node, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tunesmith_enterprise.entitlement.state.StateFolder.write", full)
    monkeypatch.setattr("tunesmith_enterprise.entitlement.state.StateFolder.alone", full)
    assert node.acquire().seat.answered
    assert node.keeping.last(node.server.url) == []


def test_what_is_kept_is_for_its_owner_only_and_has_no_secret_of_a_running_job(node):
    node.acquire()
    files = [path for path in (node.folder / "leases").iterdir() if path.name.startswith("last-")]
    assert len(files) == 1
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert "secret" not in files[0].read_text()


def test_a_damaged_memory_is_as_if_there_were_none(away):
    folder = away.folder / "leases"
    folder.mkdir(parents=True)
    for name in ("serials.json", "last-0.json", "hand-0.json", "node"):
        (folder / name).write_bytes(b"\xff{")
    assert refused(away.acquire).code == "no-server"
    assert away.keeping.marks() == {}


def test_at_most_32_last_leases_are_kept(node):
    taken = node.client.take(DISTRIBUTED)
    for number in range(40):
        node.keeping.keep_last(taken.kept, replace(taken.lease, node=f"node-{number}"))
    assert len(node.keeping.last(node.server.url)) == 32


def test_a_node_has_a_name_that_stays_and_one_that_can_be_given(away):
    keeping = Keeping(away.state)
    made = node_id(keeping, None, {})
    assert node_id(keeping, None, {}) == made
    assert node_id(keeping, "install-1", {}) == "install-1"
    assert node_id(keeping, "install-1", {NODE_ID: "pod-7"}) == "pod-7"
    with pytest.raises(SettingsError, match="TUNESMITH_NODE_ID"):
        node_id(keeping, None, {NODE_ID: "Pod 7/x"})


def test_trust_comes_from_the_build_and_not_from_the_server(site, node):
    stranger = Desk()
    evidence = node.evidence
    other = replace(evidence, trust=Trust.start(stranger.root()))
    error = refused(acquire, node.server, DISTRIBUTED, other, state=node.state, environ=node.environ)
    assert error.code == "no-server"
    assert "nobody who may sign a pool has signed this one" in error.given
