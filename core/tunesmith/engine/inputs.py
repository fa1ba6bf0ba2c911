# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What people hand to ``Model.predict``, as rows and examples of the model's task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tunesmith.data.columns import map_columns
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, Problem
from tunesmith.tasks.base import Task

__all__ = ["parse_inputs", "prompt_of"]


def parse_inputs(task: Task[Any, Any], rows: Any, columns: Mapping[str, str] | None = None) -> list[Any]:
    """Examples without labels, in order.

    Args:
        task: whose ``parse`` reads them.
        rows: one row or many; a row is a mapping, a :class:`Row` with its own origin, or the bare value of the task's
            input column (text; a path, bytes or array for images; messages).
        columns: the task's word to the name of the rows' column. Default: as the model was trained, where a row
            has such a column.

    Raises:
        DataError: rows that cannot be read, all of them, named ``rows[0]``, ``rows[1]``, … or by their file and line.
        TypeError: something that is no row at all.
    """
    examples: list[Any] = []
    problems: list[Problem] = []
    first: DataError | None = None
    for number, value in enumerate(_many(rows)):
        row = _row(task, value, number)
        try:
            examples.append(task.parse(_mapped(task, row, columns), labelled=False))
        except DataError as error:
            first = first or error
            problems.append(Problem(row.origin, error.what.removeprefix(f"{row.origin}: ")))
        except RowError as error:
            problems.append(Problem(row.origin, str(error)))
    if problems:
        raise DataError(
            f"{len(problems):,} of {len(examples) + len(problems):,} rows cannot be predicted",
            expected=first.expected if first else None,
            fix=first.fix if first else "correct these rows or leave them out",
            problems=problems,
        )
    return examples


def prompt_of(example: Any) -> Any:
    """What a language model is to go on from: the text, or the conversation up to the answer."""
    messages = getattr(example, "messages", None)
    if messages is None:
        return example.text
    end = len(messages)
    while end and messages[end - 1].role == "assistant":
        end -= 1
    return list(messages[:end])


def _many(rows: Any) -> Iterable[Any]:
    if isinstance(rows, (str, bytes, Path, Mapping, Row)) or hasattr(rows, "__array_interface__"):
        return [rows]
    if not isinstance(rows, Iterable):
        raise TypeError(f"rows must be a row or several, given {type(rows).__name__}: {rows!r:.100}")
    return rows


def _row(task: Task[Any, Any], value: Any, number: int) -> Row:
    if isinstance(value, Row):
        return value
    origin = Origin(f"rows[{number}]")
    if isinstance(value, Mapping):
        return Row(value, origin)
    column = next((column.name for column in task.columns if not column.target), "messages")
    if column == "image":
        return Row({column: Path(value) if isinstance(value, str) else value}, origin)
    if column == "messages" and isinstance(value, str):
        return Row({column: [{"role": "user", "content": value}]}, origin)
    if isinstance(value, (str, list)):
        return Row({column: value}, origin)
    raise TypeError(
        f"rows[{number}] must be a mapping of columns, or the {column!r} alone, "
        f"given {type(value).__name__}: {value!r:.100}"
    )


def _mapped(task: Task[Any, Any], row: Row, columns: Mapping[str, str] | None) -> Row:
    if columns is None:
        learned = task.data.columns.items()
        columns = {word: name for word, name in learned if name in row.values and word not in row.values}
    if not task.columns and not columns:
        return row
    return map_columns(row, task.columns, columns, labelled=False)
