# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Quotas over restarts: what was used stays used, whatever becomes of the process, the file or the disk."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from asked import Clock
from licensed import Machine

from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.priority.kept import FILE, KeptQuotas
from tunesmith_enterprise.priority.quotas import Quota, quota_of
from tunesmith_enterprise.priority.scheduler import Priority

SETTINGS = """
[plugins.enterprise.priority.classes.all]
[plugins.enterprise.priority.tenants.acme]
tokens_per_day = 1000
"""


class Server:
    """A server's quotas: of `acme` 60 tokens a minute and 86,400 a day, so that one comes back each second."""

    def __init__(self, folder: Path, wall: Clock, **limits: int) -> None:
        self.wall = wall
        limits = {"per_minute": 60, "per_day": 86_400} | limits
        self.quota = quota_of(limits["per_minute"], limits["per_day"], Clock())
        self.quota._clock = wall  # one clock for both: time passes alike
        self.others: Quota = quota_of(None, None)
        self.kept = KeptQuotas(StateFolder(folder), {"acme": self.quota, "bolt": self.others}, wall)


def test_a_restart_makes_no_quota_full(tmp_path: Path) -> None:
    wall = Clock()
    first = Server(tmp_path, wall)
    assert first.quota.reserve(50) is None
    first.quota.give_back(10)
    first.kept.close()
    wall.now += 15
    second = Server(tmp_path, wall)
    assert second.quota.left() == 60 - 40 + 15
    lack = second.quota.reserve(36)
    assert lack is not None
    assert lack.seconds == pytest.approx(1)
    wall.now += 86_400
    assert Server(tmp_path, wall).quota.left() == 60


def test_a_server_that_is_killed_leaves_what_its_requests_might_have_used(tmp_path: Path) -> None:
    wall = Clock()
    killed = Server(tmp_path, wall)
    assert killed.quota.reserve(50) is None
    killed.kept.exchange()  # as each second; nothing is given back, and nothing is closed
    assert Server(tmp_path, wall).quota.left() == 10


def test_servers_of_one_account_share_what_there_is(tmp_path: Path) -> None:
    wall = Clock()
    one, other = Server(tmp_path, wall), Server(tmp_path, wall)
    assert one.quota.reserve(20) is None
    assert other.quota.reserve(30) is None
    for server in (one, other, one):
        server.kept.exchange()
    assert (one.quota.left(), other.quota.left()) == (10, 10)
    other.quota.give_back(25)
    other.kept.exchange()
    one.kept.exchange()
    assert (one.quota.left(), other.quota.left()) == (35, 35)
    wall.now += 10
    for server in (one, other, one, other):
        server.kept.exchange()
    assert (one.quota.left(), other.quota.left()) == (45, 45)


def test_a_limit_that_was_changed_holds_for_what_was_used_before(tmp_path: Path) -> None:
    wall = Clock()
    first = Server(tmp_path, wall, per_day=1000, per_minute=1000)
    assert first.quota.reserve(600) is None
    first.kept.close()
    assert Server(tmp_path, wall, per_day=2000, per_minute=2000).quota.left() == 1400
    assert Server(tmp_path, wall, per_day=500, per_minute=500).quota.left() == 0


def test_a_clock_that_is_set_back_gives_nothing(tmp_path: Path) -> None:
    wall = Clock()
    wall.now = 1e9
    first = Server(tmp_path, wall)
    assert first.quota.reserve(60) is None
    first.kept.close()
    behind = Clock()
    second = Server(tmp_path, behind)
    assert second.quota.left() == 0
    behind.now += 30
    second.kept.exchange()
    assert second.quota.left() == 30  # and it goes on from there


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\0\xff garbled", "cannot be read: "),
        (b"[1]", "it is not the file that a server wrote"),
        (b'{"schema": 1, "tenants": {"acme": {"at": 1, "used": {"day": NaN}}}}', "'acme' is no use of tokens"),
        (b'{"schema": 1, "tenants": {"acme": {"at": true, "used": {}}}}', "'acme' is no use of tokens"),
        (b"[" * 100_000, "cannot be read: "),
    ],
)
def test_a_garbled_file_is_told_and_quotas_begin_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, why: str
) -> None:
    (tmp_path / FILE).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        server = Server(tmp_path, Clock())
    assert server.quota.left() == 60
    (told,) = caplog.messages
    assert told.startswith(f"the quotas of tenants, in {tmp_path / FILE}, cannot be read: ")
    assert why in told
    assert told.endswith("; they begin full")
    assert server.quota.reserve(20) is None
    server.kept.close()
    assert Server(tmp_path, server.wall).quota.left() == 40


def test_a_file_that_is_taken_away_while_a_server_runs_gives_nothing_back(tmp_path: Path) -> None:
    server = Server(tmp_path, Clock())
    for harm in (Path.unlink, lambda file: file.write_bytes(b"{")):
        assert server.quota.reserve(20) is None
        server.kept.exchange()
        harm(tmp_path / FILE)
        server.kept.exchange()
    assert server.quota.left() == 20


def test_a_disk_that_cannot_be_written_is_told_once_and_quotas_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path, Clock())

    def full(self: StateFolder, name: str, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        broken.setattr(StateFolder, "write", full)
        for _ in range(3):
            assert server.quota.reserve(15) is None
            server.kept.exchange()
            server.kept.exchange()
    (told,) = caplog.messages
    assert told.endswith("cannot be kept: No space left on device; after a restart they may be fuller than they should")
    assert server.quota.left() == 15
    server.kept.exchange()  # there is room again
    assert Server(tmp_path, server.wall).quota.left() == 15


def test_without_a_state_folder_quotas_hold_for_as_long_as_the_server_runs(caplog: pytest.LogCaptureFixture) -> None:
    quota = quota_of(60, None, Clock())
    with caplog.at_level(logging.WARNING):
        kept = KeptQuotas(StateFolder(None), {"acme": quota})
    assert quota.reserve(20) is None
    kept.close()
    assert quota.left() == 40
    assert caplog.messages[0].startswith("the quotas of tenants, in no state folder, cannot be kept: ")


def test_the_scheduler_of_a_server_keeps_them(machine: Machine) -> None:
    machine.install(features={"priority": {}})
    machine.settings(SETTINGS)
    first = Priority()
    assert first.shared.tenants["acme"].quota.reserve(900) is None
    first.close()
    second = Priority()
    left = second.shared.tenants["acme"].quota.left()
    assert left is not None
    assert 100 <= left <= 110  # a token comes back in 86 s
    second.close()
    kept = machine.places.state
    assert kept is not None
    assert (kept / "priority" / FILE).stat().st_mode & 0o077 == 0
