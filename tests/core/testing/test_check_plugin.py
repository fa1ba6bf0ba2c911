# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Good plugins pass; each planted fault is found, with the right words."""

from __future__ import annotations

import unittest
from types import SimpleNamespace

import faults
import pytest

from tunesmith.errors import NotFoundError
from tunesmith.plugin import (
    AccessSpec,
    AugmentationSpec,
    CommandSpec,
    DatasetSpec,
    ExporterSpec,
    MetricSpec,
    ObjectiveSpec,
    ReaderSpec,
    RecipeSectionSpec,
    ReportSectionSpec,
    RouteSpec,
    TaskSpec,
    TrackerSpec,
    TransformSpec,
)
from tunesmith.testing import ConformanceError, check_dataset, check_plugin, plugin_checks, plugin_installed

HERE = faults.__name__


def dataset(function="films", **fields):
    given = {"name": "films", "summary": "Films", "license": "CC0-1.0", "splits": ("train", "test")}
    return DatasetSpec(target=f"{HERE}:{function}", **{**given, **fields})


def spec(kind, target, **fields):
    return kind(name=fields.pop("name", "thing"), summary="A thing", target=f"{HERE}:{target}", **fields)


# ---- nothing to find ----------------------------------------------------------------------------------


def test_a_good_plugin_in_memory_passes(checked):
    report = checked(
        dataset(task="faulty/thing"),
        spec(TaskSpec, "Good"),
        spec(MetricSpec, "exact"),
        spec(AugmentationSpec, "Shout", changes="text"),
        spec(TransformSpec, "Squeeze"),
        spec(TrackerSpec, "Quiet"),
        spec(RecipeSectionSpec, "Settings", name="faulty"),
        spec(RouteSpec, "hello"),
        spec(CommandSpec, "app"),
        tunesmith_step_done=lambda event: None,
        tunesmith_authorize=lambda action: None,
        train=True,
    )
    assert report.skipped["metadata"] == "it is an object of this process, and no installed package"
    assert {
        "dataset.films.same-twice",
        "task.thing.garbage",
        "task.thing.score-of-the-truth",
        "task.thing.state",
        "task.thing.trains",
        "task.thing.evaluates",
        "task.thing.predicts",
        "task.thing.trains-twice",
        "metric.thing.direction",
        "command.thing.help",
        "gate",
        "observers",
    } <= set(report.passed)
    assert "checks passed" in str(report)
    assert "skipped import: it is an object of this process" in str(report)


def test_a_plugin_that_is_not_there():
    with (
        plugin_installed(SimpleNamespace(), name="beside"),
        pytest.raises(NotFoundError, match="no plugin of this name is installed") as caught,
    ):
        check_plugin("no-such-plugin")
    assert "beside" in str(caught.value)


# ---- how it is told -----------------------------------------------------------------------------------


def test_every_finding_is_told_at_once_with_what_to_do(findings):
    found = findings(dataset(license="free"), spec(MetricSpec, "brevity"))
    assert [text.splitlines()[0] for text in found] == [
        "dataset.films.license: the licence of the data is no SPDX expression",
        "metric.thing.direction: worse answers get the better figure",
    ]
    assert found[0].splitlines()[1:] == [
        "    given: free",
        "    expected: an identifier of https://spdx.org/licenses, e.g. CC-BY-4.0, or LicenseRef-… for one of its own",
        "    to do: correct license of the DatasetSpec",
    ]


def one_hook(*specs):
    from types import SimpleNamespace

    from tunesmith.plugin import hookimpl

    return SimpleNamespace(tunesmith_datasets=hookimpl(lambda: list(specs)))


def test_expected_failures_are_reported_and_must_fail():
    with plugin_installed(one_hook(dataset(license="free")), name="faulty"):
        report = check_plugin("faulty", expected_failures={"dataset.films.license": "asked for"})
        assert report.expected == {"dataset.films.license": "asked for"}
        with pytest.raises(ConformanceError, match=r"dataset.films.splits: it was expected to fail, and it passes"):
            check_plugin("faulty", expected_failures={"dataset.films.license": "x", "dataset.films.splits": "y"})
        with pytest.raises(ValueError, match=r"names license; expected some of import, hooks, "):
            check_plugin("faulty", expected_failures={"license": "no such check"})


def test_checks_one_by_one_for_pytest():
    with plugin_installed(one_hook(dataset(license="free")), name="faulty"):
        checks = dict(plugin_checks("faulty"))
        checks["hooks"]()
        with pytest.raises(unittest.SkipTest, match="an object of this process"):
            checks["metadata"]()
        with pytest.raises(AssertionError, match="no SPDX expression"):
            checks["dataset.films.license"]()


# ---- faults of the package ----------------------------------------------------------------------------


def of_package(name):
    with pytest.raises(ConformanceError) as caught:
        check_plugin(name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ValueError('not today')", "import: it cannot be imported\n    given: importing "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("print('hello there')", "import: it prints while it is imported\n    given: hello there"),
        ("import numpy", "import: its module imports what takes long\n    given: numpy\n"),
        ("import time; time.sleep(0.3)", "import: importing it takes too long\n    given: 0."),
        (
            "@hookimpl\ndef tunesmith_datasetz(): return []",
            "hooks: the plugin is broken\n    given: unknown hook 'tunesmith_datasetz'; did you mean",
        ),
        ("def tunesmith_tasks(): return []", "is not marked; put @hookimpl"),
        ("@hookimpl\ndef tunesmith_tasks(): return ['stance']", "returned 'stance' at place 0, expected a TaskSpec"),
        (
            "@hookimpl\ndef tunesmith_tasks():\n"
            "    yield TaskSpec(name='a', summary='A', target='m:A')\n    raise OSError('half way')",
            "tunesmith_tasks failed: OSError: half way",
        ),
        (
            "import itertools\nn = itertools.count()\n@hookimpl\ndef tunesmith_transforms():\n"
            "    return [TransformSpec(name=f'a{next(n)}', summary='A', target='faults:Squeeze')]",
            "same-answers: its hooks do not answer the same each time",
        ),
    ],
    ids=["raises", "exits", "prints", "heavy", "slow", "misspelt", "unmarked", "wrong-return", "half-yield", "changes"],
)
def test_faults_of_the_module(package, code, words):
    assert words in of_package(package(code))


def test_no_upper_bound_on_tunesmith(package):
    words = of_package(package("", requires="tunesmith>=0.1"))
    assert "metadata: it does not say up to which tunesmith it works\n    given: tunesmith>=0.1" in words


def test_no_licence(package):
    assert "metadata: it does not say its licence" in of_package(package("", metadata=""))


def test_a_package_without_faults(package):
    assert check_plugin(package("")).ok


# ---- faults of what it provides -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (
            [spec(TransformSpec, "NoSuchThing")],
            "the target of the transform thing cannot be used\n    given: faults:NoSuchThing: importing it failed",
        ),
        ([spec(TrackerSpec, "Squeeze")], "expected: a subclass of tunesmith.training.Tracker"),
        (
            [spec(TransformSpec, "Squeeze"), spec(TaskSpec, "Good", name="text-classification")],
            "names: the task text-classification has the name of a built-in",
        ),
        ([dataset("mutating")], "specs-unharmed: the spec of the dataset films was changed in use"),
        ([dataset(license="do what you like")], "license: the licence of the data is no SPDX expression"),
        ([dataset("no_test")], "splits: the split 'test' cannot be read\n    given: KeyError: 'test'"),
        ([dataset("empty_test")], "splits: the split 'test' is empty"),
        ([dataset("shuffled")], "same-twice: the split 'train' is not the same each time"),
        ([dataset("online")], "splits: it goes online\n    given: a connection to films.example"),
        ([dataset(task="no-such-task")], "task: there is no task of the name that the spec says"),
        ([dataset("unlabelled", task="text-classification")], "do not fit the task text-classification"),
        ([spec(MetricSpec, "exact", greater_is_better=False)], "direction: worse answers get the better figure"),
        ([spec(AugmentationSpec, "Moody", changes="text")], "for the same value and an equal generator"),
        ([spec(TransformSpec, "InPlace")], "changes: it changes the row it is given"),
        (
            [spec(TransformSpec, "Stubborn")],
            "the transform thing needs keys\n    given: no default for pattern",
        ),
        ([spec(TrackerSpec, "Crashing")], "follows: step_done raises\n    given: ZeroDivisionError: no tokens"),
        ([spec(ReaderSpec, "read", suffixes=(".lines",))], "garbage: it fails on a file that is none of its own"),
        ([spec(ExporterSpec, "Squeeze")], "protocol: the exporter thing lacks methods"),
        ([spec(AccessSpec, "Squeeze")], "protocol: the access thing lacks methods"),
        ([spec(RouteSpec, "not_async")], "async: it is no async function"),
        (
            [spec(CommandSpec, "broken_app")],
            "help: `tunesmith thing --help` fails\n    given: RuntimeError: Could not",
        ),
    ],
    ids=lambda value: value.partition("\n")[0][:50] if isinstance(value, str) else "",
)
def test_faults_of_what_is_provided(findings, specs, words):
    assert any(words in text for text in findings(*specs))


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        (ObjectiveSpec, "Zero", "objective.thing.in-a-job: a job that uses it fails\n    given: the objective"),
        (ReportSectionSpec, "Broken", "report_section.thing.in-a-job: the report is written without it"),
    ],
    ids=["objective", "report-section"],
)
def test_what_only_a_job_shows(findings, kind, target, words):
    (text,) = findings(spec(kind, target, tasks=("text-classification",)), train=True)
    assert words in text


def test_an_observer_that_fails(findings):
    def fails(event):
        raise RuntimeError("nobody home")

    (text,) = findings(tunesmith_evaluated=fails)
    assert text.startswith("observers: tunesmith_evaluated raises\n    given: RuntimeError: nobody home")


def test_a_gate_that_fails(findings):
    found = findings(tunesmith_authorize=lambda action: action.details["recipe"])
    assert found[0].startswith("gate: the gate fails when it is asked about 'train'")


def test_a_data_set_by_itself():
    with plugin_installed(one_hook(dataset("no_test")), name="faulty"):
        assert check_dataset("films", "train").passed == ("license", "splits", "same-twice")
        with pytest.raises(ConformanceError, match="the split 'test' cannot be read"):
            check_dataset("faulty/films")
        with pytest.raises(ValueError, match="no split 'dev'; expected one of train, test"):
            check_dataset("films", "dev")
    assert check_dataset(dataset()).ok
