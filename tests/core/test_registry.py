# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import NotFoundError, PluginError
from tunesmith.plugin import TaskSpec, hookimpl
from tunesmith.registry import Registry, get_registry


def plugin(
    name: str, *tasks: str, target: str = "a_plugin_of_tests.tasks:Stance", requires: str = "tunesmith"
) -> Candidate:
    def tunesmith_tasks() -> list[TaskSpec]:
        return [TaskSpec(name=task, summary="A task", target=target) for task in tasks]

    return Candidate(
        name=name,
        distribution=f"tunesmith-{name}",
        version="1.2",
        target=f"tunesmith_{name}",
        requires=(requires,),
        load=lambda: SimpleNamespace(tunesmith_tasks=hookimpl(tunesmith_tasks)),
    )


def registry(*plugins: Candidate) -> Registry:
    return Registry(Host(plugins, environ={}))


def test_full_and_short_names_resolve() -> None:
    ours = registry(plugin("reviews", "sentiment"))

    assert ours.find("task", "sentiment") is ours.find("task", "reviews/sentiment")
    assert ours.find("task", "chat").full_name == "tunesmith/chat"
    assert ours.find("task", "tunesmith/chat").distribution == "tunesmith"


def test_all_lists_built_ins_first() -> None:
    names = [one.full_name for one in registry(plugin("a", "sentiment")).all("task")]

    assert names[0].startswith("tunesmith/")
    assert names[-1] == "a/sentiment"


def test_a_short_name_two_plugins_have_is_refused_when_used() -> None:
    ours = registry(plugin("reviews", "sentiment"), plugin("films", "sentiment"))

    with pytest.raises(NotFoundError) as caught:
        ours.find("task", "sentiment")

    assert str(caught.value) == (
        "more than one plugin has a task of this name\n"
        "  given:    sentiment\n"
        "  expected: a full name: reviews/sentiment (tunesmith-reviews 1.2) or films/sentiment (tunesmith-films 1.2)\n"
        "  to do:    write reviews/sentiment or films/sentiment"
    )
    assert ours.find("task", "films/sentiment").plugin == "films"


def test_a_built_in_cannot_be_shadowed() -> None:
    ours = registry(plugin("mine", "chat"))

    assert ours.find("task", "tunesmith/chat").plugin == "tunesmith"
    with pytest.raises(NotFoundError, match=r"tunesmith/chat \(tunesmith .*\) or mine/chat"):
        ours.find("task", "chat")


@pytest.mark.parametrize(
    ("kind", "name", "advice"),
    [
        ("task", "text-clasification", ("did you mean 'text-classification'?", "see `tunesmith tasks list`")),
        ("task", "tunesmith/chatt", ("did you mean 'tunesmith/chat'?", "see `tunesmith tasks list`")),
        ("dataset", "suport", ("did you mean 'support'?", "see `tunesmith datasets list`")),
        ("model", "zzzz", ("see `tunesmith models list`",)),
        ("engine", "zzzz", ("see `tunesmith plugins list`",)),
    ],
)
def test_an_unknown_name_says_what_there_is(kind: str, name: str, advice: tuple[str, ...]) -> None:
    with pytest.raises(NotFoundError) as caught:
        registry().find(kind, name)

    assert caught.value.what == f"no {kind} of this name"
    assert caught.value.given == name
    assert "tunesmith/" in (caught.value.expected or "")
    assert caught.value.fix == advice


def test_a_name_a_plugin_out_of_order_may_hold_says_so() -> None:
    ours = registry(plugin("reviews", "sentiment", requires="tunesmith>=900"), plugin("films", "Bad Name"))

    with pytest.raises(NotFoundError) as caught:
        ours.find("task", "reviews/sentiment")

    assert caught.value.fix[-1].startswith(
        "the plugin 'reviews' (tunesmith-reviews 1.2) is incompatible: needs tunesmith>=900; this is tunesmith "
    )
    assert "films" not in str(caught.value)
    with pytest.raises(
        NotFoundError, match=r"'films' \(tunesmith-films 1.2\) is broken: tunesmith_tasks failed: ValueError"
    ):
        ours.find("task", "sentiment")


def test_an_unknown_kind_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="kind must be one of"):
        registry().find("tasks", "chat")


def test_load_imports_on_first_use_and_keeps_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_counted_module.py").write_text("class Outer:\n    class Stance: ...\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    ours = registry(plugin("reviews", "sentiment", target="a_counted_module:Outer.Stance"))
    ours.find("task", "sentiment")
    assert "a_counted_module" not in sys.modules

    first = ours.load("task", "sentiment")
    monkeypatch.delitem(sys.modules, "a_counted_module")

    assert first.__name__ == "Stance"  # type: ignore[attr-defined]
    assert ours.load("task", "reviews/sentiment") is first


def missing_module(folder: Path) -> str:
    return "No module named 'a_plugin_of_tests'"


def missing_attribute(folder: Path) -> str:
    (folder / "a_plugin_of_tests.py").write_text("", "utf-8")
    return "AttributeError: module 'a_plugin_of_tests' has no attribute 'Stance'"


def exits(folder: Path) -> str:
    (folder / "a_plugin_of_tests.py").write_text("raise SystemExit(4)", "utf-8")
    return "SystemExit: 4"


def wrong_syntax(folder: Path) -> str:
    (folder / "a_plugin_of_tests.py").write_text("def", "utf-8")
    return "SyntaxError: invalid syntax"


@pytest.mark.parametrize("break_it", [missing_module, missing_attribute, exits, wrong_syntax])
def test_a_target_that_cannot_be_loaded_names_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Path], str]
) -> None:
    reason = break_it(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "a_plugin_of_tests", raising=False)
    ours = registry(plugin("reviews", "sentiment", target="a_plugin_of_tests:Stance"))

    with pytest.raises(PluginError) as caught:
        ours.load("task", "sentiment")

    monkeypatch.delitem(sys.modules, "a_plugin_of_tests", raising=False)
    error = caught.value
    assert error.what.startswith(
        "the plugin 'reviews' (tunesmith-reviews 1.2) has a task 'sentiment' that cannot be loaded: "
    )
    assert reason in error.what
    assert error.given == "a_plugin_of_tests:Stance"
    assert error.fix[0].startswith("see `tunesmith plugins doctor reviews`")
    assert "tunesmith-reviews" in error.fix[1]
    assert error.__cause__ is not None


def test_a_target_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = registry(plugin("reviews", "sentiment", target="a_late_module:Stance"))
    with pytest.raises(PluginError):
        ours.load("task", "sentiment")

    module = ModuleType("a_late_module")
    module.Stance = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_late_module", module)

    assert ours.load("task", "sentiment") is module.Stance  # type: ignore[attr-defined]


def test_a_process_has_one_registry() -> None:
    assert get_registry() is get_registry()
