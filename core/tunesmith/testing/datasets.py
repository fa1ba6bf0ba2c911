# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, cast

from tunesmith.data.columns import apply_columns, bind_columns
from tunesmith.data.rows import Row, RowError
from tunesmith.errors import TunesmithError
from tunesmith.plugin import DatasetSpec
from tunesmith.recipe.schema import DataSection
from tunesmith.registry import get_registry
from tunesmith.testing.findings import Check, Finding, SkipCheck, one_line
from tunesmith.testing.package_checks import no_spdx
from tunesmith.testing.same import same
from tunesmith.testing.subject import load_target

__all__ = ["dataset_checks"]

_LOOKED_AT = 200  # rows of a split
_SHOWN = 3


def dataset_checks(dataset: str | DatasetSpec, split: str | None) -> list[Check]:
    """The checks of a data set; a name is looked up now.

    Raises:
        NotFoundError: no such data set.
        ValueError: it has no such split.
    """
    spec = get_registry().find("dataset", dataset).spec if isinstance(dataset, str) else dataset
    assert isinstance(spec, DatasetSpec)
    if split is not None and split not in spec.splits:
        raise ValueError(f"the dataset {spec.name} has no split {split!r}; expected one of {', '.join(spec.splits)}")
    splits = spec.splits if split is None else (split,)
    return [
        Check("license", lambda: _license(spec)),
        Check("splits", lambda: _splits(spec, splits)),
        Check("same-twice", lambda: _same_twice(spec, splits)),
        Check("task", lambda: _task(spec, splits)),
    ]


def _rows(spec: DatasetSpec, split: str) -> list[Any]:
    read = cast("Callable[[str], Iterable[Row]]", load_target(spec.target))
    return list(islice(read(split), _LOOKED_AT))


def _license(spec: DatasetSpec) -> Iterator[Finding]:
    if no_spdx(spec.license):
        yield Finding(
            problem="the licence of the data is no SPDX expression",
            given=spec.license,
            expected="an identifier of https://spdx.org/licenses, e.g. CC-BY-4.0, or LicenseRef-… for one of its own",
            fix="correct license of the DatasetSpec",
        )


def _splits(spec: DatasetSpec, splits: Iterable[str]) -> Iterator[Finding]:
    for split in splits:
        try:
            rows = _rows(spec, split)
        except Exception as error:
            yield Finding(
                problem=f"the split {split!r} cannot be read",
                given=one_line(error),
                expected=f"rows, since the spec names the split: splits={spec.splits}",
                fix="correct the function, or take the split out of splits",
            )
            continue
        if not rows:
            yield Finding(
                problem=f"the split {split!r} is empty",
                given="no rows",
                expected=f"rows, since the spec names the split: splits={spec.splits}",
                fix="correct the function, or take the split out of splits",
            )
        other = next((row for row in rows if not isinstance(row, Row)), None)
        if other is not None:
            yield Finding(
                problem=f"the split {split!r} gives something else than rows",
                given=f"{type(other).__name__}: {other!r:.100}",
                expected="tunesmith.data.rows.Row, with its Origin",
                fix="yield Row(values, Origin(name, number))",
            )


def _same_twice(spec: DatasetSpec, splits: Iterable[str]) -> Iterator[Finding]:
    for split in splits:
        try:
            first, second = _rows(spec, split), _rows(spec, split)
        except Exception as error:
            raise SkipCheck(f"the split {split!r} cannot be read, see `splits`: {one_line(error)}") from error
        if not same(first, second):
            yield Finding(
                problem=f"the split {split!r} is not the same each time",
                given=f"{_difference(first, second)}, read a second time",
                expected="the same rows in the same order: a job that is resumed reads them again",
                fix="leave chance, the time and a set's order out of it; jobs shuffle rows themselves",
            )


def _difference(first: list[Any], second: list[Any]) -> str:
    if len(first) != len(second):
        return f"{len(first)} rows and then {len(second)}"
    place = next(number for number, pair in enumerate(zip(first, second, strict=True)) if not same(*pair))
    return f"row {place + 1} is {second[place]!r:.160}"


def _task(spec: DatasetSpec, splits: Iterable[str]) -> Iterator[Finding]:
    if spec.task is None:
        raise SkipCheck("its spec names no task")
    try:
        kind: Any = get_registry().load("task", spec.task)
    except TunesmithError as error:
        yield Finding(
            problem="there is no task of the name that the spec says",
            given=f"task={spec.task!r}: {error.what}",
            expected="the full or short name of a task",
            fix="correct task of the DatasetSpec, or depend on the package that brings it",
        )
        return
    task = kind(DataSection(train=["(rows of a check)"]))
    for split in splits:
        try:
            rows = [row for row in _rows(spec, split) if isinstance(row, Row)]
        except Exception as error:
            raise SkipCheck(f"the split {split!r} cannot be read, see `splits`: {one_line(error)}") from error
        if not rows:
            continue
        yield from _parsed(spec, split, rows, task)


def _parsed(spec: DatasetSpec, split: str, rows: list[Row], task: Any) -> Iterator[Finding]:
    available = list(dict.fromkeys(name for row in rows for name in row.values))
    refused: list[str] = []
    try:
        binding = bind_columns(available, task.columns, {}, where=f"dataset:{spec.name}#{split}")
        for row in rows:
            try:
                task.parse(apply_columns(row, binding), labelled=True)
            except RowError as error:
                refused.append(f"{row.origin}: {error}")
    except TunesmithError as error:
        refused.append(one_line(error))
    if refused:
        yield Finding(
            problem=f"rows of the split {split!r} do not fit the task {spec.task}",
            given="; ".join(refused[:_SHOWN]) + (f" ({len(refused)} in all)" if len(refused) > _SHOWN else ""),
            expected="rows that it takes as they are: " + ", ".join(column.name for column in task.columns),
            fix="name the columns as the task does, and leave out rows that cannot be used",
        )
