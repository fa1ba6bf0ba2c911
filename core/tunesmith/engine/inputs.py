# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What people hand to ``Model.predict``, as rows and examples of the model's task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunesmith.data.columns import map_columns
from tunesmith.data.rows import Origin, Row, RowError, half_character
from tunesmith.errors import DataError, Problem
from tunesmith.tasks.base import Task

__all__ = ["check_prompt", "parse_inputs", "prompt_of"]


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
    unmapped: list[tuple[Row, DataError]] = []
    for number, value in enumerate(_many(rows)):
        row = _row(task, value, number, mapped=bool(columns))
        try:
            examples.append(task.parse(_mapped(task, row, columns), labelled=False))
        except DataError as error:
            unmapped.append((row, error))
            problems.append(Problem(row.origin, error.what.removeprefix(f"{row.origin}: ")))
        except RowError as error:
            problems.append(Problem(row.origin, str(error)))
    if problems:
        if len(unmapped) == len(problems) and not examples:
            _refuse_file(unmapped)
        first = unmapped[0][1] if unmapped else None
        raise DataError(
            f"{len(problems):,} of {len(examples) + len(problems):,} rows cannot be predicted",
            expected=first.expected if first else None,
            fix=first.fix if first else "correct these rows or leave them out",
            problems=problems,
        )
    return examples


def _refuse_file(unmapped: Sequence[tuple[Row, DataError]]) -> None:
    """A column that no row of a file has is one error, not one a row."""
    row, error = unmapped[0]
    where = row.origin.file
    if len(unmapped) > 1 and all(
        other.origin.file == where and tuple(other.values) == tuple(row.values) for other, _ in unmapped
    ):
        what = error.what.removeprefix(f"{row.origin}: ")
        raise DataError(f"{where}: {what}", given=error.given, expected=error.expected, fix=error.fix)


def prompt_of(example: Any) -> Any:
    """What a language model goes on from, or answers: the text, the source, the conversation up to the answer."""
    messages = getattr(example, "messages", None)
    if messages is None:
        return example.source if hasattr(example, "source") else example.text
    end = len(messages)
    while end and messages[end - 1].role == "assistant":
        end -= 1
    return list(messages[:end])


def check_prompt(prompt: str | Sequence[Mapping[str, Any]]) -> None:
    """See that a prompt is text, before a tokenizer reads it.

    Raises:
        DataError: it holds half of a character, as a terminal in another encoding makes them.
    """
    messages: Sequence[Any] = [{"content": prompt}] if isinstance(prompt, str) else prompt
    contents = (one.get("content") if isinstance(one, Mapping) else getattr(one, "content", "") for one in messages)
    texts = [content for content in contents if isinstance(content, str)]
    half = next(filter(None, map(half_character, texts)), None)
    if half is not None:
        raise DataError(
            "the prompt holds something that is no text",
            given=f"half of a character: a {half} without its other half",
            expected="text; in a terminal: in the terminal's own encoding",
            fix="check where the prompt comes from",
        )


def _many(rows: Any) -> Iterable[Any]:
    if isinstance(rows, (str, bytes, Path, Mapping, Row)) or hasattr(rows, "__array_interface__"):
        return [rows]
    if not isinstance(rows, Iterable):
        raise TypeError(f"rows must be a row or several, given {type(rows).__name__}: {rows!r:.100}")
    return rows


def _row(task: Task[Any, Any], value: Any, number: int, *, mapped: bool) -> Row:
    origin = Origin(f"rows[{number}]")
    if isinstance(value, Row):
        if mapped or not _is_plain_line(task, value):
            return value
        value, origin = value.values["text"], value.origin
    if isinstance(value, Mapping):
        return Row(value, origin)
    column = next((column.name for column in task.columns if not column.target), None if task.columns else "messages")
    if column == "image":
        return Row({column: Path(value) if isinstance(value, str) else value}, origin)
    if column == "messages" and isinstance(value, str):
        return Row({column: [{"role": "user", "content": value}]}, origin)
    if column is not None and isinstance(value, (str, list)):
        return Row({column: value}, origin)
    alone = "" if column is None else f", or the {column!r} alone"
    raise TypeError(f"rows[{number}] must be a mapping of columns{alone}, given {type(value).__name__}: {value!r:.100}")


def _is_plain_line(task: Task[Any, Any], row: Row) -> bool:
    """A line of a text file, for a task with an input but none of that name (chat, images): it is the input alone."""
    if tuple(row.values) != ("text",) or not isinstance(row.values["text"], str):
        return False
    inputs = [column.name for column in task.columns if not column.target]
    return bool(inputs) and "text" not in inputs


def _mapped(task: Task[Any, Any], row: Row, columns: Mapping[str, str] | None) -> Row:
    if columns is None:
        learned = task.data.columns.items()
        columns = {word: name for word, name in learned if name in row.values}
    if not task.columns and not columns:
        return row
    return map_columns(row, task.columns, columns, labelled=False, recipe=False)
