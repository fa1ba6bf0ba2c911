# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The audit log: what is written when, whom the license is asked of, and what happens when the disk is full."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, NOW
from licensed import HARM, Machine, a_machine

import tunesmith_enterprise
from tunesmith.plugin import ACTIONS, Action, Allow, Deny, RequestServed, RunFinished
from tunesmith_enterprise import plugin
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.governance import hooks

RECIPE = {"task": "chat", "model": {"name": "llama"}, "method": {"name": "lora"}, "data": {"train": ["a.csv", "b.csv"]}}
TRAIN = Action(name="train", subject="runs/1", details={"recipe": RECIPE, "resume": False, "allowed": {}})
FINISHED = RunFinished(run="runs/1", status="finished", steps=8, metrics={}, seconds=2.0)
SERVED = RequestServed(
    id="r1",
    method="POST",
    route="/v1/chat/completions",
    status=200,
    seconds=0.5,
    caller="ana",
    prompt_tokens=12,
    completion_tokens=5,
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


def resumed(answer: object) -> Action:
    """The same run once more, with what was recorded."""
    assert isinstance(answer, Allow)
    allowed = {"enterprise": answer.record, "other": {"ticket": 1}}
    return Action(name="train", subject="runs/1", details={"recipe": RECIPE, "resume": True, "allowed": allowed})


def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_governing", None)


def test_without_the_setting_nothing_is_asked_written_or_said(machine: Machine) -> None:
    machine.settings("[plugins.other]\nx = 1\n")
    assert plugin.tunesmith_authorize(TRAIN) is None
    plugin.tunesmith_run_finished(FINISHED)
    plugin.tunesmith_request_served(SERVED)
    assert machine.asked == []
    assert not machine.log.path.exists()


def test_without_the_setting_nothing_heavy_is_imported(machine: Machine) -> None:
    machine.settings("")
    code = (
        "import sys\n"
        "from tunesmith.plugin import Action\n"
        "from tunesmith_enterprise import plugin\n"
        "list(plugin.tunesmith_commands())\n"
        "print(plugin.tunesmith_authorize(Action(name='train', subject='x')))\n"
        "print([name for name in sys.modules if name.startswith(('tunesmith_enterprise.entitlement', 'cryptography', "
        "'typer', 'tunesmith.licensing', 'tunesmith_enterprise.governance.auditing'))])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "None\n[]\n"


def test_a_project_has_no_say_in_where_the_log_is(machine: Machine) -> None:
    machine.settings("")
    (machine.folder / "tunesmith.toml").write_text('[plugins.enterprise]\naudit_log = "/elsewhere/audit.jsonl"\n')
    assert plugin.tunesmith_authorize(TRAIN) is None


@pytest.mark.parametrize("given", ["'audit.jsonl'", "true", "['/a']"])
def test_a_log_that_is_no_absolute_path_keeps_work_from_beginning(machine: Machine, given: str) -> None:
    machine.settings(f"[plugins.enterprise]\naudit_log = {given}\n")
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Deny)
    assert answer.reason.startswith("audit_log of [plugins.enterprise] in the settings is no absolute path: ")
    assert "correct it in the tunesmith.toml" in answer.fix[0]
    assert machine.asked == []


@pytest.mark.parametrize("key", ["audit-log", "auditlog", "Audit_log", "audit_logs"])
def test_a_misspelled_setting_is_not_taken_for_none(machine: Machine, key: str) -> None:
    machine.settings(f'[plugins.enterprise]\n{key} = "/var/log/audit.jsonl"\n')
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Deny)
    assert answer.reason == (
        f"[plugins.enterprise] of the settings has a key that nobody reads: {key}; expected audit_log"
    )
    machine.settings('[plugins.enterprise]\nlicense_server = "https://licenses.example"\ndomain = "a.example"\n')
    assert plugin.tunesmith_authorize(TRAIN) is None


def test_an_action_is_in_the_log_before_it_begins_and_its_grant_in_the_answer(machine: Machine) -> None:
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Allow)
    (recorded,) = answer.record["grants"]
    grant = Grant.from_json(recorded)
    assert (grant.feature, grant.effect, grant.state) == ("governance", "full", "valid")
    assert machine.asked == ["governance"]
    (record,) = machine.log.read()
    assert record.event == "train"
    fields = dict(record.fields)
    assert len(fields.pop("recipe_sha256")) == 64
    assert list(fields["by"]) == ["user", "host", "pid"]
    assert fields.pop("by")["pid"] == os.getpid()
    assert fields == {
        "subject": "runs/1",
        "task": "chat",
        "model": "llama",
        "method": "lora",
        "data": ["a.csv", "b.csv"],
        "resume": False,
        "grant": {
            "state": "valid",
            "effect": "full",
            "basis": [{"id": "lic-1", "serial": 1}],
            "how": "asked for now",
        },
    }


@pytest.mark.parametrize("name", [*ACTIONS, "something-new"])
def test_every_action_is_written_and_asked_for_once(machine: Machine, name: str) -> None:
    assert isinstance(plugin.tunesmith_authorize(Action(name=name, subject="a-model")), Allow)
    assert machine.events == [name]
    assert machine.asked == ["governance"]


def test_what_a_server_is_started_with_is_written(machine: Machine) -> None:
    details = {"host": "127.0.0.1", "port": 8000, "models": ["a", "b"], "event": "x", "grant": "y", "self": "z"}
    plugin.tunesmith_authorize(Action(name="serve", subject="a, b", details=details))
    (record,) = machine.log.read()
    assert record.event == "serve"
    assert (record.fields["host"], record.fields["port"], record.fields["models"]) == ("127.0.0.1", 8000, ["a", "b"])
    assert record.fields["grant"]["state"] == "valid"


def test_a_model_that_is_opened_within_something_else_is_not_asked_for(machine: Machine) -> None:
    for name in ("evaluate", "open", "open"):
        plugin.tunesmith_authorize(Action(name=name, subject="a-model"))
    assert machine.events == ["evaluate", "open", "open"]
    assert machine.asked == ["governance"]


def test_what_is_told_afterwards_is_written_without_any_text_of_it(machine: Machine) -> None:
    plugin.tunesmith_authorize(TRAIN)
    plugin.tunesmith_run_finished(FINISHED)
    plugin.tunesmith_request_served(SERVED)
    _, finished, served = machine.log.read()
    assert (finished.event, finished.fields) == (
        "run-finished",
        {"run": "runs/1", "status": "finished", "steps": 8, "seconds": 2.0},
    )
    assert served.event == "request-served"
    assert served.fields["route"] == "/v1/chat/completions"
    assert (served.fields["caller"], served.fields["prompt_tokens"], served.fields["completion_tokens"]) == (
        "ana",
        12,
        5,
    )
    assert machine.log.verify() is None


def test_long_lists_are_counted_not_written_whole(machine: Machine) -> None:
    data = [f"folder/{number}.csv" for number in range(70_000)]
    plugin.tunesmith_authorize(Action(name="evaluate", subject="x" * 100_000, details={"data": data}))
    (record,) = machine.log.read()
    assert len(record.fields["data"]) == 50
    assert record.fields["data_count"] == 70_000
    assert len(record.fields["subject"]) == 1000


@pytest.mark.parametrize("harm", ["deleted", "corrupted", "revoked"])
def test_without_a_license_work_does_not_begin_and_is_told_why(machine: Machine, harm: str) -> None:
    HARM[harm](machine)
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Deny)
    words = {
        "deleted": "the feature governance needs a license, and none was found",
        "corrupted": "the feature governance is not licensed: nothing that was found is a license that can be used",
        "revoked": "the feature governance is not licensed here any more: lic-1 (serial 1",
    }
    assert answer.reason.startswith(words[harm])
    assert answer.reason.endswith("; the settings ask for an audit log")
    assert any("`tunesmith license " in line for line in answer.fix)
    assert answer.fix[-1] == "or ask whoever set audit_log in [plugins.enterprise] of tunesmith.toml"
    assert machine.events == []
    if machine.license_file.exists():  # none of its text is told
        lines = machine.license_file.read_text().splitlines()
        assert not [line for line in lines if line.strip("-") in f"{answer}"]


@pytest.mark.parametrize("harm", ["deleted", "corrupted", "revoked"])
def test_without_a_license_people_still_come_to_what_they_made(machine: Machine, harm: str) -> None:
    HARM[harm](machine)
    for name in ("open", "export"):
        assert plugin.tunesmith_authorize(Action(name=name, subject="runs/1")) == Allow(record={"grants": []})
    assert [record.fields["grant"]["state"] for record in machine.log.read()] == ["none", "none"]
    assert all(record.fields["grant"]["how"].startswith("none: ") for record in machine.log.read())
    for name in ("train", "evaluate", "serve"):
        assert isinstance(plugin.tunesmith_authorize(Action(name=name, subject="runs/1")), Deny)


@pytest.mark.parametrize("harm", HARM)
def test_a_run_is_resumed_on_the_grant_of_its_start_and_nobody_is_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    first = plugin.tunesmith_authorize(TRAIN)
    HARM[harm](machine)
    another_process(monkeypatch)
    again = plugin.tunesmith_authorize(resumed(first))
    assert isinstance(first, Allow)
    assert isinstance(again, Allow)
    assert again.record == first.record
    assert machine.asked == ["governance"]
    assert [record.fields["grant"]["how"] for record in machine.log.read()] == [
        "asked for now",
        "of the start of the run",
    ]


@pytest.mark.parametrize(
    "record",
    [None, [], {}, {"grants": 1}, {"grants": [1, None, {}]}, {"grants": [{"feature": "governance"}]}],
)
def test_a_manifest_that_says_something_else_is_as_one_that_says_nothing(machine: Machine, record: Any) -> None:
    details = {"recipe": RECIPE, "resume": True, "allowed": {"enterprise": record}}
    answer = plugin.tunesmith_authorize(Action(name="train", subject="runs/1", details=details))
    assert isinstance(answer, Allow)
    assert machine.asked == ["governance"]


def test_grants_of_other_features_stay_in_the_record(machine: Machine) -> None:
    other = tunesmith_enterprise.require("distributed", processes=2).to_json()
    details = {"recipe": RECIPE, "resume": True, "allowed": {"enterprise": {"grants": [other]}}}
    answer = plugin.tunesmith_authorize(Action(name="train", subject="runs/1", details=details))
    assert isinstance(answer, Allow)
    assert [grant["feature"] for grant in answer.record["grants"]] == ["distributed", "governance"]
    assert machine.asked == ["distributed", "governance"]


@pytest.mark.parametrize("harm", HARM)
def test_a_process_that_was_granted_it_goes_on_with_its_next_run(machine: Machine, harm: str) -> None:
    plugin.tunesmith_authorize(TRAIN)
    HARM[harm](machine)
    assert isinstance(plugin.tunesmith_authorize(TRAIN), Allow)
    hows = [record.fields["grant"]["how"] for record in machine.log.read()]
    assert hows[1] == ("asked for now" if harm == "expired" else "of what this process did before")


def test_after_the_term_a_log_that_is_there_goes_on_and_a_new_one_is_not_begun(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.expire()
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Deny)
    assert "the license has ended, and the audit log" in answer.reason
    assert "would be a new one" in answer.reason
    assert "ask the vendor for a renewal" in answer.fix[0]

    machine.now = NOW
    plugin.tunesmith_authorize(TRAIN)
    machine.expire()
    another_process(monkeypatch)
    assert isinstance(plugin.tunesmith_authorize(TRAIN), Allow)
    assert list(machine.log.read())[-1].fields["grant"]["effect"] == "kept"


def test_what_the_grant_says_to_people_is_said_once(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.now = NOW + 330 * DAY
    for _ in range(3):
        plugin.tunesmith_authorize(TRAIN)
    said = [record.getMessage() for record in caplog.records if record.name == "tunesmith.enterprise.audit"]
    assert len([text for text in said if "lic-1" in text]) == 1


@pytest.mark.parametrize("trouble", ["no folder", "read-only", "foreign", "full"])
def test_a_log_that_cannot_be_written_keeps_work_from_beginning(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    words = "No such file or directory"
    if trouble == "no folder":
        machine.settings(f'[plugins.enterprise]\naudit_log = "{(machine.folder / "none/audit.jsonl").as_posix()}"\n')
    elif trouble == "read-only":
        really = os.open

        def read_only(path: Any, *args: Any) -> int:
            if path == machine.log.path:
                raise OSError(errno.EROFS, "Read-only")
            return really(path, *args)

        monkeypatch.setattr(os, "open", read_only)
        words = "Read-only"
    elif trouble == "full":
        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        words = "No space left"
    else:
        machine.log.path.write_text("something else\n")
        words = "does not end as a chained log does"
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Deny)
    assert words in answer.reason
    assert str(machine.folder) in answer.reason
    assert "or ask whoever set audit_log" in answer.fix[-1]


def test_a_folder_of_the_log_that_is_not_there_is_told_with_what_to_do(machine: Machine) -> None:
    machine.settings(f'[plugins.enterprise]\naudit_log = "{machine.folder / "none" / "audit.jsonl"}"\n')
    answer = plugin.tunesmith_authorize(TRAIN)
    assert isinstance(answer, Deny)
    assert answer.fix[0] == f"make its folder: mkdir -p {machine.folder / 'none'}"


def test_a_disk_that_is_full_later_is_told_once_and_what_was_lost_is_counted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plugin.tunesmith_authorize(TRAIN)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        for _ in range(3):
            plugin.tunesmith_request_served(SERVED)
        plugin.tunesmith_run_finished(FINISHED)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "cannot be written: No space left; the work goes on" in errors[0]
    plugin.tunesmith_run_finished(FINISHED)
    assert machine.events == ["train", "lost", "run-finished"]
    assert list(machine.log.read())[1].fields == {"records": 4}


def test_the_setting_may_be_taken_out_while_a_process_lives(machine: Machine) -> None:
    plugin.tunesmith_authorize(TRAIN)
    machine.settings("")
    assert plugin.tunesmith_authorize(TRAIN) is None
    plugin.tunesmith_run_finished(FINISHED)
    assert machine.events == ["train"]
