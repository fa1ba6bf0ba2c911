# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Two operators at once, and operators whose machine dies: nothing is lost, forked, or out there unrecorded."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from made_desk import ISSUE, Program, license_in

from tunesmith_vendor.commands import desk_work
from tunesmith_vendor.issuing.clerk import Clerk
from tunesmith_vendor.ledger.chain import broken
from tunesmith_vendor.ledger.store import Ledger, Operator, Writing

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are begun by fork here, in a moment")


def begun(do: Callable[[], object]) -> int:
    """Another process that does something and ends; its number."""
    pid = os.fork()
    if pid == 0:
        try:
            do()
            os._exit(0)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
    return pid


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_operators_at_once_lose_no_entry_and_fork_no_chain(ledger: Ledger) -> None:
    waiting, go = os.pipe()

    def write(name: str) -> None:
        os.close(go)
        os.read(waiting, 1)  # until both are there
        for _ in range(12):
            ledger.write(Operator(name, "desk"), lambda pen: pen.add("note", subject=f"{name}-{pen.head().seq}"))

    writers = [begun(lambda name=name: write(name)) for name in ("ada", "ben")]  # type: ignore[misc]
    os.close(go)
    assert [ended(writer) for writer in writers] == [0, 0]
    os.close(waiting)
    with ledger.reading() as reading:
        entries = list(reading.select())
    assert len(entries) == 25
    assert broken(entries) is None
    # Each entry was made knowing the one before it: nobody wrote on top of what somebody else had not finished.
    assert all(entry.subject == f"{entry.operator}-{entry.seq - 1}" for entry in entries[1:])


def test_a_writer_who_dies_in_the_middle_leaves_nothing_and_nobody_waits_for_them(ledger: Ledger) -> None:
    def change(pen: Writing) -> None:
        pen.add("note", subject="never")
        die()

    assert ended(begun(lambda: ledger.write(Operator("eve", "desk"), change))) == -signal.SIGKILL
    ledger.write(Operator("ada", "desk"), lambda pen: pen.add("note", subject="after"))
    with ledger.reading() as reading:
        assert [entry.subject for entry in reading.select()] == [None, "after"]
        assert broken(reading.select()) is None


def test_what_died_between_the_ledger_and_the_key_is_finished_with_the_same_bytes(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Clerk, "_sign", die)
        assert ended(begun(lambda: program(*ISSUE, "--term", "1y", "--id", "lic-a"))) == -signal.SIGKILL
    assert list(Path().glob("*.lic")) == []
    shown = program.json("show", "lic-a")
    assert (shown["progress"], shown["entry"]) == ("unsigned", 2)
    assert "finish 2" in program("show", "lic-a")[2]
    program.run("finish", 2)
    issued = license_in("lic-a-1.lic")
    assert (issued.license_id, issued.serial) == ("lic-a", 1)
    assert program.json("show", "lic-a")["payload"] == shown["payload"]
    assert "does not wait to be signed" in program.refused("finish", 2)
    assert "whole: 3 entries" in program.run("ledger", "verify")


def test_what_died_between_the_key_and_the_file_is_written_once_more(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(desk_work, "_written", die)
        assert ended(begun(lambda: program(*ISSUE, "--term", "1y", "--id", "lic-a"))) == -signal.SIGKILL
    assert list(Path().glob("*.lic")) == []
    assert program.json("show", "lic-a")["progress"] == "signed"
    program.run("show", "lic-a", "--out", "again.lic")
    assert license_in("again.lic").license_id == "lic-a"


def test_two_who_renew_one_license_at_once_give_two_serials(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    renewers = [
        begun(lambda out=out: program.run("renew", "lic-a", "--term", "1y", "--out", out))  # type: ignore[misc]
        for out in ("one.lic", "two.lic")
    ]
    assert [ended(renewer) for renewer in renewers] == [0, 0]
    one, two = license_in("one.lic"), license_in("two.lic")
    assert {one.serial, two.serial} == {2, 3}
    assert one.expires_at != two.expires_at  # whoever came second renewed what the first had made
