# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Runs are removed by the rules of the policy, whole, on record, and never while somebody works on or holds them."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from licensed import Machine, a_machine

from tunesmith.data.cache import cache_entries, making_entry, publish
from tunesmith.errors import OutputError, RunError
from tunesmith.runs.lock import hold
from tunesmith_cli.main import main
from tunesmith_enterprise.governance.retention import commands, removing
from tunesmith_enterprise.governance.retention.removing import remove_run

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
HEAD = 'version = 1\ncontact = "ml-platform@example.com"\ndefault = "allow"\n'
OLD = 'status = ["failed", "killed"]\nolder_than_days = 14\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = a_machine(tmp_path, monkeypatch)
    monkeypatch.setattr(commands, "_now", lambda: NOW)
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "runs").mkdir()
    return machine


def governed(machine: Machine, *rules: str, more: str = "", pinned: list[str] | None = None) -> None:
    runs = (machine.folder / "runs").as_posix()
    retention = f'[retention]\nfolders = ["{runs}"]\npinned = {json.dumps(pinned or [])}\n'
    listed = "".join(f"[[retention.rules]]\n{rule}" for rule in rules)
    file = machine.folder / "policy.toml"
    file.write_text(HEAD + retention + listed + more)
    machine.settings(
        f'[plugins.enterprise]\npolicy = "{file.as_posix()}"\naudit_log = "{machine.log.path.as_posix()}"\n'
    )


def a_run(machine: Machine, name: str, days: float, status: str = "finished", **more: Any) -> Path:
    """A run that ended so many days ago."""
    run = machine.folder / "runs" / name
    (run / "model").mkdir(parents=True)
    (run / "model" / "model.safetensors").write_bytes(b"weights" * 100)
    at = (NOW - timedelta(days=days)).isoformat(timespec="seconds")
    ended = at if status == "finished" else None
    manifest = {"format": 1, "status": status, "created": at, "finished": ended, "task": "chat", "method": "full"}
    model = {"model": {"name": "tunesmith/tiny"}}
    (run / "run.json").write_text(json.dumps(manifest | model | more))
    return run


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["retention", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out + told.err


def planned(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The names of the runs that would go, and why."""
    found = json.loads(said(capsys, "plan", "--json")[1])
    return {Path(one["run"]).name: one["why"] for one in found["runs"] if one["remove"]}


def test_rules_by_status_and_age(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, OLD, "older_than_days = 365\n")
    a_run(machine, "young", 13, "failed")
    a_run(machine, "old", 15, "failed")
    a_run(machine, "good", 364)
    a_run(machine, "ancient", 366)
    assert planned(capsys) == {
        "old": "rule 1: failed, 15 days old, more than 14",
        "ancient": "rule 2: finished, 366 days old, more than 365",
    }
    _, told = said(capsys, "plan")
    assert f"keep   {machine.folder}/runs/young: no rule removes it" in told
    assert "2 of 4 runs would be removed" in told


def test_the_newest_of_each_folder_are_kept(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, 'status = ["finished"]\nkeep = 2\n')
    for number in range(4):
        a_run(machine, f"a/{number}", 10 - number)
    a_run(machine, "a/failed", 1, "failed")  # not counted among them
    a_run(machine, "b/only", 100)
    assert planned(capsys) == {
        name: f"rule 1: finished, {place} such runs in {machine.folder}/runs/a are as new, 2 are kept"
        for name, place in (("0", 4), ("1", 3))
    }


def test_a_rule_with_number_and_age_needs_both(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, "keep = 1\nolder_than_days = 5\n")
    for days in (1, 3, 9):
        a_run(machine, f"of-{days}", days)
    assert set(planned(capsys)) == {"of-9"}


def test_what_is_pinned_held_or_worked_on_stays_and_it_is_told_why(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    governed(machine, "older_than_days = 1\n", pinned=[f"{machine.folder}/runs/release-*"])
    a_run(machine, "release-1", 99)
    (a_run(machine, "case", 99) / "hold").write_text("case 12/2026")
    a_run(machine, "project/inner", 99)
    (machine.folder / "runs/project/hold").touch()
    a_run(machine, "running", 99, "running", environment={})
    (machine.folder / "runs/running/run.lock").write_text(json.dumps({"pid": 1, "host": "another-host"}))
    damaged = a_run(machine, "damaged", 99)
    (damaged / "run.json").write_text("{")
    locked = a_run(machine, "locked", 99)
    with hold(locked / "run.lock"):
        assert planned(capsys) == {}
        _, told = said(capsys, "plan")
    for words in (
        f"release-1: pinned: {machine.folder}/runs/release-*",
        f"case: {machine.folder}/runs/case/hold holds it",
        f"inner: {machine.folder}/runs/project/hold holds it",
        "running: a process works on it",
        "locked: a process works on it",
        "damaged: it cannot be read, so nothing is known of it",
    ):
        assert words in told


@pytest.mark.parametrize("why", ["held", "pinned", "in use"])
def test_a_run_stays_for_the_sake_of_one_inside_of_it(
    machine: Machine, capsys: pytest.CaptureFixture[str], why: str
) -> None:
    inner = machine.folder / "runs/search/trials/3"
    governed(machine, "older_than_days = 1\n", pinned=[str(inner)] if why == "pinned" else [])
    outer, trial = a_run(machine, "search", 99), a_run(machine, "search/trials/3", 99)
    (trial / "run.lock").touch()
    assert set(planned(capsys)) == (set() if why == "pinned" else {"search"})
    if why == "held":
        (trial / "hold").touch()
    with hold(trial / "run.lock") if why == "in use" else nullcontext():
        assert planned(capsys) == {}
        if why != "pinned":
            with pytest.raises(RunError, match="is held and stays" if why == "held" else "is in use"):
                remove_run(outer, "a test")
    assert trial.is_dir()


def test_what_was_killed_is_not_running(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, OLD)
    run = a_run(machine, "killed", 20, "running")
    (run / "run.lock").write_text("")
    assert set(planned(capsys)) == {"killed"}


def test_apply_removes_whole_runs_and_writes_down_which(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, OLD)
    old, young = a_run(machine, "old", 15, "failed"), a_run(machine, "young", 1, "failed")
    code, told = said(capsys, "apply")
    assert code == 0
    assert f"removed {old}: rule 1: failed, 15 days old, more than 14" in told
    assert os.listdir(machine.folder / "runs") == ["young"]
    assert young.is_dir()
    assert machine.events == ["run-removing", "run-removed"]
    before, after = machine.log.read()
    assert before.fields["run"] == after.fields["run"] == str(old)
    assert before.fields["reason"] == "rule 1: failed, 15 days old, more than 14"
    assert len(before.fields["manifest_sha256"]) == 64
    assert list(before.fields["by"]) == ["user", "host", "pid"]
    assert machine.log.verify() is None
    assert machine.asked == ["governance"]
    assert said(capsys, "apply")[1].startswith("0 runs removed")


def test_what_cannot_be_written_down_is_not_removed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, OLD)
    old = a_run(machine, "old", 15, "failed")
    machine.log.path.write_text("something else\n")
    code, told = said(capsys, "apply")
    assert code == 1
    assert f"not removed {old}: " in told
    assert "does not end as a chained log does" in told
    assert (old / "model" / "model.safetensors").is_file()


def test_a_removal_that_is_interrupted_leaves_no_half_run_and_is_finished_by_the_next(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    governed(machine, OLD)
    old = a_run(machine, "deep/old", 15, "failed")
    with monkeypatch.context() as killed:
        killed.setattr(removing.shutil, "rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove_run(old, "a test")
    assert not old.exists()
    (left,) = (machine.folder / "runs/deep").iterdir()
    assert left.name.startswith(".removed-old-")
    assert (left / "model" / "model.safetensors").is_file()  # renamed whole
    assert planned(capsys) == {}
    code, told = said(capsys, "apply")
    assert code == 0
    assert f"finished what was interrupted: {left}" in told
    assert not left.exists()
    assert machine.events == ["run-removing", "run-removed"]


def test_a_run_that_somebody_begins_to_work_on_meanwhile_is_not_touched(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    governed(machine, OLD)
    old = a_run(machine, "old", 15, "failed")
    with hold(old / "run.lock"), pytest.raises(RunError, match="is in use"):
        remove_run(old, "a test")
    assert old.is_dir()
    assert machine.events == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_what_may_not_be_removed_stays_whole(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    governed(machine, OLD)
    old = a_run(machine, "old", 15, "failed")
    old.parent.chmod(0o500)
    try:
        assert said(capsys, "apply")[0] == 1
        assert (old / "run.json").is_file()
    finally:
        old.parent.chmod(0o700)


def test_a_run_can_be_removed_from_within(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    governed(machine, OLD)
    old = a_run(machine, "old", 15, "failed")
    monkeypatch.chdir(old)
    remove_run(Path(), "a test")
    assert list(old.parent.iterdir()) == []
    assert machine.events == ["run-removing", "run-removed"]


def test_a_disk_that_refuses_is_told_in_words(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    governed(machine, OLD)
    old = a_run(machine, "old", 15, "failed")

    def no(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(removing.os, "rename", no)
    with pytest.raises(OutputError, match="cannot be removed") as caught:
        remove_run(old, "a test")
    assert "Read-only file system" in str(caught.value)
    assert old.is_dir()


def test_delete_takes_one_run_with_what_was_kept_of_its_rows(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    governed(machine, OLD)
    for kind, key in (("items", "ab" * 32), ("items", "cd" * 32), ("compiled", "ef" * 32)):
        with making_entry(kind, key) as folder:
            assert folder is not None
            (folder / "part").write_text("rows")
            publish(folder, {})
    run = a_run(machine, "one", 0.5, cache=[f"items/{'ab' * 32}", f"compiled/{'ef' * 32}"])
    code, told = said(capsys, "delete", run, "--reason", "the customer asked for it")
    assert code == 0
    assert f"removed {run}" in told
    assert "removed 1 entry of the cache" in told
    assert {entry.key[:2] for entry in cache_entries()} == {"cd", "ef"}
    assert next(iter(machine.log.read())).fields["reason"] == "the customer asked for it"
    assert not run.exists()


def test_a_run_of_before_says_nothing_of_its_rows_and_people_are_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    governed(machine, OLD)
    _, told = said(capsys, "delete", a_run(machine, "one", 0.5), "--reason", "old")
    assert "`tunesmith cache clear` removes all that is kept" in told


@pytest.mark.parametrize("trouble", ["held", "link", "no run", "no reason", "locked"])
def test_what_delete_refuses(machine: Machine, capsys: pytest.CaptureFixture[str], trouble: str) -> None:
    governed(machine, OLD)
    run, reason, words = a_run(machine, "one", 0.5), "why", ""
    named = run
    if trouble == "held":
        (run.parent / "hold").touch()
        words = "is held and stays"
    elif trouble == "link":
        named = machine.folder / "link"
        named.symlink_to(run)
        words = "is a link to a run"
    elif trouble == "no run":
        (run / "run.json").unlink()
        words = "is not a run"
    elif trouble == "no reason":
        reason, words = " ", "no reason is given"
    else:
        words = "is in use"
        with hold(run / "run.lock"):
            code, told = said(capsys, "delete", named, "--reason", reason)
    if trouble != "locked":
        code, told = said(capsys, "delete", named, "--reason", reason)
    assert code != 0
    assert words in told
    assert run.is_dir()
    assert machine.events == []


def test_only_admins_remove_runs_where_there_are_roles(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    from tunesmith_enterprise.governance.who import account

    me = account().name
    run = a_run(machine, "old", 15, "failed")
    governed(machine, OLD, more=f'[roles.operator]\nusers = ["{me}"]\n')
    for arguments in (("apply",), ("delete", run, "--reason", "x")):
        code, told = said(capsys, *arguments)
        assert code != 0
        assert "does not allow the action retention (roles.admin)" in told
        assert "ask ml-platform@example.com" in told
    assert machine.events == ["refused", "refused"]
    assert set(planned(capsys)) == {"old"}  # anybody may look
    governed(machine, OLD, more=f'[roles.admin]\nusers = ["{me}"]\n')
    assert said(capsys, "apply")[0] == 0


def test_without_a_license_nothing_is_removed_and_after_the_term_the_rules_go_on(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    governed(machine, OLD)
    run = a_run(machine, "old", 15, "failed")
    license_ = machine.license_file.read_text()
    machine.delete()
    code, told = said(capsys, "apply")
    assert code == 22
    assert "the feature governance needs a license, and none was found" in told
    assert run.is_dir()
    machine.license_file.write_text(license_)
    machine.expire()
    assert said(capsys, "apply")[0] == 0
    assert not run.exists()


def test_without_rules_nothing_is_planned(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.settings("")
    code, told = said(capsys, "plan")
    assert code != 0
    assert "the settings name no policy, and so no rules of retention" in told
    draft = machine.folder / "draft.toml"
    draft.write_text(HEAD)
    code, told = said(capsys, "plan", "--policy", draft)
    assert code != 0
    assert "has no rules of retention" in told


def test_folders_that_are_not_there_and_runs_in_two_of_them_are_no_trouble(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    governed(machine, OLD)
    a_run(machine, "a/old", 15, "failed")
    runs = machine.folder / "runs"
    file = machine.folder / "policy.toml"
    file.write_text(file.read_text().replace(f'["{runs}"]', f'["{runs}", "{runs}/a", "/nowhere/at/all"]'))
    assert set(planned(capsys)) == {"old"}
    shutil.rmtree(runs)
    assert planned(capsys) == {}
