# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith import settings
from tunesmith._plugins import Host, authorize
from tunesmith._plugins.authorize import unmet
from tunesmith.errors import DeniedError, SettingsError
from tunesmith.plugin import Action
from tunesmith.settings import Required, config_folder, plugin_settings, required_plugins, settings_files

TRAIN = Action(name="train", subject="runs/x")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing set: folders `etc`, `home` and `project`, in which the process works."""
    for name in ("etc", "home", "project/deep/er"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(settings, "_SYSTEM", tmp_path / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TUNESMITH_REQUIRED_PLUGINS", raising=False)
    monkeypatch.chdir(tmp_path / "project/deep/er")
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_without_settings_nothing_is_required(machine: Path) -> None:
    assert settings_files() == []
    assert required_plugins() == []


def test_what_one_file_requires_no_other_takes_back(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = write(machine / "etc/tunesmith.toml", 'required_plugins = ["audit>=1.2"]')
    person = write(machine / "home/tunesmith/tunesmith.toml", "required_plugins = []")
    project = write(machine / "project/tunesmith.toml", 'required_plugins = ["privacy", "audit"]')
    write(machine / "tunesmith.toml", 'required_plugins = ["far"]')  # above the nearest
    monkeypatch.setenv("TUNESMITH_REQUIRED_PLUGINS", " seal>=2,<3 ;")
    assert settings_files() == [system, person, project]
    assert required_plugins() == [
        Required("seal>=2,<3", "TUNESMITH_REQUIRED_PLUGINS"),
        Required("audit>=1.2", str(system)),
        Required("privacy", str(project)),
        Required("audit", str(project)),
    ]


def test_where_a_person_keeps_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_folder({"XDG_CONFIG_HOME": "/x"}) == Path("/x/tunesmith")
    monkeypatch.setattr(Path, "home", lambda: Path("/h"))
    assert config_folder({}) == Path("/h/.config/tunesmith")
    assert config_folder({"XDG_CONFIG_HOME": "here"}) == Path("/h/.config/tunesmith"), "not in the working folder"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("required_plugins = [", ["cannot be read", "correct it, or remove it"]),
        ("require_plugins = ['a']", ["a key that nobody reads", "given:    require_plugins", "required_plugins"]),
        ("required_plugins = 'audit'", ["is no list of plugins", "given:    'audit'", '["audit>=1.2"]']),
        ("required_plugins = [1]", ["is no list of plugins", "given:    [1]"]),
        ("required_plugins = ['']", ["is no list of plugins"]),
        ("plugin.audit.log = 'x'", ["a key that nobody reads", "given:    plugin", "required_plugins, plugins"]),
    ],
)
def test_settings_that_may_have_required_something_are_never_passed_over(
    machine: Path, text: str, words: list[str]
) -> None:
    path = write(machine / "project/tunesmith.toml", text)
    with pytest.raises(SettingsError) as caught:
        authorize(TRAIN, Host([], environ={}))
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_settings_that_are_no_text_are_an_error_too(machine: Path) -> None:
    (machine / "project/tunesmith.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read"):
        required_plugins()


@pytest.mark.parametrize(
    ("required", "status", "version", "reason"),
    [
        ("demo", "ok", "1.0", ""),
        ("demo>=1,<2", "ok", "1.0", ""),
        ("demo>=1", "ok", "1.1.dev3", ""),
        ("demo>=2", "ok", "1.0", "the plugin 'demo' is there in version 1.0"),
        ("demo>=2", "ok", "", "the plugin 'demo' is there in version unknown"),
        ("demo", "broken", "1.0", "the plugin 'demo' is broken: no reason"),
        ("demo", "disabled", "1.0", "the plugin 'demo' is disabled: no reason"),
        ("demo", "incompatible", "1.0", "the plugin 'demo' is incompatible: no reason"),
        ("other", "ok", "1.0", "the plugin 'other' is not installed"),
    ],
)
def test_what_is_wrong_with_a_required_plugin(
    candidate: object, required: str, status: str, version: str, reason: str
) -> None:
    from dataclasses import replace

    record = replace(candidate().record(status, "no reason" if status != "ok" else ""), version=version)  # type: ignore[operator]
    found = unmet([record], [Required(required, "here")])
    assert [text for _, text in found] == ([reason] if reason else [])


def test_a_plugin_that_is_required_in_no_language(machine: Path) -> None:
    write(machine / "project/tunesmith.toml", "required_plugins = ['audit >= ']")
    with pytest.raises(SettingsError) as caught:
        authorize(TRAIN, Host([], environ={}))
    assert "given:    'audit >=', in " in str(caught.value)
    assert "e.g. audit>=1.2" in str(caught.value)


def test_switching_a_required_plugin_off_fails_closed(candidate: object, machine: Path) -> None:
    write(machine / "etc/tunesmith.toml", "required_plugins = ['demo']")
    demo = candidate()  # type: ignore[operator]
    authorize(TRAIN, Host([demo], environ={}))
    with pytest.raises(DeniedError) as caught:
        authorize(TRAIN, Host([demo], environ={"TUNESMITH_PLUGINS": ""}))
    assert "the plugin 'demo' is disabled: TUNESMITH_PLUGINS does not name it" in str(caught.value)
    assert f"as {machine / 'etc/tunesmith.toml'} requires" in str(caught.value)


def test_a_plugin_without_settings_gets_none(machine: Path) -> None:
    write(machine / "project/tunesmith.toml", "[plugins.other]\nlog = '/x'")
    assert plugin_settings("audit") == {}


def test_what_the_machine_sets_for_a_plugin_nobody_below_takes_back(machine: Path) -> None:
    write(machine / "etc/tunesmith.toml", "[plugins.audit]\nlog = '/machine'\nlevels = {a = 1}")
    write(machine / "home/tunesmith/tunesmith.toml", "[plugins.audit]\nlog = '/person'\nname = 'person'")
    project = "required_plugins = []\n[plugins.audit]\nlog = ''\nname = 'project'\nlevels = {b = 2}\nonly = true"
    write(machine / "project/tunesmith.toml", project)
    settled = {"log": "/machine", "name": "person", "levels": {"a": 1}}
    assert plugin_settings("audit") == {**settled, "only": True}
    assert plugin_settings("audit", project=False) == settled
    assert plugin_settings("audit", {"XDG_CONFIG_HOME": "/nowhere"}, start=machine) == {
        "log": "/machine",
        "levels": {"a": 1},
    }


def test_the_folder_of_a_persons_settings_may_be_worked_in(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(machine / "home/tunesmith/tunesmith.toml", "[plugins.audit]\nlog = '/person'")
    monkeypatch.chdir(path.parent)
    assert settings_files() == settings_files(project=False) == [path]
    assert plugin_settings("audit", project=False) == {"log": "/person"}


def test_an_account_without_a_home_has_no_settings_of_its_own(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    path = write(machine / "etc/tunesmith.toml", "required_plugins = ['audit']\n[plugins.audit]\nlog = '/machine'")
    assert settings_files({}) == [path]
    assert plugin_settings("audit") == {"log": "/machine"}
    assert required_plugins() == [Required("audit", str(path))]


@pytest.mark.parametrize("text", ["plugins = 'audit'", "plugins = ['audit']", "[plugins]\naudit = 1"])
def test_settings_of_plugins_that_are_no_tables(machine: Path, text: str) -> None:
    path = write(machine / "project/tunesmith.toml", text)
    with pytest.raises(SettingsError) as caught:
        plugin_settings("audit")
    assert f"plugins of {path} holds no tables" in str(caught.value)
    assert "[plugins.NAME], and its keys below" in str(caught.value)


def test_damaged_settings_are_not_passed_over_for_a_plugin(machine: Path) -> None:
    write(machine / "etc/tunesmith.toml", "[plugins.audit")
    with pytest.raises(SettingsError, match="cannot be read"):
        plugin_settings("audit", project=False)
