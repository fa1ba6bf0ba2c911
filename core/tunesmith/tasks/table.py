# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A table as a model reads it: what the tasks over tables have in common.

Shapes: R rows of a batch, N columns of numbers, C columns of categories.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Origin, Problem, Row, RowError
from tunesmith.errors import DataError, ModelError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.table_cells import Cell, cell_number, cell_text, table_cell
from tunesmith.tasks.table_columns import (
    AnyColumn,
    CategoryColumn,
    NumberColumn,
    Rows,
    learn_columns,
    refuse_unknown,
    shorten,
)
from tunesmith.tasks.table_state import columns_from_state, columns_to_state

if TYPE_CHECKING:
    import torch

    from tunesmith.models.source import ModelSource

__all__ = ["Table"]

FARTHEST = 1000.0
"""Standard deviations from the mean. Cells farther out are read as so far: beyond, answers lose their sense."""
MANY_ROWS = 10_000
"""From so many training rows on the net is wider."""
WIDTHS = (96, 256)
"""Units of a hidden layer, for few rows and for many. The first is below what bf16 would be worth (see precision)."""

_UNSEEN = "{count} of a category that training never saw: {where}"
_GONE = "{count} missing in columns that training never missed: {where}"
_FAR = f"{{count}} farther than {FARTHEST:,.0f} standard deviations from the mean, read as so far: {{where}}"


class Table:
    """Reads cells, learns columns, and makes arrays of rows.

    Args:
        data: ``features``, ``ignore`` and ``categorical`` are used.
        answer: the task's word for the column to predict.
    """

    def __init__(self, data: DataSection, answer: str) -> None:
        self._data = data
        self._answers = {answer, data.columns.get(answer, answer)}
        self._named = set(data.features or ()) | set(data.categorical)
        self._odd: dict[str, Counter[str]] = {_UNSEEN: Counter(), _GONE: Counter(), _FAR: Counter()}
        self._cells = 0
        self.numbers: tuple[NumberColumn, ...] = ()
        self.categories: tuple[CategoryColumn, ...] = ()
        self._codes: tuple[dict[str, int], ...] = ()
        self._gone: tuple[int, ...] = ()

    @property
    def columns(self) -> tuple[AnyColumn, ...]:
        """All columns the model reads: first numbers, then categories."""
        return (*self.numbers, *self.categories)

    @property
    def names(self) -> list[str]:
        """Names of ``columns``."""
        return [column.name for column in self.columns]

    def counted(self) -> list[str]:
        """What was met in cells that training did not prepare for."""
        sentences = []
        for text, columns in self._odd.items():
            if columns:
                where = ", ".join(f"{name} ({count:,})" for name, count in sorted(columns.items()))
                sentences.append(text.format(count=f"{plural(columns.total(), 'cell')}", where=where))
        return sentences

    # ---- rows ----------------------------------------------------------------------------------

    def read(self, row: Row, *, labelled: bool) -> dict[str, Cell]:
        """The cells of a row, without the answer.

        Before columns are learned, those that the recipe leaves out are there with nothing in them, so that a misspelt
        name can be told from a column that is not wanted.

        Raises:
            RowError: a cell that is neither number nor text; to predict: a column is not there.
        """
        if self.columns:
            if not labelled:
                self._refuse_lacking(row)
            return {name: table_cell(name, row.values[name]) for name in self.names if name in row.values}
        return {
            name: table_cell(name, value) if self._may_matter(name) else None
            for name, value in row.values.items()
            if name not in self._answers
        }

    def _may_matter(self, name: str) -> bool:
        data = self._data
        return name not in data.ignore if data.features is None else name in data.features

    def _refuse_lacking(self, row: Row) -> None:
        lacking = [name for name in self.names if name not in row.values]
        if not lacking:
            return
        near = difflib.get_close_matches(lacking[0], [str(name) for name in row.values], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "a value that is not known is null, or an empty cell"
        raise RowError(f"there is no column {', '.join(map(repr, lacking))}, which the model reads; {hint}")

    def learn(self, rows: Rows) -> list[str]:
        """Learn the columns from the training rows; gives sentences about them.

        Raises:
            DataError: see :func:`tunesmith.tasks.table_columns.learn_columns`.
        """
        data = self._data
        names = list(dict.fromkeys(name for values, _ in rows for name in values))
        refuse_unknown("ignore", data.ignore, names)
        both = sorted(self._named.intersection(data.ignore))
        if both:
            raise DataError(
                f"data.ignore leaves out {', '.join(both)}, which data.features or data.categorical names",
                given=", ".join(both),
                expected="every column in one of them",
                fix="remove it from one",
            )
        kept = [name for name in names if name not in data.ignore]
        found, notes = learn_columns(rows, kept, features=data.features, categorical=data.categorical)
        self._set(found)
        return notes

    def check(self, rows: Rows, split: str) -> None:
        """A column that no row of a split has was probably renamed.

        Raises:
            DataError: names it.
        """
        there = {name for values, _ in rows for name in values}
        lacking = [name for name in self.names if name not in there]
        if rows and lacking:
            raise DataError(
                f"the {split} rows have no column {', '.join(map(repr, lacking))}, which the model reads",
                given=f"columns {', '.join(sorted(there)) or '(none that it reads)'}",
                expected=f"columns {', '.join(self.names)}",
                fix="name the columns as in the training rows; a value that is not known is an empty cell",
            )

    # ---- arrays --------------------------------------------------------------------------------

    def encode(self, values: Mapping[str, Cell], origin: Origin) -> dict[str, np.ndarray[Any, Any]]:
        """The features ``numbers``, float32 (N,), NaN where missing, and ``categories``, int64 (C,).

        Raises:
            DataError: a cell of a column of numbers is none.
        """
        numbers = np.empty(len(self.numbers), dtype=np.float32)
        for place, column in enumerate(self.numbers):
            numbers[place] = self._number(column, values.get(column.name), origin)
        codes = np.empty(len(self.categories), dtype=np.int64)
        for place, named in enumerate(self.categories):
            codes[place] = self._code(place, named, values.get(named.name))
        return {"numbers": numbers, "categories": codes}

    def _number(self, column: NumberColumn, cell: Cell, origin: Origin) -> float:
        if cell is None:
            if not column.missing:
                self._odd[_GONE][column.name] += 1
            return float("nan")
        number = cell_number(cell)
        if number is None:
            raise DataError(
                "columns of numbers hold cells that are none",
                expected="numbers in the columns that held numbers in training; an empty cell for what is not known",
                fix="correct these cells, or empty them",
                problems=[Problem(origin, f"{column.name} is {shorten(cell)}, which is no number")],
            )
        standard = (number - column.mean) / column.scale
        if abs(standard) > FARTHEST:
            self._odd[_FAR][column.name] += 1
        return min(max(standard, -FARTHEST), FARTHEST)

    def _code(self, place: int, column: CategoryColumn, cell: Cell) -> int:
        text = cell_text(cell)
        if text is None:
            if not column.missing:
                self._odd[_GONE][column.name] += 1
            return self._gone[place]
        code = self._codes[place].get(text)
        if code is None:
            self._odd[_UNSEEN][column.name] += 1
            return 0
        return code

    def inputs(self, items: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        """Items as the model's inputs."""
        import torch

        return {
            name: torch.from_numpy(np.stack([item.features[name] for item in items]))
            for name in ("numbers", "categories")
        }

    # ---- model ---------------------------------------------------------------------------------

    def model_config(self, source: ModelSource, rows: int) -> dict[str, Any]:
        """What a net must know of the columns, for ``load_weights``.

        Raises:
            ModelError: the model is not made from scratch, so it has other columns.
        """
        if source.scratch is None:
            raise ModelError(
                "a net for tables fits the columns it was made for, and is made anew for every table",
                given=source.name,
                expected="model: scratch:tabular-mlp",
                fix="train from scratch; a table of a few thousand rows takes seconds",
            )
        return {
            "table_edges": [list(column.edges) for column in self.numbers],
            "table_categories": len(self.categories),
            "table_codes": 1 + sum(len(column.values) + bool(column.missing) for column in self.categories),
            "width": WIDTHS[rows >= MANY_ROWS],
        }

    def state(self) -> list[dict[str, Any]]:
        """The columns, as JSON."""
        return columns_to_state(self.columns)

    def restore(self, state: Mapping[str, Any]) -> None:
        """The counterpart of ``state``, from under the key ``table``.

        Raises:
            ModelError: what is there is not what was saved.
        """
        self._set(columns_from_state(state))

    def _set(self, columns: Sequence[AnyColumn]) -> None:
        self.numbers = tuple(column for column in columns if isinstance(column, NumberColumn))
        self.categories = tuple(column for column in columns if isinstance(column, CategoryColumn))
        # Code 0 is what training never saw. Missing has a code of its own where training could learn what it means.
        codes, gone, following = [], [], 1
        for column in self.categories:
            gone.append(following if column.missing else 0)
            following += bool(column.missing)
            codes.append({value: following + place for place, value in enumerate(column.values)})
            following += len(column.values)
        self._codes, self._gone = tuple(codes), tuple(gone)
