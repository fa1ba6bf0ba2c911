# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What reading gives, and what it needs: examples by split, problems, and a task to parse rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.facts import FileFact
from tunesmith.data.rows import Column, Problem, Row
from tunesmith.errors import DataError

__all__ = ["Problems", "RowTask", "Splits"]

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class RowTask(Protocol[E_co]):
    """What reading needs of a task; :class:`tunesmith.tasks.Task` has it."""

    columns: ClassVar[tuple[Column, ...]]

    def parse(self, row: Row, *, labelled: bool = True) -> E_co:
        """A row as an example, or ``RowError``."""
        ...


@dataclass(frozen=True, slots=True)
class Splits(Generic[E]):
    """The examples of a job.

    Attributes:
        train, validation, test: in the order of the files; empty where the recipe has no such split. Lists, or, where
            the files are large, sequences that parse an example each time it is asked for.
        files: every file and data set read, for the manifest.
        notes: counted facts people must know, ready to print.
        sources: int64 (N,): which entry of ``data.train`` each training row comes from; ``None`` without
            ``data.weights``.
    """

    train: Sequence[E]
    validation: Sequence[E]
    test: Sequence[E]
    files: tuple[FileFact, ...]
    notes: tuple[str, ...]
    sources: NDArray[np.int64] | None = None


@dataclass(slots=True)
class Problems:
    """All problems of all files, told together.

    Attributes:
        found: so far.
        rows: rows read so far, usable or not.
    """

    found: list[Problem] = field(default_factory=list)
    rows: int = 0

    def finish(self, columns: Sequence[Column]) -> None:
        """Raise what was found; ``columns`` are those of the task."""
        if not self.found:
            return
        found, rows = len(self.found), self.rows
        raise DataError(
            f"{found:,} {'problem' if found == 1 else 'problems'} in {rows:,} {'row' if rows == 1 else 'rows'}",
            expected="every row to be usable: none is skipped or repaired silently",
            fix=self._advice(columns),
            problems=self._in_order(),
        )

    def _advice(self, columns: Sequence[Column]) -> list[str]:
        alike = len(self.found) > 1 and len({problem.message for problem in self.found}) == 1
        if not alike or len(self.found) < self.rows:
            return ["correct or remove these rows"]
        words = ", ".join(column.name for column in columns)
        return [
            "every row has the same problem, so look at the columns first",
            f"data.columns says which of your columns is which; the task's words: {words}",
        ]

    def _in_order(self) -> list[Problem]:
        """By file and line: splits drawn by share mix the rows."""
        files = {file: place for place, file in enumerate(dict.fromkeys(p.origin.file for p in self.found))}
        return sorted(self.found, key=lambda problem: (files[problem.origin.file], problem.origin.line or 0))
