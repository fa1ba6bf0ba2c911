# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows as examples: with their labels where they have them, since a wrong answer is explained beside the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.data.columns import map_columns
from tunesmith.data.rows import Row, RowError
from tunesmith.engine.inputs import parse_inputs
from tunesmith.errors import DataError
from tunesmith.tasks.base import Task

__all__ = ["examples_of"]


def examples_of(task: Task[Any, Any], rows: Sequence[Row], columns: Mapping[str, str] | None = None) -> list[Any]:
    """One example a row, in order; with the answer where the row has one that training knew, else without.

    Args:
        columns: the task's word to your column. Default: as in training.

    Raises:
        DataError: rows that cannot be read, all of them named.
    """
    examples = parse_inputs(task, rows, columns or None)
    return [_labelled(task, row, columns) or example for row, example in zip(rows, examples, strict=True)]


def _labelled(task: Task[Any, Any], row: Row, columns: Mapping[str, str] | None) -> Any | None:
    mapping = dict(columns or {name: column for name, column in task.data.columns.items() if column in row.values})
    try:
        example = task.parse(map_columns(row, task.columns, mapping, labelled=True, recipe=False), labelled=True)
    except (DataError, RowError):  # no answer, or none that can be read: then the row is only predicted
        return None
    known = getattr(task, "labels", None)
    return example if known is None or set(example.labels or ()) <= set(known) else None
