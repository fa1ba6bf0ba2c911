# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows for `tunesmith predict`: from anything the data room reads, or line by line from a pipe.

Rows come in batches. From a file a batch is a fixed number of rows; from a pipe it is what one read gave, so
that a slow writer gets each answer at once and a fast one gets the speed of large batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import RawIOBase
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from tunesmith.errors import DataError, Origin, Problem

if TYPE_CHECKING:
    from tunesmith.data.rows import Row
    from tunesmith.recipe.schema import DataSection

__all__ = ["STDIN", "from_file", "from_pipe"]

STDIN = "stdin"
ROWS = 256  # of a file, in one batch
BYTES = 1 << 16  # of a pipe, in one read


def from_file(source: str, section: DataSection) -> Iterator[list[Row]]:
    """The rows of a file, pattern, folder or dataset.

    Raises:
        DataError: the source, or rows of a batch, cannot be used; the batches before it have been given.
    """
    from tunesmith.data import read_rows
    from tunesmith.registry import get_registry

    rows = iter(read_rows([source], section, get_registry()))
    while batch := list(islice(rows, ROWS)):
        yield _usable(batch)


def from_pipe(pipe: RawIOBase | BinaryIO, column: str, *, as_json: bool | None = None) -> Iterator[list[Row]]:
    """The lines of a pipe: JSON objects if the first line is one, else each line is the text itself.

    Empty lines ask nothing and get no answer.

    Args:
        pipe: read without a buffer in between: a read gives what has arrived.
        column: the column that a plain line becomes.
        as_json: True or False: do not look at the first line.

    Raises:
        DataError: as :func:`from_file`.
    """
    from tunesmith.data.rows import Row

    expected = "expected a JSON object" + (", as in the first line" if as_json is None else "")
    number = 0
    for lines in _lines(pipe):
        batch: list[Row | Problem] = []
        for line in lines:
            number += 1
            origin = Origin(STDIN, number)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                batch.append(Problem(origin, f"not UTF-8: byte {line[error.start]:#04x} at column {error.start + 1}"))
                continue
            if not text.strip():
                continue
            value = None if as_json is False else _object(text)
            if as_json is None:
                as_json = value is not None
            if not as_json:
                batch.append(Row({column: text}, origin))
            elif value is None:
                batch.append(Problem(origin, f"{expected}, found {text[:60]!r}"))
            else:
                batch.append(Row(value, origin))
        if batch:
            yield _usable(batch)


def _lines(pipe: RawIOBase | BinaryIO) -> Iterator[list[bytes]]:
    """Whole lines, as many as each read completes."""
    rest = b""
    while data := pipe.read(BYTES):
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _object(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _usable(batch: list[Row | Problem]) -> list[Row]:
    problems = [item for item in batch if isinstance(item, Problem)]
    if problems:
        raise DataError(
            f"{len(problems):,} of {len(batch):,} rows cannot be used",
            expected="every row to be readable: none is skipped",
            fix="correct these rows; what was answered so far belongs to rows before them",
            problems=problems,
        )
    return [item for item in batch if not isinstance(item, Problem)]
