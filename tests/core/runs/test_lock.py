# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One process at a time, proved with a second process; and what kill -9 leaves."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tunesmith.errors import RunError
from tunesmith.runs import Run, list_runs

HOLD = """
    import sys, time
    from tunesmith.runs import Run
    with Run.open(sys.argv[1]).locked():
        print("held", flush=True)
        time.sleep(60)
"""
WRITE = """
    import itertools, sys
    from tunesmith.runs import Run
    run = Run.open(sys.argv[1])
    with run.locked():
        first = len(run.metrics()) + 1
        print("writing", flush=True)
        for step in itertools.count(first):
            run.log({"kind": "step", "step": step, "text": "x" * (step % 7000)})
            run.update(steps=step, text="y" * (step % 70_000))
"""


def start(program: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() in ("held", "writing")
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_process_is_refused_until_the_first_is_gone(run: Run) -> None:
    process = start(HOLD, run.path)
    try:
        with pytest.raises(RunError, match="is in use") as caught, run.locked():
            pass
        assert f"given:    process {process.pid} on " in str(caught.value)
        assert "wait until it is done, or stop it" in str(caught.value)
        assert not run.was_killed
        assert list_runs(run.path)[0].status == "running"
    finally:
        kill(process)
    assert run.was_killed
    assert list_runs(run.path)[0].status == "killed"
    with run.locked():
        assert not run.was_killed


def test_the_same_process_holds_it_once(run: Run) -> None:
    with run.locked(), pytest.raises(RunError, match=f"process {os.getpid()} on"), Run.open(run.path).locked():
        pass
    with run.locked():
        pass


def test_an_error_gives_the_lock_back(run: Run) -> None:
    with pytest.raises(ZeroDivisionError), run.locked():
        raise ZeroDivisionError
    with run.locked():
        assert (run.path / "run.lock").read_text() != ""
    assert (run.path / "run.lock").read_text() == ""


def test_a_run_on_another_machine_is_not_called_killed(run: Run) -> None:
    (run.path / "run.lock").write_text('{"pid": 1, "host": "elsewhere.example"}')
    assert not run.was_killed
    (run.path / "run.lock").write_text("\0junk")
    assert run.was_killed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_at_any_moment_the_run_can_be_read_and_gone_on_with(run: Run) -> None:
    chance = random.Random(0)
    done = 0
    for _ in range(5):
        process = start(WRITE, run.path)
        time.sleep(chance.uniform(0.005, 0.15))
        kill(process)
        steps = [record["step"] for record in run.metrics()]
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) >= done
        done = len(steps)
        manifest = run.manifest
        # The record is written before the manifest, so the manifest is at most one step behind.
        assert manifest.get("steps", 0) in (done - 1, done)
        assert manifest.get("text", "") == "y" * (manifest.get("steps", 0) % 70_000)
    assert done > 0
    with run.locked():
        assert list(run.path.glob(".*.tmp")) == []


def test_what_a_killed_writer_left_is_swept_away_by_the_next(run: Run) -> None:
    (run.path / ".run.json.0123abcd.tmp").write_text("half")
    (run.path / ".notes").write_text("mine")
    with run.locked():
        assert not (run.path / ".run.json.0123abcd.tmp").exists()
    assert (run.path / ".notes").read_text() == "mine"
