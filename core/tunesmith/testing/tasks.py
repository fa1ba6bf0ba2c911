# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One data set or one task, by everything that Tunesmith asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from tunesmith._plugins import Provided
from tunesmith._plugins.discover import BUILTIN
from tunesmith.data.columns import apply_columns, bind_columns
from tunesmith.data.rows import Origin, Row
from tunesmith.errors import TunesmithError
from tunesmith.plugin import DatasetSpec
from tunesmith.registry import Registry, get_registry
from tunesmith.tasks.base import Task
from tunesmith.testing.bench import Bench
from tunesmith.testing.findings import Check, Finding, Report, SkipCheck, run_checks
from tunesmith.testing.sample_rows import COUNT, sample_rows
from tunesmith.testing.task_checks import learning_checks, row_checks
from tunesmith.testing.task_job import TaskJob, job_checks

__all__ = ["check_task", "rows_for", "task_checks"]

Rows = Sequence[Mapping[str, Any]]


def check_task(
    task: str | type[Task[Any, Any]],
    rows: Rows | None = None,
    *,
    model: str | None = None,
    data: Mapping[str, Any] | None = None,
    train: bool = True,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """The whole life of a task on a handful of rows.

    Rows good and broken are parsed, encoded and put into batches; losses, outputs, scores and what is saved are looked
    at; then two steps are trained on the processor in a temporary folder, and the model is opened, scored and asked.

    Args:
        task: name of a task, or its class (defined at the top of a module).
        rows: labelled rows with the task's own words as columns, a few, of different lengths. Default: of a data set
            whose spec names the task, else made up, if its columns are those of the built-in tasks.
        model: a model it can be built on. Default: the first of some tiny random ones that it takes.
        data: further keys of the recipe's ``data``, e.g. ``{"label_separator": ";"}``.
        train: also the checks with jobs, which take a few seconds.
        expected_failures: id of a check to the reason why it fails.

    Returns:
        What passed, and what was skipped and why.

    Raises:
        ConformanceError: with every finding.
        ValueError: there are no rows to try it with.
    """
    name = task if isinstance(task, str) else f"{task.__module__}:{task.__qualname__}"
    checks = task_checks(task, rows, model=model, data=data, train=train)
    return run_checks(f"task {name!r}", checks, expected_failures)


def task_checks(
    task: str | type[Task[Any, Any]],
    rows: Rows | None = None,
    *,
    model: str | None = None,
    data: Mapping[str, Any] | None = None,
    train: bool = True,
) -> list[Check]:
    """The checks of :func:`check_task`; the rows are found when they are made.

    Raises:
        ValueError: there are no rows to try it with.
    """
    registry = get_registry()
    kind = task if isinstance(task, type) else cast("type[Task[Any, Any]]", registry.load("task", task))
    found = rows if rows is not None else rows_for(kind, registry)
    if not found:
        raise ValueError(
            f"no rows to try the task {kind.__qualname__} with: its columns are "
            f"{', '.join(column.name for column in kind.columns)}; "
            "expected rows=, or a data set whose spec names the task"
        )
    bench = Bench(kind, found, model=model, data=data)
    checks = [*row_checks(bench), *learning_checks(bench), *(job_checks(TaskJob(bench)) if train else ())]
    return [Check(check.id, _inside(bench, check.run)) for check in checks]


def rows_for(kind: type[Task[Any, Any]], registry: Registry) -> Rows | None:
    """A few rows of a data set of the task's own plugin whose spec names the task, else made up, else of another."""
    owners = {one.plugin for one in registry.all("task") if registry.load("task", one.full_name) is kind}
    fitting = [one for one in registry.all("dataset") if _made_for(one, kind, registry)]
    own = [one for one in fitting if one.plugin in owners and one.plugin != BUILTIN]
    made_up = None if own else sample_rows(kind.columns)
    if made_up is not None:
        return made_up
    for provided in own or fitting:
        spec = provided.spec
        assert isinstance(spec, DatasetSpec)
        read = cast("Callable[[str], Iterable[Row]]", registry.load("dataset", provided.full_name))
        return _bound(list(islice(_spread(read(spec.splits[0])), COUNT)), kind, provided)
    return None


def _made_for(provided: Provided, kind: type[Any], registry: Registry) -> bool:
    spec = provided.spec
    assert isinstance(spec, DatasetSpec)
    try:
        return spec.task is not None and registry.load("task", spec.task) is kind
    except TunesmithError:
        return False


def _spread(rows: Iterable[Row]) -> Iterator[Row]:
    """Different rows first: many data sets are sorted by their answers."""
    some = list(islice(rows, 400))
    step = max(1, len(some) // COUNT)
    yield from some[::step]


def _bound(rows: Sequence[Row], kind: type[Task[Any, Any]], provided: Provided) -> Rows:
    """With the task's words for columns."""
    available = list(dict.fromkeys(name for row in rows for name in row.values))
    binding = bind_columns(available, kind.columns, {}, where=provided.full_name)
    return [apply_columns(Row(row.values, Origin("row", 0)), binding).values for row in rows]


def _inside(bench: Bench, run: Callable[[], Iterable[Finding]]) -> Callable[[], list[Finding]]:
    def inside() -> list[Finding]:
        if not bench.rows:
            raise SkipCheck("there are no rows to try it with")
        with bench.installed():
            return list(run())

    return inside
