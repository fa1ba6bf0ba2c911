# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One installed plugin, by everything that Tunesmith asks of plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tunesmith._plugins import Provided
from tunesmith.plugin import DatasetSpec
from tunesmith.testing.datasets import dataset_checks
from tunesmith.testing.findings import Check, Finding, Report, SkipCheck, each_check, run_checks
from tunesmith.testing.package_checks import package_checks
from tunesmith.testing.spec_checks import spec_checks
from tunesmith.testing.subject import Subject
from tunesmith.testing.tasks import task_checks

__all__ = ["check_dataset", "check_plugin", "plugin_checks"]


def check_plugin(
    name: str,
    *,
    rows: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
    train: bool = True,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Everything that Tunesmith asks of a plugin, tried by what this one brings.

    How it is imported, what its hooks answer, what its package says; of each thing it provides that the object is
    there, is of the right sort and does what its spec says; of its data sets and tasks as :func:`check_dataset` and
    :func:`check_task`. No network can be reached meanwhile.

    Args:
        name: of its entry point, or as :func:`plugin_installed` was told.
        rows: short name of a task to labelled rows for it; needed where no data set of the plugin names the task and
            its columns are not those of the built-in tasks.
        models: short name of a task to a model it can be built on. Default: the first of some tiny ones that it takes.
        train: also the checks with jobs, which take a few seconds for each task, objective and section of the report.
        expected_failures: id of a check to the reason why it fails.

    Returns:
        What passed, and what was skipped and why.

    Raises:
        ConformanceError: with every finding; each says what was given, what was expected and what to do.
        NotFoundError: no such plugin is installed.
        ValueError: ``expected_failures`` names no check that there is.
    """
    checks = _checks(name, rows or {}, models or {}, train)
    return run_checks(f"plugin {name!r}", checks, expected_failures)


def plugin_checks(
    name: str,
    *,
    rows: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
    train: bool = True,
) -> list[tuple[str, Callable[[], None]]]:
    """The checks of :func:`check_plugin` one by one, each with its id::

        @pytest.mark.parametrize("check", [pytest.param(run, id=id) for id, run in plugin_checks("films")])
        def test_the_plugin(check):
            check()

    Each raises ``ConformanceError``, or ``unittest.SkipTest`` with the reason where there is nothing to look at.
    """
    return each_check(f"plugin {name!r}", _checks(name, rows or {}, models or {}, train))


def check_dataset(
    dataset: str | DatasetSpec, split: str | None = None, *, expected_failures: Mapping[str, str] | None = None
) -> Report:
    """One data set: its splits are there, its rows are those of its task and the same each time, its licence is known.

    Args:
        dataset: name of a data set, or its spec.
        split: look at this split only.
        expected_failures: id of a check to the reason why it fails.

    Raises:
        ConformanceError: with every finding.
        NotFoundError: no such data set.
        ValueError: it has no such split.
    """
    name = dataset if isinstance(dataset, str) else dataset.name
    return run_checks(f"dataset {name!r}", dataset_checks(dataset, split), expected_failures)


def _checks(name: str, rows: Mapping[str, Any], models: Mapping[str, str], train: bool) -> list[Check]:
    subject = Subject(name)
    checks = [*package_checks(subject)]
    with subject.in_use():
        for provided in subject.provided:
            prefix = f"{provided.spec.kind}.{provided.spec.name}"
            for check in _of(provided, subject, rows, models, train):
                checks.append(Check(f"{prefix}.{check.id}", _inside(subject, check.run)))
    # The last: by now everything has been used.
    checks.append(Check("specs-unharmed", subject.harm))
    return checks


def _of(
    provided: Provided, subject: Subject, rows: Mapping[str, Any], models: Mapping[str, str], train: bool
) -> Iterable[Check]:
    spec = provided.spec
    yield from spec_checks(provided, subject, train=train)
    if isinstance(spec, DatasetSpec):
        yield from dataset_checks(spec, None)
    elif spec.kind == "task" and not subject.wrong(provided):
        try:
            yield from task_checks(provided.full_name, rows.get(spec.name), model=models.get(spec.name), train=train)
        except Exception as error:  # its own words; the other checks are still to be made
            yield Check("rows", _raising(error))


def _raising(error: Exception) -> Callable[[], Iterable[Finding]]:
    def run() -> Iterable[Finding]:
        if isinstance(error, ValueError):
            raise SkipCheck(str(error)) from error
        raise error

    return run


def _inside(subject: Subject, run: Callable[[], Iterable[Finding]]) -> Callable[[], list[Finding]]:
    def inside() -> list[Finding]:
        with subject.in_use():
            return list(run())

    return inside
