# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from tunesmith._plugins import Host, PluginRecord
from tunesmith._plugins.discover import Candidate
from tunesmith.plugin import RunNote, RunStarted, TaskSpec, hookimpl

MakeCandidate = Callable[..., Candidate]


def task(name: str) -> TaskSpec:
    return TaskSpec(name=name, summary="A task", target=f"tunesmith_demo.tasks:{name.title()}")


def outside(host: Host) -> dict[str, PluginRecord]:
    return {record.name: record for record in host.records if record.name != "tunesmith"}


def nothing() -> list[TaskSpec]:
    return []


def names(host: Host) -> list[str]:
    return [one.full_name for one in host.specs("task") if one.plugin != "tunesmith"]


def make(*found: Candidate) -> Host:
    return Host(found, environ={})


def test_a_plugin_provides_what_its_hook_returns(candidate: MakeCandidate) -> None:
    host = make(candidate(tunesmith_tasks=lambda: [task("stance"), task("tone")]))

    assert names(host) == ["demo/stance", "demo/tone"]
    record = outside(host)["demo"]
    assert (record.status, record.reason, record.provides) == ("ok", "", {"task": ("stance", "tone")})
    assert str(host.specs("task")[-1]) == "demo/tone (tunesmith-demo 1.0)"


def test_a_hook_may_be_a_generator(candidate: MakeCandidate) -> None:
    def tunesmith_tasks() -> Iterator[TaskSpec]:
        yield task("stance")

    assert names(make(candidate(tunesmith_tasks=tunesmith_tasks))) == ["demo/stance"]


def test_a_plugin_may_be_an_object(candidate: MakeCandidate) -> None:
    class Plugin:
        @hookimpl
        def tunesmith_tasks(self) -> list[TaskSpec]:
            return [task("stance")]

    assert names(make(candidate(load=Plugin))) == ["demo/stance"]


def test_providing_nothing_is_fine(candidate: MakeCandidate) -> None:
    record = outside(make(candidate(tunesmith_tasks=nothing)))["demo"]

    assert (record.status, record.provides) == ("ok", {})


def test_built_ins_come_first_and_always(candidate: MakeCandidate) -> None:
    host = Host([candidate()], environ={"TUNESMITH_PLUGINS": ""})

    assert [(record.name, record.status) for record in host.records] == [("tunesmith", "ok"), ("demo", "disabled")]
    assert host.specs("task")[0].full_name == "tunesmith/text-classification"


@pytest.mark.parametrize("status", ["incompatible", "conflict", "disabled"])
def test_what_may_not_load_is_never_imported(candidate: MakeCandidate, status: str) -> None:
    def load() -> object:
        raise AssertionError("imported")

    found = {
        "incompatible": [candidate(load=load, requires=("tunesmith>=999",))],
        "conflict": [candidate(load=load), candidate(load=load)],
        "disabled": [candidate(load=load)],
    }[status]

    host = Host(found, environ={"TUNESMITH_PLUGINS": "" if status == "disabled" else "demo"})

    assert {record.status for record in host.records[1:]} == {status}


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'xgboost'"), SystemExit(3), SyntaxError("bad")])
def test_a_plugin_that_cannot_be_imported_is_broken_and_the_rest_goes_on(
    candidate: MakeCandidate, error: BaseException
) -> None:
    def load() -> object:
        raise error

    host = make(candidate("bad", load=load), candidate("good", tunesmith_tasks=lambda: [task("stance")]))

    record = outside(host)["bad"]
    assert record.status == "broken"
    assert record.reason == f"importing tunesmith_bad.plugin failed: {type(error).__name__}: {error}"
    assert "in load" in record.traceback
    assert "raise error" in record.traceback
    assert names(host) == ["good/stance"]


def test_what_a_plugin_prints_while_it_loads_does_not_get_among_results(
    candidate: MakeCandidate, capsys: pytest.CaptureFixture[str]
) -> None:
    def tasks() -> list[TaskSpec]:
        print("asked")
        return []

    def load() -> object:
        print("imported")
        return SimpleNamespace(tunesmith_tasks=hookimpl(tasks))

    host = Host([candidate(load=load)], environ={})
    assert host.records[1].status == "ok"
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "imported\nasked\n")


def test_ctrl_c_during_an_import_is_the_users(candidate: MakeCandidate) -> None:
    def load() -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(candidate(load=load))


def test_an_entry_point_that_holds_none(candidate: MakeCandidate) -> None:
    assert "holds None" in outside(make(candidate(load=lambda: None)))["demo"].reason


def returns(value: object) -> Callable[[], object]:
    return lambda: value


def half() -> Iterator[TaskSpec]:
    yield task("stance")
    raise RuntimeError("no disk")


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (returns(None), "tunesmith_tasks returned None, expected an iterable of TaskSpec"),
        (returns(3), "tunesmith_tasks returned 3, expected an iterable of TaskSpec"),
        (returns("stance"), "tunesmith_tasks returned 'stance', expected an iterable of TaskSpec"),
        (returns(task("a")), "tunesmith_tasks returned TaskSpec(name='a', summary='A task', "),
        (returns([task("a"), "b"]), "tunesmith_tasks returned 'b' at place 1, expected a TaskSpec"),
        (returns({"a": 1}), "tunesmith_tasks returned 'a' at place 0, expected a TaskSpec"),
        (returns([task("a"), task("a")]), "tunesmith_tasks returned the name 'a' twice, expected each name once"),
        (half, "tunesmith_tasks failed: RuntimeError: no disk"),
        (lambda: [task("Bad Name")], "tunesmith_tasks failed: ValueError: TaskSpec('Bad Name'): the name must be"),
        (lambda: sys.exit(1), "tunesmith_tasks failed: SystemExit: 1"),
    ],
)
def test_a_provide_hook_that_fails_breaks_its_plugin_only(
    candidate: MakeCandidate, hook: Callable[[], object], reason: str
) -> None:
    host = make(
        candidate("bad", tunesmith_tasks=hook, tunesmith_readers=nothing),
        candidate("good", tunesmith_tasks=lambda: [task("stance")]),
    )

    record = outside(host)["bad"]
    assert record.status == "broken"
    assert record.reason.startswith(reason)
    assert "\n" not in record.reason
    assert record.provides == {}
    assert names(host) == ["good/stance"]


def test_one_failing_hook_withdraws_all_specs_of_the_plugin_and_its_observers(candidate: MakeCandidate) -> None:
    told = []

    def datasets() -> object:
        raise RuntimeError("no disk")

    host = make(
        candidate(
            tunesmith_tasks=lambda: [task("stance")],
            tunesmith_datasets=datasets,
            tunesmith_run_note=lambda event: told.append(event),
        )
    )
    host.notify(RunNote(run="runs/a", message="3 rows truncated"))

    assert names(host) == []
    assert told == []
    assert "in datasets" in outside(host)["demo"].traceback


def test_a_misspelt_hook_is_told_with_the_right_name(candidate: MakeCandidate) -> None:
    host = make(candidate(tunesmith_comands=nothing), candidate("good", tunesmith_tasks=lambda: [task("stance")]))

    assert outside(host)["demo"].reason == "unknown hook 'tunesmith_comands'; did you mean 'tunesmith_commands'?"
    assert names(host) == ["good/stance"]


def test_a_hook_of_a_later_version_may_be_optional(candidate: MakeCandidate) -> None:
    plugin = SimpleNamespace(tunesmith_holograms=hookimpl(optionalhook=True)(nothing))

    assert outside(make(candidate(load=lambda: plugin)))["demo"].status == "ok"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "tunesmith_tasks",
            "the function tunesmith_tasks is not marked; put @hookimpl (from tunesmith.plugin) above it",
        ),
        (
            "tunesmith_task",
            "'tunesmith_task' is no hook and not marked @hookimpl; did you mean 'tunesmith_tasks'?",
        ),
    ],
)
def test_a_function_that_looks_like_a_hook_but_is_not_marked(candidate: MakeCandidate, name: str, reason: str) -> None:
    def forgotten() -> list[TaskSpec]:
        return []

    plugin = SimpleNamespace(**{name: forgotten})

    assert outside(make(candidate(load=lambda: plugin)))["demo"].reason == reason


def test_a_plugin_may_have_functions_of_its_own(candidate: MakeCandidate) -> None:
    plugin = SimpleNamespace(tunesmith_homepage=lambda: "https://example.org", tunesmith_tasks="not a function")

    assert outside(make(candidate(load=lambda: plugin)))["demo"].status == "ok"


def test_arguments_a_hook_does_not_have(candidate: MakeCandidate) -> None:
    host = make(
        candidate(tunesmith_run_started=lambda run: None), candidate("good", tunesmith_tasks=lambda: [task("stance")])
    )

    record = outside(host)["demo"]
    assert record.status == "broken"
    assert "tunesmith_run_started" in record.reason
    assert "run" in record.reason
    assert "\n" not in record.reason
    assert names(host) == ["good/stance"]


def test_a_hook_wrapper_is_refused(candidate: MakeCandidate) -> None:
    @hookimpl(wrapper=True)
    def tunesmith_tasks() -> Iterator[None]:
        yield

    plugin = SimpleNamespace(tunesmith_tasks=tunesmith_tasks)

    assert "hook wrapper" in outside(make(candidate(load=lambda: plugin)))["demo"].reason


def test_an_object_that_cannot_be_hashed_or_compared_disturbs_nobody(candidate: MakeCandidate) -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not comparable")

        @hookimpl
        def tunesmith_tasks(self) -> list[TaskSpec]:
            return [task("stance")]

    host = make(candidate("odd", load=Odd), candidate("tame", tunesmith_tasks=lambda: [task("stance")]))

    assert names(host) == ["odd/stance", "tame/stance"]


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of task, reader, .*, given 'tasks'"):
        make().specs("tasks")


def test_an_event_reaches_every_observer(candidate: MakeCandidate) -> None:
    told = []
    host = make(
        candidate("one", tunesmith_run_note=lambda event: told.append(("one", event.message))),
        candidate("two", tunesmith_run_note=lambda event: told.append(("two", event.message))),
        candidate("three", tunesmith_run_started=lambda event: told.append(("three", event.run))),
    )

    host.notify(RunNote(run="runs/a", message="3 rows truncated"))
    host.notify(RunStarted(run="runs/a", recipe={}, total_steps=10))

    assert sorted(told) == [("one", "3 rows truncated"), ("three", "runs/a"), ("two", "3 rows truncated")]
    assert outside(host)["one"].observes == ("tunesmith_run_note",)


@pytest.mark.parametrize("error", [RuntimeError("no route"), SystemExit(1)])
def test_an_observer_that_fails_is_logged_once_and_stops_nothing(
    candidate: MakeCandidate, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    told = []

    def fail(event: object) -> None:
        raise error

    host = make(
        candidate("bad", tunesmith_run_note=fail),
        candidate("good", tunesmith_run_note=lambda event: told.append(event)),
    )
    note = RunNote(run="runs/a", message="3 rows truncated")

    with caplog.at_level(logging.ERROR, logger="tunesmith.plugins"):
        host.notify(note)
        host.notify(note)

    assert told == [note, note]
    (line,) = caplog.records
    assert f"plugin 'bad' failed in tunesmith_run_note: {type(error).__name__}: {error}" in line.getMessage()
    assert line.exc_info is not None


def test_ctrl_c_in_an_observer_is_the_users(candidate: MakeCandidate) -> None:
    def interrupt(event: object) -> None:
        raise KeyboardInterrupt

    host = make(candidate(tunesmith_run_note=interrupt))

    with pytest.raises(KeyboardInterrupt):
        host.notify(RunNote(run="runs/a", message=""))


def test_an_event_no_hook_takes_is_a_programming_error() -> None:
    class Other(RunNote):
        pass

    with pytest.raises(TypeError, match="no hook takes events of class Other"):
        make().notify(Other(run="runs/a", message=""))
