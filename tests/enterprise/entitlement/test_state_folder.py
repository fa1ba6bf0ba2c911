# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The state folder: whole or not at all, alone, and never a reason to refuse."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tunesmith.errors import SignedDocumentError
from tunesmith_enterprise.entitlement.state import StateFolder

posix = pytest.mark.skipif(os.name == "nt", reason="there are no such permissions and locks there")


def test_what_is_written_is_read(tmp_path):
    state = StateFolder(tmp_path / "deep" / "state")
    assert state.read("a.json") is None
    assert state.remove("a.json") is False
    state.write("a.json", b"one")
    state.write("a.json", b"two")
    assert state.read("a.json") == b"two"
    assert [path.name for path in (tmp_path / "deep" / "state").iterdir()] == ["a.json"]
    assert state.remove("a.json") is True
    assert state.read("a.json") is None


@posix
def test_it_is_for_its_owner_only(tmp_path):
    before = os.umask(0)
    try:
        StateFolder(tmp_path / "state").write("install.key", b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state/install.key").stat().st_mode & 0o777 == 0o600


@posix
def test_row_29_a_write_that_fails_leaves_the_old_and_no_remains(tmp_path, monkeypatch):
    state = StateFolder(tmp_path)
    state.write("a.json", b"old")
    for name in ("fsync", "replace"):

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                state.write("a.json", b"new")
        assert state.read("a.json") == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_without_a_folder_nothing_is_kept():
    state = StateFolder(None)
    assert state.read("a.json") is None
    assert state.remove("a.json") is False
    with pytest.raises(OSError, match="there is no state folder"):
        state.write("a.json", b"")
    with pytest.raises(OSError, match="there is no state folder"), state.alone():
        pass


def test_what_is_too_large_or_no_file_is_refused(tmp_path):
    (tmp_path / "large").write_bytes(b"A" * (5 << 20))
    (tmp_path / "folder").mkdir()
    for name, reason in (("large", "too-large"), ("folder", "not-a-file")):
        with pytest.raises(SignedDocumentError) as caught:
            StateFolder(tmp_path).read(name)
        assert caught.value.reason == reason


@posix
def test_nobody_waits_for_ever_for_a_process_that_hangs(tmp_path):
    state = StateFolder(tmp_path)
    with state.alone() as first, state.alone(patience=0.02) as second:
        assert (first, second) == (True, False)
    with state.alone() as third:
        assert third is True


@posix
def test_a_file_system_without_locks_is_written_all_the_same(tmp_path, monkeypatch):
    import fcntl

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with StateFolder(tmp_path).alone() as alone:
        assert alone is True


# ---- gathering with a state that cannot be kept --------------------------------------------------


def everything_to_keep(bench):
    desk = bench.desk
    bench.put("user", desk.license(), desk.root(2), desk.revocations(number=3))


def unharmed(evidence):
    assert len(evidence.held) == 1
    assert evidence.refused == ()
    assert (evidence.trust.root.version, evidence.revocations.number) == (2, 3)
    (note,) = evidence.notes
    assert "nothing can be kept in" in note
    return note


def test_row_22_a_home_that_cannot_be_written_is_one_note(bench):
    everything_to_keep(bench)
    bench.write("state", "a file where the folder has to be")
    for _ in range(2):
        assert str(bench.places.state) in unharmed(bench.gather())


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("makedirs", errno.EROFS, "read-only file system"),
        ("makedirs", errno.EACCES, "permission denied"),
        ("fsync", errno.ENOSPC, "no space left on device"),
        ("replace", errno.EDQUOT, "disk quota exceeded"),
        ("fsync", errno.EIO, "input/output error"),
    ],
)
def test_disks_that_are_full_or_read_only_are_one_note(bench, monkeypatch, call, number, words):
    everything_to_keep(bench)

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    assert words in unharmed(bench.gather())
    monkeypatch.undo()
    monkeypatch.setattr("tunesmith.settings._SYSTEM", bench.folder / "etc")
    assert bench.gather().notes == ()
    assert sorted(path.name for path in bench.places.state.iterdir() if not path.name.startswith(".")) == [
        "clock.json",
        "revocations.txt",
        "roots.txt",
    ]


@posix
def test_another_process_that_hangs_with_the_lock_costs_a_moment_and_no_note(bench):
    everything_to_keep(bench)
    with bench.state.alone():
        evidence = bench.gather()
        assert (len(evidence.held), evidence.notes) == (1, ())
        assert not (bench.places.state / "clock.json").exists()
    bench.gather()
    assert (bench.places.state / "clock.json").exists()


# ---- several processes ---------------------------------------------------------------------------


def processes(folder: Path, code: str, count: int) -> list[str]:
    """What each of several processes prints that begin at the same moment."""
    here = Path(__file__).parents[1]
    head = f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(here)!r})
        folder = Path({str(folder)!r})
        number = int(sys.argv[1])
        def together():
            (folder / f"ready-{{number}}").touch()
            while len(list(folder.glob("ready-*"))) < {count}:
                time.sleep(0.001)
    """
    text = textwrap.dedent(head) + textwrap.dedent(code)
    running = [
        subprocess.Popen([sys.executable, "-c", text, str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(count)
    ]
    said = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * count, said
    return [out.decode() for out, _ in said]


@posix
def test_row_22_processes_that_race_for_the_state_leave_the_latest_of_all(tmp_path):
    code = """
        from datetime import timedelta
        from desk import NOW
        from tunesmith_enterprise.entitlement.clock import keep_mark, read_mark
        from tunesmith_enterprise.entitlement.state import StateFolder
        state = StateFolder(folder / "state")
        together()
        for hour in range(number, 60, 3):
            mark, notes = read_mark(state)
            assert not notes, notes
            keep_mark(state, mark, NOW + timedelta(hours=2 * hour), [])
        while read_mark(state)[0].at < NOW + timedelta(hours=2 * hour):  # who had to wait too long leaves it to others
            keep_mark(state, mark, NOW + timedelta(hours=2 * hour), [])
    """
    state = StateFolder(tmp_path / "state")
    state.write("clock.json", b'{"schema": 1, "at": "2026-11-26T12:00:00Z", "waiting": null}')
    processes(tmp_path, code, 3)
    assert json.loads(state.read("clock.json"))["at"] == "2026-12-01T10:00:00Z"
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [".lock", "clock.json"]


@posix
def test_processes_that_activate_at_once_are_one_installation(tmp_path):
    code = """
        from desk import NOW
        from tunesmith.licensing import PublicKey
        from tunesmith_enterprise.entitlement.install import installation
        from tunesmith_enterprise.entitlement.state import StateFolder
        together()
        made = installation(StateFolder(folder / "state"), {}, now=NOW)
        print(made.install_id, PublicKey.of(made.key).text)
    """
    said = processes(tmp_path, code, 4)
    assert len(set(said)) == 1
    assert len(said[0].split()[0]) == 32
