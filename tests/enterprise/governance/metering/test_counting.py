# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Use is counted exactly: by several processes at once, after kill -9, on a full disk, over the end of a month."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest
from licensed import HARM, Machine, a_machine
from pydantic import ValidationError

from tunesmith.plugin import Action, Allow, Deny, RequestEnding, RunFinished, RunStarted
from tunesmith_enterprise import plugin
from tunesmith_enterprise.governance import hooks
from tunesmith_enterprise.governance.granting import Granted
from tunesmith_enterprise.governance.metering import metering
from tunesmith_enterprise.governance.metering.counting import metered, summed
from tunesmith_enterprise.governance.metering.store import Key, Month, month_of, months
from tunesmith_enterprise.recipe import EnterpriseSection

SERVE = Action(name="serve", subject="a", details={"host": "127.0.0.1", "port": 1, "models": ["a"]})
TRAIN = Action(name="train", subject="runs/1", details={"recipe": {}, "resume": False, "allowed": {}})
HERE = Path(__file__).parent


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = a_machine(tmp_path, monkeypatch)
    (tmp_path / "usage").mkdir()
    machine.settings(f'[plugins.enterprise]\nusage = "{(tmp_path / "usage").as_posix()}"\n')
    return machine


def served(tenant: str = "acme", *, model: str = "a", status: int = 200, **more: Any) -> RequestEnding:
    facts: dict[str, Any] = {"caller": "ci", "prompt_tokens": 12, "cached_tokens": 8, "completion_tokens": 5, **more}
    return RequestEnding(
        id="r1", method="POST", route="/v1/x", status=status, seconds=0.5, tenant=tenant, model=model, **facts
    )


def counted(folder: Path, *by: str) -> dict[tuple[str, ...], dict[str, int]]:
    """All months together, without what is nought."""
    found: dict[tuple[str, ...], Counter[str]] = {}
    for month in months(folder):
        for one in summed(folder, month, by or ["tenant"]):
            found.setdefault(one.by, Counter()).update({name: count for name, count in one.counts.items() if count})
    return {key: dict(counts) for key, counts in found.items()}


def test_without_the_setting_nothing_is_counted_or_imported(machine: Machine) -> None:
    machine.settings("")
    assert plugin.tunesmith_authorize(SERVE) is None
    plugin.tunesmith_request_ending(served())
    assert os.listdir(machine.folder / "usage") == []


def test_requests_and_jobs_are_counted_by_tenant_caller_and_model(machine: Machine) -> None:
    assert isinstance(plugin.tunesmith_authorize(SERVE), Allow)
    for event in (served(), served(), served("other"), served(adapter="b"), served(caller="ana")):
        plugin.tunesmith_request_ending(event)
    plugin.tunesmith_run_finished(RunFinished(run="r", status="finished", steps=8, metrics={}, seconds=2.5))
    folder = machine.folder / "usage"
    one = {"requests": 1, "prompt_tokens": 12, "cached_tokens": 8, "completion_tokens": 5}
    assert counted(folder) == {
        ("",): {"runs": 1, "steps": 8, "milliseconds": 2500},
        ("acme",): {name: 4 * count for name, count in one.items()},
        ("other",): one,
    }
    assert set(counted(folder, "caller", "model")) == {("ci", "a"), ("ci", "a:b"), ("ana", "a"), (_me(), "")}
    assert machine.asked == ["governance"]


def test_a_job_is_counted_for_the_tenant_that_its_recipe_names(machine: Machine) -> None:
    assert isinstance(plugin.tunesmith_authorize(TRAIN), Allow)
    for run, sections in (("1", {"enterprise": {"tenant": "acme"}}), ("2", {"enterprise": {}}), ("3", {})):
        plugin.tunesmith_run_started(RunStarted(run=run, recipe={"plugins": sections}, total_steps=8))
    for run in ("3", "1", "2", "1"):  # the last is one that failed before it began
        plugin.tunesmith_run_finished(RunFinished(run=run, status="finished", steps=8, metrics={}, seconds=2.5))
    one = {"runs": 1, "steps": 8, "milliseconds": 2500}
    found = counted(machine.folder / "usage", "tenant", "caller")
    assert found == {("acme", _me()): one, ("", _me()): {name: 3 * count for name, count in one.items()}}
    now = datetime.now(timezone.utc)
    lines = {line.tenant: line for line in metered(machine.folder / "usage", month_of(now))}
    assert (lines["acme"].runs, lines["acme"].steps) == (1, 8)


def test_the_tenant_of_a_recipe_is_a_name(tmp_path: Path) -> None:
    wanted = "1 to 64 letters, digits, dots, dashes and underscores"
    assert EnterpriseSection(tenant="acme").tenant == "acme"
    with pytest.raises(ValidationError, match=wanted):
        EnterpriseSection(tenant="two words")


def _me() -> str:
    from tunesmith_enterprise.governance.who import account

    return account().name


def test_what_failed_is_counted_apart_and_what_asked_for_no_model_not_at_all(machine: Machine) -> None:
    plugin.tunesmith_authorize(SERVE)
    for event in (served(status=422), served(status=429), served(status=499), served(model="", status=200)):
        plugin.tunesmith_request_ending(event)
    counts = counted(machine.folder / "usage")[("acme",)]
    assert (counts["requests"], counts["refused"]) == (1, 2)  # 499: the client went away, the tokens were made


def test_nobody_else_reads_the_file(machine: Machine) -> None:
    plugin.tunesmith_authorize(SERVE)
    plugin.tunesmith_request_ending(served())
    for file in (machine.folder / "usage").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_a_count_never_goes_down_and_no_row_is_taken_out(tmp_path: Path) -> None:
    month = Month(tmp_path, "2026-11")
    month.add({Key("2026-11-01", "acme", "", "a"): {"requests": 2}})
    month.close()
    file = sqlite3.connect(tmp_path / "2026-11.sqlite")
    for change in ("UPDATE used SET requests = 1", "DELETE FROM used"):
        with pytest.raises(sqlite3.IntegrityError, match="a count"):
            file.execute(change)


@pytest.mark.parametrize("trouble", ["no folder", "a file", "no database"])
def test_what_cannot_be_counted_does_not_begin(machine: Machine, trouble: str) -> None:
    folder = machine.folder / "usage"
    words = "No such file or directory"
    if trouble == "no database":
        (folder / f"{datetime.now(timezone.utc):%Y-%m}.sqlite").write_text("something else, and long enough" * 100)
        words = "file is not a database"
    else:
        folder.rmdir()
        if trouble == "a file":
            folder.write_text("")
            words = "Not a directory"
    for action in (SERVE, TRAIN):
        answer = plugin.tunesmith_authorize(action)
        assert isinstance(answer, Deny)
        assert answer.reason == f"use cannot be counted in {folder}: {words}"
        assert "a disk of this machine" in answer.fix[0]
    assert isinstance(plugin.tunesmith_authorize(Action(name="open", subject="a")), Allow)


def test_after_the_term_a_count_that_is_there_goes_on_and_a_new_one_is_not_begun(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.expire()
    answer = plugin.tunesmith_authorize(SERVE)
    assert isinstance(answer, Deny)
    assert "the license has ended, and the count of use in" in answer.reason
    Month(machine.folder / "usage", "2026-10").close()
    monkeypatch.setattr(hooks, "_governing", None)
    assert isinstance(plugin.tunesmith_authorize(SERVE), Allow)


@pytest.mark.parametrize("harm", HARM)
def test_what_has_begun_is_counted_whatever_becomes_of_the_license(machine: Machine, harm: str) -> None:
    plugin.tunesmith_authorize(SERVE)
    HARM[harm](machine)
    plugin.tunesmith_request_ending(served())
    assert counted(machine.folder / "usage")[("acme",)]["requests"] == 1


def test_what_cannot_be_written_is_kept_told_once_and_written_later(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plugin.tunesmith_authorize(SERVE)
    plugin.tunesmith_request_ending(served())
    with monkeypatch.context() as full:

        def no(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        full.setattr(Month, "add", no)
        for tenant in ("acme", "acme", "other"):
            plugin.tunesmith_request_ending(served(tenant))
    errors = [one.getMessage() for one in caplog.records if one.name == "tunesmith.enterprise.usage"]
    assert len(errors) == 1
    assert "database or disk is full; the work goes on" in errors[0]
    plugin.tunesmith_request_ending(served())
    found = counted(machine.folder / "usage")
    assert (found[("acme",)]["requests"], found[("other",)]["requests"]) == (4, 1)


def test_a_month_that_ends_takes_nothing_of_the_next(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=timezone.utc)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return now

    monkeypatch.setattr(metering, "datetime", Clock)
    plugin.tunesmith_authorize(SERVE)
    plugin.tunesmith_request_ending(served())
    now = datetime(2026, 12, 1, tzinfo=timezone.utc)
    plugin.tunesmith_request_ending(served())
    plugin.tunesmith_request_ending(served())
    folder = machine.folder / "usage"
    assert months(folder) == ["2026-11", "2026-12"]
    assert [summed(folder, month, ["day"])[0] for month in months(folder)] == [
        (
            ("2026-11-30",),
            {**_nothing(), "requests": 1, "prompt_tokens": 12, "cached_tokens": 8, "completion_tokens": 5},
        ),
        (
            ("2026-12-01",),
            {**_nothing(), "requests": 2, "prompt_tokens": 24, "cached_tokens": 16, "completion_tokens": 10},
        ),
    ]


def test_no_request_waits_long_for_another_process_at_the_turn_of_a_month(tmp_path: Path) -> None:
    counting = metering.Metering()
    assert counting.begin(SERVE, tmp_path, Granted(None, "", [])) is None
    for file in tmp_path.iterdir():
        file.unlink()
    counting.stop()
    counting._folder = tmp_path
    with closing(sqlite3.connect(tmp_path / f"{datetime.now(timezone.utc):%Y-%m}.sqlite")) as other:
        other.execute("CREATE TABLE theirs (a)")
        other.execute("BEGIN EXCLUSIVE")
        begin = time.monotonic()
        counting.request_ending(served())
        assert time.monotonic() - begin < 2
    counting.request_ending(served())
    assert counted(tmp_path)[("acme",)]["requests"] == 2


def _nothing() -> dict[str, int]:
    from tunesmith_enterprise.governance.metering.store import COUNTS

    return dict.fromkeys(COUNTS, 0)


def test_the_log_of_the_file_is_tidied_beside_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith_enterprise.governance.metering import store

    monkeypatch.setattr(store, "_TIDY", 10)
    month = Month(tmp_path, "2026-11")
    for number in range(400):
        month.add({Key("2026-11-01", "acme", f"c{number % 7}", "a"): {"requests": 1}})
        for thread in threading.enumerate():
            if thread.name == "usage-count":
                thread.join()
    assert (tmp_path / "2026-11.sqlite-wal").stat().st_size < 200 * 4096
    month.close()
    assert [one.counts["requests"] for one in summed(tmp_path, "2026-11", [])] == [400]


COUNT = """\
import os, sys
from pathlib import Path
from tunesmith.plugin import RequestEnding
from tunesmith_enterprise.governance.granting import Granted
from tunesmith_enterprise.governance.metering.metering import Metering
from tunesmith.plugin import Action
metering = Metering()
no = metering.begin(Action(name="serve", subject="a"), Path(sys.argv[1]), Granted(None, "", []))
assert no is None, no
event = RequestEnding(id="r", method="POST", route="/", status=200, seconds=0.1, tenant="acme", model="a",
                      completion_tokens=3)
for number in range(int(sys.argv[2])):
    metering.request_ending(event)
    os.write(1, b".")
"""
"""A process that counts, and says so after each: as a server sends the last byte when the request is counted."""


def test_several_processes_that_are_killed_have_counted_every_answer_that_went_out_and_none_twice(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        running = [stack.enter_context(_counting(tmp_path, 10_000_000)) for _ in range(3)]
        outs = [process.stdout for process in running if process.stdout is not None]
        told = sum(len(out.read(300)) for out in outs)
        for process in running:
            process.send_signal(signal.SIGKILL)
        told += sum(len(out.read()) for out in outs)
    (found,) = [one.counts for month in months(tmp_path) for one in summed(tmp_path, month, [])]
    # Between the count and the byte that says so lies one request at most, of each process.
    assert told <= found["requests"] <= told + len(running)
    assert found["completion_tokens"] == 3 * found["requests"]
    with _counting(tmp_path, 5) as again:
        assert again.stdout is not None
        assert len(again.stdout.read()) == 5
    assert counted(tmp_path)[("acme",)]["requests"] == found["requests"] + 5


def _counting(folder: Path, times: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", COUNT, str(folder), str(times)], stdout=subprocess.PIPE)


def test_a_process_that_was_forked_off_counts_for_itself(machine: Machine) -> None:
    plugin.tunesmith_authorize(SERVE)
    plugin.tunesmith_request_ending(served())
    child = os.fork()
    if child == 0:
        try:
            plugin.tunesmith_request_ending(served())
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    plugin.tunesmith_request_ending(served())
    assert counted(machine.folder / "usage")[("acme",)]["requests"] == 3
