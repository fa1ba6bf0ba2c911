# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows and examples that lie in files: a row is read, and an example parsed, each time it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.columns import apply_columns
from tunesmith.data.rows import Origin, Row
from tunesmith.data.store import NotStorableError, Record, Store

if TYPE_CHECKING:
    from tunesmith.data.examples import RowTask

__all__ = ["StoredExamples", "StoredRows", "row_record"]

E = TypeVar("E")
_NO_LINE = -1


def row_record(row: Row, source: int) -> Record:
    """A row of the ``source``-th file as a record.

    Raises:
        NotStorableError: a value that JSON would not give back as it is, such as a date of a Parquet file.
    """
    try:
        text = json.dumps(dict(row.values), ensure_ascii=False, separators=(",", ":"))
        faithful = _same(json.loads(text), row.values)
    except (TypeError, ValueError, RecursionError):
        faithful = False
    if not faithful:
        raise NotStorableError(f"{row.origin}: a value that is neither text, number, list nor object")
    line = _NO_LINE if row.origin.line is None else row.origin.line
    return {
        "values": np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8),
        "line": np.asarray(line, dtype=np.int64),
        "source": np.asarray(source, dtype=np.int64),
    }


def _same(left: Any, right: Any) -> bool:
    """Equal, and of the same types: JSON takes tuples for lists and any key for text."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right) or left != left  # NaN stays NaN


class StoredRows(Sequence[Row]):
    """The rows of a store, or some of them, columns mapped.

    Args:
        store: of records of :func:`row_record`.
        names: of the files, as origins say them.
        bindings: of each file, the task's words to its columns.
        places: which records, in order; default: all.
    """

    def __init__(
        self,
        store: Store,
        names: Sequence[str],
        bindings: Sequence[Mapping[str, str]],
        places: NDArray[np.int64] | None = None,
    ) -> None:
        self._store, self._names, self._bindings = store, names, bindings
        self._places: NDArray[np.int64] = np.arange(len(store)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> StoredRows: ...
    def __getitem__(self, place: int | slice) -> Row | StoredRows:
        if isinstance(place, slice):
            return StoredRows(self._store, self._names, self._bindings, self._places[place])
        record = self._store[int(self._places[place])]
        source, line = int(record["source"]), int(record["line"])
        values = json.loads(record["values"].tobytes().decode("utf-8", "surrogatepass"))
        origin = Origin(self._names[source], None if line == _NO_LINE else line)
        return apply_columns(Row(values, origin), self._bindings[source])

    def __iter__(self) -> Iterator[Row]:
        return (self[place] for place in range(len(self)))


class StoredExamples(Sequence[E], Generic[E]):
    """The examples of stored rows. A slice is a view; pickled, it leaves its task behind (see :meth:`bind`)."""

    def __init__(self, rows: StoredRows, task: RowTask[E] | None) -> None:
        self._rows, self._task = rows, task

    def bind(self, task: RowTask[E]) -> None:
        """Set the task that parses, after unpickling."""
        self._task = task

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> E: ...
    @overload
    def __getitem__(self, place: slice) -> StoredExamples[E]: ...
    def __getitem__(self, place: int | slice) -> E | StoredExamples[E]:
        if isinstance(place, slice):
            return StoredExamples(self._rows[place], self._task)
        if self._task is None:
            raise RuntimeError("bind() must come first")
        return self._task.parse(self._rows[place])

    def __iter__(self) -> Iterator[E]:
        return (self[place] for place in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredExamples, (self._rows, None)
