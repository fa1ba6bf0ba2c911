# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a launcher does when processes end, are lost, hang or are stopped. The processes are stubs that do no work."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch.distributed.elastic.agent.server.api import RunResult, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent

from tunesmith.errors import OutputError, TrainingError, TunesmithError
from tunesmith.runs import Run
from tunesmith.runs.folder import LOCK
from tunesmith_enterprise.distributed import agent, launching
from tunesmith_enterprise.distributed.launching import Patience, launch
from tunesmith_enterprise.distributed.meeting import Place
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.stops import Stops

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
STUB = str(Path(__file__).with_name("stub_worker.py"))
RECIPE = {"task": "text-classification", "model": "bert", "data": {"train": "rows.csv"}, "output": "run"}


class Bench:
    """A launcher in this process, and the starts that its stubs go through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "recipe.yaml").write_text(json.dumps(RECIPE))

    def launch(self, *starts: Sequence[str], **patience: Any) -> int:
        """Gives the job's exit code; each start says what each process does."""
        script = self.folder / "script.json"
        script.write_text(json.dumps(starts))
        worker = (STUB, str(script))
        return launch(
            self.order(), place=Place(processes=len(starts[0])), patience=Patience(**patience), worker=worker
        )  # fmt: skip

    def order(self, *sets: str) -> Order:
        return Order(
            recipe=str(self.folder / "recipe.yaml"), sets=sets, resume="", options=("--quiet",),
            folder=str(self.folder / "logs"), join_timeout=20,
        )  # fmt: skip

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "logs" / "job.json").read_text())
        return found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(launching, "_LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(agent, "_TO_FOLLOW", 0.3)
    for name in ("OMP_NUM_THREADS", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TORCHELASTIC_SIGNALS_TO_HANDLE"):
        monkeypatch.setenv(name, os.environ.get(name, "lo" if name.endswith("IFNAME") else "1"))
    return Bench(tmp_path)


def test_a_job_that_ends_well_is_started_once(bench: Bench) -> None:
    assert bench.launch(["0", "0"]) == 0
    report = bench.report
    assert (report["exit_code"], report["nodes"], report["processes"]) == (0, [socket.gethostname()], 2)
    (start,) = report["starts"]
    assert start["why"] == ""
    assert start["began"] <= start["ended"]


def test_what_the_job_told_itself_is_not_tried_again(bench: Bench) -> None:
    assert bench.launch(["22", "0"]) == 22
    assert len(bench.report["starts"]) == 1


def test_what_another_process_told_ends_the_job_at_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.launch(["lost", "told"], ["0", "0"]) == 4
    (start,) = bench.report["starts"]
    assert start["why"] == "process 1 of 2 on here: the memory is used up to do: less"
    assert "error: process 1 of 2 on here: the memory is used up\n  to do:    less" in capsys.readouterr().err


def test_what_was_told_counts_for_its_own_start_alone(bench: Bench) -> None:
    (bench.folder / "logs").mkdir()
    (bench.folder / "logs" / "told").write_text('[4, "of an earlier job"]')
    assert bench.launch(["wait", "kill"], ["0", "0"]) == 0


def test_a_folder_that_is_not_free_is_told_before_anything_starts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    (bench.folder / "run").mkdir()
    (bench.folder / "run" / "a letter").touch()
    with pytest.raises(OutputError, match="a letter"):
        bench.launch(["0", "0"])
    assert not (bench.folder / "logs" / "job.json").exists()


def test_a_run_that_was_made_by_a_process_that_was_lost_then_is_gone_on_with(bench: Bench) -> None:
    run = bench.folder / "made"
    order = bench.order(f"output={run}")
    (bench.folder / "logs").mkdir()
    order.find_run()
    assert order.arguments()[1].endswith("recipe.yaml")
    run.mkdir()
    (run / LOCK).touch()  # it was lost between its claim and the run
    order.find_run()
    assert order.arguments()[1].endswith("recipe.yaml")
    Run.create(run, order.job(), {"allowed": {"enterprise": {"grants": [], "job": order.token}}})
    order.find_run()
    assert order.arguments() == ["train", "--resume", str(run), "--quiet"]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"allowed": {"enterprise": {"grants": []}}},
        {"allowed": {"enterprise": {"grants": [], "job": "0" * 32}}},
        {"allowed": {"enterprise": "no record"}},
    ],
)
def test_a_run_that_another_job_made_in_the_same_place_is_left_to_it(bench: Bench, facts: dict[str, Any]) -> None:
    run = bench.folder / "made"
    order = bench.order(f"output={run}")
    Run.create(run, order.job(), facts)  # of the same recipe
    order.find_run()
    assert order.arguments()[1].endswith("recipe.yaml")
    assert not order.started.exists()


def test_two_jobs_do_not_keep_their_logs_in_one_folder(bench: Bench) -> None:
    first = bench.order()
    with first.held():
        first.outcome.write_text("22")
        with pytest.raises(OutputError) as caught:
            bench.launch(["0", "0"])
        assert first.outcome.read_text() == "22"
        assert not (bench.folder / "logs" / "job.json").exists()
    text = " ".join(str(caught.value).split())
    assert "another job keeps its logs in this folder" in text
    assert f"{bench.folder / 'logs'}, of process {os.getpid()} on {socket.gethostname()}" in text
    assert "to do: --logs ANOTHER-FOLDER" in text
    assert bench.launch(["0", "0"]) == 0


def test_a_main_process_that_is_lost_when_all_is_done_costs_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    assert bench.launch(["done", "wait"], max_restarts=0) == 0
    (start,) = bench.report["starts"]
    assert re.search(r"ended with signal 9 .*, when the run was finished$", start["why"])
    assert (bench.report["exit_code"], bench.report["run"]) == (0, "run")
    assert start["why"] in capsys.readouterr().err


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_starts_all_again(rank: int, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    parts = ["wait", "wait"]
    parts[rank] = "kill"
    assert bench.launch(parts, ["0", "0"]) == 0
    (first, second) = bench.report["starts"]
    assert f"process {rank} (number " in first["why"]
    assert f"ended with signal 9 on {socket.gethostname()}" in first["why"]
    assert second["why"] == ""
    assert "starting all again from the beginning (1 of 3)" in capsys.readouterr().err


def test_a_crash_counts_more_than_what_followed_from_it(bench: Bench) -> None:
    assert bench.launch(["lost", "77", "lost"], ["0", "0", "0"]) == 0
    why = bench.report["starts"][0]["why"]
    assert "process 1 (number " in why
    assert "ended with exit code 77" in why


def test_while_a_process_works_nobody_but_the_launcher_decides_who_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = RunResult(state=WorkerState.FAILED)
    asked: list[object] = []
    monkeypatch.setattr(LocalElasticAgent, "_monitor_workers", lambda *_: asked.append(1) or ended)
    codes: list[int | None] = [0, None]
    processes = [SimpleNamespace(pid=11 + rank, poll=lambda rank=rank: codes[rank]) for rank in range(2)]
    group: Any = SimpleNamespace(workers=[SimpleNamespace(global_rank=rank) for rank in range(2)])
    one: Any = object.__new__(agent.Agent)
    one.ended, one.lost, one._passed_on = "", None, 0
    one._pcontext = SimpleNamespace(subprocess_handlers=dict(enumerate(SimpleNamespace(proc=one) for one in processes)))
    one._stops, one._watch = Stops(), SimpleNamespace(why_ended=str, asked_to_stop=False)
    assert one._monitor_workers(group).state is WorkerState.HEALTHY
    assert asked == []
    codes[:] = [1, -9]  # a consequence, and its cause
    assert one._monitor_workers(group) is ended
    assert asked == [1]
    assert str(one.lost) == "process 1 (number 12) ended with signal 9"


def test_it_is_started_again_as_often_as_it_may_be(bench: Bench) -> None:
    with pytest.raises(TrainingError) as caught:
        bench.launch(["wait", "kill"], ["wait", "kill"], max_restarts=1)
    text = " ".join(str(caught.value).split())
    assert "the job lost a process, and was started again as often as it may be" in text
    assert "ended with signal 9" in text
    assert "started again 1 time " in text
    assert "--max-restarts N" in text
    assert len(bench.report["starts"]) == 2


@pytest.mark.parametrize(("part", "where"), [("hang", "in a step"), ("evaluation", "in an evaluation")])
def test_a_process_that_hangs_is_named_ended_and_started_again(
    part: str, where: str, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert bench.launch(["wait", part], ["0", "0"], hang_timeout=1.0) == 0
    assert time.monotonic() - began < 15
    why = bench.report["starts"][0]["why"]
    assert why.startswith(f"process 1 on {socket.gethostname()}, number ")
    assert f"step 5, {where}, computing; it has not moved for 1 seconds" in why
    assert why in capsys.readouterr().err


def signals(*numbers: signal.Signals, when: Path) -> threading.Thread:
    def send() -> None:
        while not when.exists():
            time.sleep(0.02)
        time.sleep(0.3)
        for number in numbers:
            os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_the_launcher_asks_the_main_process_to_save_and_stop(bench: Bench, number: signal.Signals) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in what a script starts with `&`
    try:
        sender = signals(number, when=bench.folder / "logs" / "process-0.pulse")
        assert bench.launch(["asked", "0"]) == 130
        sender.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(bench.report["starts"]) == 1


def test_a_folder_that_cannot_be_written_is_told(bench: Bench) -> None:
    (bench.folder / "logs").write_text("a file")
    with pytest.raises(TunesmithError, match="logs"):
        bench.launch(["0"])
