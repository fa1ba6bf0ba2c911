# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which columns of a table say something, and how their cells become numbers: learned from the training rows.

Shapes: N columns of numbers, C columns of categories.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunesmith.data.rows import Origin, Problem
from tunesmith.errors import DataError
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.table_cells import Cell, cell_number, cell_text

__all__ = ["CategoryColumn", "NumberColumn", "Rows", "learn_columns"]

ALMOST_ALL = 0.9
"""A column of which this share are numbers is meant to be one of numbers: the others are mistakes."""
ID_ROWS = 20
"""Fewer rows than this cannot show that a column identifies them."""
ROWS_PER_BIN, MOST_BINS = 20, 32
SHOWN = 20

Rows = Sequence[tuple[Mapping[str, Cell], Origin]]
"""Cells by column, and where the row stands. A column that a row lacks is missing in it."""


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers.

    Attributes:
        name: as in the file.
        mean: of the training rows.
        scale: their standard deviation; 1 where they are all alike.
        edges: of bins of equally many training rows, standardized, ascending, at least two.
        missing: training rows where it is missing.
    """

    name: str
    mean: float
    scale: float
    edges: tuple[float, ...]
    missing: int

    @property
    def kind(self) -> str:
        """For people."""
        return "number"


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """A column of categories.

    Attributes:
        name: as in the file.
        values: the categories of the training rows, sorted.
        missing: training rows where it is missing.
    """

    name: str
    values: tuple[str, ...]
    missing: int

    @property
    def kind(self) -> str:
        """For people."""
        return plural(len(self.values), "category").replace("categorys", "categories")


AnyColumn = NumberColumn | CategoryColumn


def learn_columns(
    rows: Rows,
    names: Sequence[str],
    *,
    features: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
) -> tuple[list[AnyColumn], list[str]]:
    """The columns worth learning from, in the table's order, and sentences about what was found.

    Left out are columns that hold one value or nothing, and those that only identify their row; the latter are kept if
    ``features`` names them.

    Args:
        rows: the training rows.
        names: the table's columns, without the answer.
        features: the columns to learn from; None for all of ``names``.
        categorical: columns whose numbers are names.

    Raises:
        DataError: unknown columns; a column of numbers with cells that are none; nothing left to learn from.
    """
    refuse_unknown("features", features or (), names)
    refuse_unknown("categorical", categorical, names)
    chosen = [name for name in names if features is None or name in features]
    found: list[AnyColumn] = []
    out: dict[str, list[str]] = {}
    mixed: list[str] = []
    problems: list[Problem] = []
    for name in chosen:
        cells = [values.get(name) for values, _ in rows]
        present = sum(cell is not None for cell in cells)
        numbers = [] if name in categorical else [n for cell in cells if (n := cell_number(cell)) is not None]
        if not present:
            out.setdefault("empty", []).append(name)
        elif len(numbers) == present:
            column = _number_column(name, numbers, len(cells) - present)
            reason = _empty_or_id(column, numbers, kept=features is not None)
            out.setdefault(reason, []).append(name) if reason else found.append(column)
        elif len(numbers) >= ALMOST_ALL * present:
            problems += _no_numbers(name, rows)
        else:
            if numbers:
                mixed.append(f"{name} ({len(numbers):,} of {plural(present, 'cell')} are numbers)")
            texts = [text for cell in cells if (text := cell_text(cell)) is not None]
            category = CategoryColumn(name, tuple(sorted(set(texts))), len(cells) - present)
            reason = _same_or_id(category, present, kept=features is not None)
            out.setdefault(reason, []).append(name) if reason else found.append(category)
    if problems:
        raise _not_all_numbers(problems, rows)
    if not found:
        raise _nothing_left(chosen, out)
    return found, _sentences(found, out, mixed)


def refuse_unknown(key: str, asked: Sequence[str], names: Sequence[str]) -> None:
    """Raise for columns that a key of the recipe names and no row has.

    Raises:
        DataError: with the name that was probably meant.
    """
    unknown = [name for name in asked if name not in names]
    if not unknown:
        return
    fix = []
    for name in unknown:
        near = difflib.get_close_matches(name, names, n=1)
        fix.append(f"did you mean {near[0]!r} for {name!r}?" if near else f"remove {name!r} from data.{key}")
    raise DataError(
        f"data.{key}: the training rows have no column {', '.join(map(repr, unknown))} to learn from",
        given=", ".join(unknown),
        expected=f"some of {_listed(list(names))}",
        fix=fix,
    )


def _number_column(name: str, numbers: Sequence[float], missing: int) -> NumberColumn:
    values = np.asarray(numbers, dtype=np.float64)
    extent = float(values.max() - values.min())
    if extent:  # the second is at most the first, unless squares of tiny numbers vanished
        mean, scale = float(values.mean()), max(float(values.std()), extent / (2 * math.sqrt(len(values))))
    else:
        mean, scale = float(values[0]), 1.0
    bins = min(MOST_BINS, max(2, len(values) // ROWS_PER_BIN))
    standard = (values - mean) / scale
    # In float32, as the net holds them: edges that are one there would make a bin of no width.
    points = np.unique(np.quantile(standard, np.linspace(0, 1, bins + 1)).astype(np.float32)).tolist()
    edges = tuple(points) if len(points) > 1 else (points[0] - 0.5, points[0] + 0.5)
    return NumberColumn(name, mean, scale, edges, missing)


def _empty_or_id(column: NumberColumn, numbers: Sequence[float], *, kept: bool) -> str | None:
    """Why a column of numbers is left out."""
    distinct = set(numbers)
    if len(distinct) == 1 and not column.missing:
        return "the same in every row"
    counts_rows = len(distinct) == len(numbers) and max(distinct) - min(distinct) == len(distinct) - 1
    if counts_rows and len(numbers) >= ID_ROWS and all(number.is_integer() for number in distinct) and not kept:
        return _IDENTIFIES
    return None


def _same_or_id(column: CategoryColumn, present: int, *, kept: bool) -> str | None:
    """Why a column of categories is left out."""
    if len(column.values) == 1 and not column.missing:
        return "the same in every row"
    if present >= ID_ROWS and len(column.values) > 0.95 * present and not kept:
        return _IDENTIFIES
    return None


_IDENTIFIES = "another value in every row, so they only identify it; data.features may name them"


def _no_numbers(name: str, rows: Rows) -> list[Problem]:
    return [
        Problem(origin, f"{name} is {shorten(cell)}, which is no number")
        for values, origin in rows
        if (cell := values.get(name)) is not None and cell_number(cell) is None
    ]


def _not_all_numbers(problems: Sequence[Problem], rows: Rows) -> DataError:
    return DataError(
        "columns of numbers hold cells that are none",
        given=f"{plural(len(problems), 'cell')} in {plural(len(rows), 'training row')}",
        expected="numbers such as 3, -0.5 or 1e-3; nothing, NA, null, ? and the like for what is missing",
        fix=(
            "correct these cells, or empty them if the value is not known",
            "if the column holds names that look like numbers: data.categorical=[COLUMN]; to leave it out: data.ignore",
        ),
        problems=problems,
    )


def _nothing_left(chosen: Sequence[str], out: Mapping[str, Sequence[str]]) -> DataError:
    reasons = "; ".join(f"{', '.join(names[:SHOWN])}: {reason}" for reason, names in out.items())
    return DataError(
        "there is no column to learn from",
        given=reasons or f"columns {', '.join(chosen) or '(none beside the answer)'}",
        expected="at least one column of numbers or categories beside the answer",
        fix="check data.features and data.ignore, and that the rows are the right ones",
    )


def _sentences(found: Sequence[AnyColumn], out: Mapping[str, Sequence[str]], mixed: Sequence[str]) -> list[str]:
    numbers = [_missing(column, column.name) for column in found if isinstance(column, NumberColumn)]
    named = [_missing(one, f"{one.name} ({len(one.values):,})") for one in found if isinstance(one, CategoryColumn)]
    notes = []
    if numbers:
        notes.append(f"{plural(len(numbers), 'column')} of numbers: {_listed(numbers)}")
    if named:
        notes.append(f"{plural(len(named), 'column')} of categories: {_listed(named)}")
    notes += [f"read as categories although some cells are numbers: {one}" for one in mixed]
    for reason, names in out.items():
        notes.append(f"{plural(len(names), 'column')} left out, {reason}: {_listed(list(names))}")
    return notes


def _missing(column: AnyColumn, text: str) -> str:
    return f"{text} [missing in {plural(column.missing, 'row')}]" if column.missing else text


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def shorten(cell: Any) -> str:
    """A cell for a message."""
    text = repr(cell)
    return text if len(text) <= 60 else text[:59] + "…"
