# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The settings of priority, and the license that it asks for once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from licensed import HARM, Machine

from tunesmith.engine.scheduling import find_scheduler
from tunesmith.errors import SettingsError
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.priority.licensed import REMEMBERED
from tunesmith_enterprise.priority.plan import priority_plan, read_plan
from tunesmith_enterprise.priority.scheduler import Priority

GOOD = """
[plugins.enterprise.priority]
default_class = "batch"
others = "refuse"

[plugins.enterprise.priority.classes.interactive]
rank = 0
may_preempt = true
deadline_seconds = 30

[plugins.enterprise.priority.classes.batch]
rank = 1
weight = 2
min_share = 0.1

[plugins.enterprise.priority.tenants.acme]
concurrency = 4
tokens_per_minute = 60000
classes = ["batch"]
"""
CLASSES: dict[str, Any] = {"top": {"rank": 0}, "low": {"rank": 1}}


def test_what_the_machine_says_is_the_plan(machine: Machine) -> None:
    machine.settings(GOOD)
    plan = priority_plan()
    assert list(plan.classes) == ["interactive", "batch"]
    assert (plan.classes["batch"].weight, plan.classes["interactive"].deadline_seconds) == (2.0, 30.0)
    assert (plan.others, plan.tenants["acme"].concurrency) == ("refuse", 4)
    assert plan.class_of(plan.tenants["acme"], None) == "batch"


def test_a_file_may_hold_it(machine: Machine) -> None:
    file = machine.folder / "priority.toml"
    file.write_text(GOOD.replace("plugins.enterprise.priority.", "").replace("[plugins.enterprise.priority]", ""))
    machine.settings(f'[plugins.enterprise.priority]\nfile = "{file.as_posix()}"\n')
    assert list(priority_plan().tenants) == ["acme"]
    file.write_text("[classes")
    with pytest.raises(SettingsError, match=r"priority\.toml: the file cannot be read"):
        priority_plan()
    machine.settings('[plugins.enterprise.priority]\nfile = "priority.toml"\n')
    with pytest.raises(SettingsError, match="its absolute path is all that stands there"):
        priority_plan()


def test_the_projects_settings_have_no_say(machine: Machine) -> None:
    (machine.folder / "tunesmith.toml").write_text(GOOD)
    machine.settings("")
    with pytest.raises(SettingsError, match="there is none, and enterprise/priority needs one"):
        priority_plan()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "classes: field required"),
        ({"classes": {}}, "classes: dictionary should have at least 1 item"),
        ({"classes": CLASSES, "tenant": {}}, "tenant: extra inputs are not permitted"),
        ({"classes": {"top": {"wieght": 2}}}, "classes.top.wieght: extra inputs"),
        ({"classes": {"top": {"weight": 0}}}, "classes.top.weight: input should be greater than 0"),
        ({"classes": {"top": {"rank": True}}}, "classes.top.rank: input should be a valid integer"),
        ({"classes": {"top": {"deadline_seconds": -1}}}, "classes.top.deadline_seconds: input should be greater than"),
        ({"classes": {"top": {"behind_share": 0.5}}}, "classes.top: behind_share below 1 makes others pause"),
        ({"classes": {"a b": {}}}, "a name has 1 to 64 letters"),
        ({"classes": {"auto": {}}}, "a class cannot be called auto"),
        ({"classes": {"a": {"min_share": 0.5}, "b": {"min_share": 0.5}}}, "together is more than 0.9"),
        ({"classes": CLASSES, "default_class": "gold"}, "default_class names a class that there is not: gold"),
        ({"classes": CLASSES, "tenants": {"a": {"classes": ["gold"]}}}, "tenants.a.classes names a class that there"),
        (
            {"classes": CLASSES, "others": {"default_class": "x"}},
            "others.default_class names a class that there is not",
        ),
        (
            {"classes": CLASSES, "default_class": "top", "tenants": {"a": {"classes": ["low"]}}},
            "tenants.a may not use its usual class, top",
        ),
        ({"classes": CLASSES, "tenants": {"a": {"concurrency": 0}}}, "tenants.a.concurrency: input should be greater"),
        ({"classes": CLASSES, "others": "forget"}, "others"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(table: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_plan(table)
    assert words in caught.value.what
    assert caught.value.what.startswith("[plugins.enterprise.priority] of the settings: ")
    assert caught.value.fix


def test_a_tenant_without_a_word_has_the_first_class_that_it_may_use() -> None:
    plan = read_plan({"classes": CLASSES, "tenants": {"a": {"classes": ["low"]}, "b": {}}})
    assert [plan.class_of(plan.tenants[name], None) for name in ("a", "b")] == ["low", "top"]


# ---- the license -----------------------------------------------------------------------------------------------------


def test_it_is_asked_for_once_when_the_server_starts(machine: Machine) -> None:
    machine.settings(GOOD)
    scheduler = find_scheduler("enterprise/priority")
    assert scheduler.classes == ("interactive", "batch")
    assert isinstance(scheduler, Priority)
    scheduler.queue("model", slots=2, waiting=8).check(_origin(), "", [])
    assert scheduler.measures()
    assert machine.asked == ["priority"]


@pytest.mark.parametrize("harm", [name for name in HARM if name != "expired"])
def test_without_a_license_no_server_starts_with_it(machine: Machine, harm: str) -> None:
    machine.settings(GOOD)
    Priority()
    HARM[harm](machine)
    with pytest.raises(LicenseError, match="priority") as caught:
        Priority()
    assert caught.value.feature == "priority"
    assert caught.value.fix


def test_a_license_of_other_features_is_none_of_this(machine: Machine) -> None:
    machine.settings(GOOD)
    machine.install(features={"governance": {}})
    with pytest.raises(LicenseError) as caught:
        Priority()
    assert caught.value.code == "not-included"
    assert "priority" in str(caught.value)


def test_wrong_settings_are_told_before_the_license_is_asked_for(machine: Machine) -> None:
    machine.settings("[plugins.enterprise.priority.classes.top]\nwieght = 1\n")
    with pytest.raises(SettingsError, match="wieght"):
        Priority()
    assert machine.asked == []


def test_when_it_has_ended_what_is_set_up_goes_on_and_changes_are_refused(machine: Machine) -> None:
    assert FEATURES["priority"].meanings["expired"].effect == "kept"
    machine.settings(GOOD)
    Priority()
    machine.expire()
    assert Priority().classes == ("interactive", "batch")
    changed = GOOD.replace("weight = 2", "weight = 3") + "\n[plugins.enterprise.priority.tenants.bolt]\n"
    machine.settings(changed)
    with pytest.raises(LicenseError, match="what was set up goes on, and nothing new can be set up") as caught:
        Priority()
    assert caught.value.given == "a change of the settings: classes.batch.weight is 3.0, was 2.0"
    assert (caught.value.code, caught.value.fix[0]) == ("expired", "take the change back")
    machine.settings(GOOD)
    Priority()


@pytest.mark.parametrize("kept", [None, b"", b"{", b"[]", b'{"settings": 3}'])
def test_when_it_has_ended_nothing_can_be_set_up_for_the_first_time(machine: Machine, kept: bytes | None) -> None:
    machine.settings(GOOD)
    machine.expire()
    if kept is not None:
        (machine.folder / "state").mkdir()
        (machine.folder / "state" / REMEMBERED).write_bytes(kept)
    with pytest.raises(LicenseError, match="nothing new can be set up") as caught:
        Priority()
    assert caught.value.given == "settings, and none that were set up before"


def test_what_is_remembered_is_for_its_owner_only_and_a_full_disk_stops_no_server(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine.settings(GOOD)
    Priority()
    file = machine.folder / "state" / REMEMBERED
    assert file.stat().st_mode & 0o077 == 0
    file.unlink()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tunesmith_enterprise.priority.licensed.StateFolder.write", full)
    assert Priority().classes
    assert "no space left on device" in caplog.text


def _origin() -> Any:
    from tunesmith.engine import Origin

    return Origin("acme")


def test_the_package_provides_it_through_the_hook_of_any_plugin() -> None:
    from tunesmith_enterprise import plugin

    (spec,) = plugin.tunesmith_schedulers()
    assert (spec.name, spec.target) == ("priority", "tunesmith_enterprise.priority.scheduler:Priority")
    assert Path(plugin.__file__).name == "plugin.py"
