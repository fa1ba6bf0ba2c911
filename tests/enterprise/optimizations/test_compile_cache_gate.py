# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The compile cache at the gate: a license is asked where the settings name one, once, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from code_sharing import JOB, KEY, compiling, shared_file
from licensed import Machine

from tunesmith.plugin import Action, Allow, Deny
from tunesmith_enterprise import plugin
from tunesmith_enterprise.optimizations.compile_cache import hooks
from tunesmith_enterprise.optimizations.compile_cache.archive import unpack
from tunesmith_enterprise.optimizations.compile_cache.settings import CacheWanted

OPEN = Action(name="open", subject="runs/chat")


def training(wish: object = True, **details: Any) -> Action:
    return Action(name="train", subject="run", details={"recipe": {"train": {"compile": wish}}} | details)


@pytest.fixture
def licensed(machine: Machine, wanted: CacheWanted, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose settings name the cache."""
    monkeypatch.setattr(hooks, "_sharing", None)
    table = f'folder = "{wanted.folder.as_posix()}", key_file = "{wanted.key_file.as_posix()}"'
    machine.settings(f"[plugins.enterprise]\ncompile_cache = {{ {table} }}\n")
    return machine


def test_where_the_settings_name_no_cache_no_license_is_asked_and_nothing_is_shared(
    licensed: Machine, wanted: CacheWanted, tmp_path: Path
) -> None:
    assert isinstance(plugin.tunesmith_authorize(OPEN), Allow)
    licensed.settings("")
    licensed.asked.clear()
    assert plugin.tunesmith_authorize(OPEN) is None
    assert plugin.tunesmith_authorize(training()) is None
    assert licensed.asked == []
    compiling(plugin.tunesmith_machine_code, tmp_path / JOB)
    assert not list(wanted.folder.iterdir())


def test_a_process_asks_once_for_the_models_it_opens_and_shares_from_then_on(
    licensed: Machine, wanted: CacheWanted, tmp_path: Path
) -> None:
    assert isinstance(plugin.tunesmith_authorize(OPEN), Allow)
    licensed.expire()  # what was begun goes on
    assert plugin.tunesmith_authorize(OPEN) is None
    assert licensed.asked == ["optimizations"]
    compiling(plugin.tunesmith_machine_code, tmp_path / JOB)
    assert unpack(shared_file(wanted).read_bytes(), shared_file(wanted).name, KEY) == {"a.so": b"code"}


def test_a_job_that_does_not_compile_asks_for_nothing(licensed: Machine) -> None:
    assert plugin.tunesmith_authorize(training(False)) is None
    assert plugin.tunesmith_authorize(Action(name="train", subject="run", details={})) is None
    assert licensed.asked == []


@pytest.mark.parametrize("wish", [True, "auto"])
def test_a_job_that_may_compile_asks_and_its_run_goes_on_without_a_license(licensed: Machine, wish: object) -> None:
    allowed = plugin.tunesmith_authorize(training(wish))
    assert isinstance(allowed, Allow)
    assert [grant["feature"] for grant in allowed.record["grants"]] == ["optimizations"]
    licensed.delete()
    hooks._sharing = None
    again = plugin.tunesmith_authorize(training(wish, allowed={"enterprise": allowed.record}))
    assert again == allowed
    assert hooks._sharing is not None


@pytest.mark.parametrize("action", [OPEN, training()], ids=lambda one: one.name)
def test_without_a_license_it_is_refused_with_the_words_of_the_license(licensed: Machine, action: Action) -> None:
    licensed.delete()
    denied = plugin.tunesmith_authorize(action)
    assert isinstance(denied, Deny)
    assert "the feature optimizations needs a license, and none was found" in denied.reason
    assert denied.reason.endswith("; the settings name a compile_cache")
    assert denied.fix[-1] == (
        "or take compile_cache out of [plugins.enterprise] of tunesmith.toml: code is then compiled here"
    )
    assert hooks._sharing is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('"/srv/compiled"', "compile_cache of [plugins.enterprise] is no table: '/srv/compiled'"),
        ('{ folder = "/srv", key_file = "/k", size = 5 }', "has a key that nobody reads: 'size'"),
        ('{ folder = "compiled", key_file = "/k" }', "has no absolute path under folder: 'compiled'"),
        ('{ folder = "/srv" }', "has no absolute path under key_file: None"),
        ('{ folder = "/srv", key_file = "/k", gb = true }', "has a gb that is no size: True"),
        (
            '{ folder = "/there", key_file = "/k" }',
            "the folder of compile_cache cannot be used: /there",
        ),
    ],
)
def test_settings_that_are_wrong_stop_what_would_compile(licensed: Machine, table: str, words: str) -> None:
    licensed.settings(f"[plugins.enterprise]\ncompile_cache = {table}\n")
    denied = plugin.tunesmith_authorize(OPEN)
    assert isinstance(denied, Deny)
    assert words in denied.reason
    assert denied.fix
    assert licensed.asked == []
