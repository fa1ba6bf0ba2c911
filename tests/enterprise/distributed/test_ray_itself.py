# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Jobs on Ray itself, on a cluster of this machine alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tunesmith.runs import Run

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray"),
    pytest.mark.timeout(600),
]


def test_two_processes_train_on_ray_itself(site: Any) -> None:
    recipe = site.recipe("on-ray.yaml", output="on-ray", train={"max_steps": 2, "save_every": 2})
    code, out, err = site.run("launch", "--ray", "local", "--nproc", "2", recipe)
    assert code == 0, out + err
    run = json.loads((site.folder / "on-ray" / "run.json").read_text())
    (grant,) = run["allowed"]["enterprise"]["grants"]
    assert (grant["feature"], grant["quantities"]) == ("distributed", {"processes": 2, "nodes": 1})


def until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not ready():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture
def start(site: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts commands; none of them outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def one(*words: str) -> subprocess.Popen[str]:
        started.append(site.start(*words))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.communicate()


def test_a_job_is_stopped_goes_on_and_is_started_again_when_it_hangs(site: Any, start: Any) -> None:
    recipe = site.recipe("stopped.yaml", output="stopped", train={"max_steps": 1000, "epochs": 500, "save_every": 100})
    run, logs = site.folder / "stopped", site.folder / "stopped-ray"
    job = start("launch", "--ray", "local", "--nproc", "2", recipe)
    until(lambda: (run / "metrics.jsonl").exists() and '"step"' in (run / "metrics.jsonl").read_text(), job)
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=60)
    assert job.returncode == 130, out + err
    assert Run.open(run).manifest["status"] == "interrupted"
    (told,) = set(re.findall(r"tunesmith (launch --ray .*)$", out + err, re.MULTILINE))
    assert shlex.split(told) == ["launch", "--ray", "local", "--nproc", "2", "--resume", "stopped"]

    job = start(*shlex.split(told), "--hang-timeout", "15")
    before = (logs / "process-1.log").read_text()
    until(lambda: "steps are done" in (logs / "process-1.log").read_text().removeprefix(before), job)
    *_, number = re.findall(r"with number (\d+)", (logs / "process-1.log").read_text())
    os.kill(int(number), signal.SIGSTOP)
    out, err = job.communicate(timeout=240)
    assert job.returncode == 0, out + err
    assert re.search(rf"process 1 on \S+, number {number}: .*it has not moved for \d+ seconds", out + err)
    assert Run.open(run).manifest["status"] == "finished"
    assert [one["step"] for one in Run.open(run).metrics() if one["kind"] == "step"] == list(range(1, 1001))
