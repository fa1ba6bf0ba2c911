# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The reader ``series``: files of observations, or of series side by side, as one row a series.

Three forms, told apart by the columns:

- *long*: a column ``value`` (also ``y``, ``target``); ``series`` (``unique_id``, ``item_id``, ``id``) says which series
  a row belongs to, where there are several; ``time`` (``ds``, ``date``, ``datetime``, ``timestamp``) is their order.
- *wide*: no such column. Every column but that of the times is a series.
- *lists*: a column ``values`` with all values of a series, as JSON Lines can hold it.

A row is ``{"series": name, "values": float64 (N,), "start": place}``: values from ``start`` on are to be forecast,
those in front of it are only read. So a file may be cut by time without a forecast ever losing its past.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith.registry import get_registry
from tunesmith_forecast.cells import ascending, find_gaps, number_of, time_of
from tunesmith_forecast.spans import Span, parse_span

__all__ = ["SERIES", "TIME", "VALUE", "read"]

VALUE = ("value", "y", "target")
SERIES = ("series", "unique_id", "item_id", "id")
TIME = ("time", "ds", "date", "datetime", "timestamp")

_READERS = {".csv": "tunesmith/csv", ".tsv": "tunesmith/tsv", ".jsonl": "tunesmith/jsonl", ".json": "tunesmith/json"}
_GAPS_TOLD = 5  # of a series; a wrong step would be told once a row


@dataclass(slots=True)
class _Series:
    """One series while it is read.

    Attributes:
        values, times: in the order of the file; no times without a column of them.
        lines: of the file.
        dates: the times are dates, and not numbers; ``None``: no time yet.
        broken: one of its rows is a problem, so it cannot be used.
    """

    name: str
    values: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    dates: bool | None = None
    broken: bool = False


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """The series of a file, in the order in which they begin; see the top of this module.

    A value that is missing or no number, two values for one time, and a gap between times are problems.

    Raises:
        DataError: the file cannot be read, has no values, or ``options.part`` is no span of time.
    """
    span = parse_span(options.part, path)
    rows = iter(_rows(path, options))
    first: list[Row | Problem] = []
    for item in rows:
        first.append(item)
        if isinstance(item, Row):
            break
    head = first[-1] if first and isinstance(first[-1], Row) else None
    if head is None:
        yield from first
        return
    every = chain(first, rows)
    if "values" in head.values:
        yield from _lists(every, span)
    else:
        yield from _columns(path, every, list(head.values), span)


def _rows(path: Path, options: ReadOptions) -> Iterable[Row | Problem]:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in _READERS:
        raise DataError(
            f"{path}: no file of time series, by its ending",
            given=path.name,
            expected=f"one of {' '.join(_READERS)} (also with .gz)",
            fix="rename it after what it holds, or export it as CSV",
        )
    reader = cast(
        "Callable[[Path, ReadOptions], Iterable[Row | Problem]]", get_registry().load("reader", _READERS[suffix])
    )
    return reader(path, replace(options, part=None))


# ---- a row a series ----------------------------------------------------------------------------


def _lists(rows: Iterable[Row | Problem], span: Span) -> Iterator[Row | Problem]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Problem) or not isinstance(row.values.get("values"), list):
            yield row if isinstance(row, Problem) else Problem(row.origin, "'values' holds no list of numbers")
            continue
        name = next((str(row.values[key]) for key in SERIES if row.values.get(key) is not None), str(number))
        series, problem = _Series(name), None
        for place, cell in enumerate(row.values["values"]):
            try:
                series.values.append(number_of(cell))
            except ValueError as error:
                problem = Problem(row.origin, f"values[{place}] {error}")
                break
        yield problem or _finished(series, row.origin, span)


# ---- columns -----------------------------------------------------------------------------------


def _columns(path: Path, rows: Iterable[Row | Problem], names: Sequence[str], span: Span) -> Iterator[Row | Problem]:
    value, time, group = (_find(path, names, words) for words in (VALUE, TIME, SERIES))
    if value is None and group is not None:
        raise DataError(
            f"{path}: a column {group!r} names series, and no column holds their values",
            given=f"columns {', '.join(names)}",
            expected=f"a column {' or '.join(VALUE)} beside it; or, without {group!r}, a column a series",
            fix="rename the column of the values to 'value'",
        )
    wide = [] if value is not None else [name for name in names if name != time]
    if value is None and not wide:
        raise DataError(
            f"{path}: no column of values",
            given=f"columns {', '.join(names)}",
            expected=f"a column {' or '.join(VALUE)}, or a column a series",
            fix="name the columns in the first line",
        )
    found: dict[str, _Series] = {}
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        if value is None:
            cells = [(name, name, row.values.get(name)) for name in wide]
        else:
            name = "" if row.values.get(group or "") is None else str(row.values[group or ""])
            cells = [(name or path.name.split(".")[0], value, row.values.get(value))]
        for name, column, cell in cells:
            series = found.setdefault(name, _Series(name))
            wrong = _add(series, row, column, cell, time)
            if wrong is not None:
                series.broken = True
                yield wrong
    for series in found.values():
        if not series.broken:
            yield from _checked(series, path, span)


def _find(path: Path, names: Sequence[str], words: Sequence[str]) -> str | None:
    """The column of one of these names, whatever its case."""
    found = [name for name in names if name.strip().lower() in words]
    if len(found) > 1:
        raise DataError(
            f"{path}: several columns could be the {words[0]}: {', '.join(found)}",
            given=f"columns {', '.join(names)}",
            expected=f"one of {', '.join(words)}",
            fix="rename the others, or leave them out",
        )
    return found[0] if found else None


def _add(series: _Series, row: Row, column: str, cell: Any, time: str | None) -> Problem | None:
    """Take in one value; or why not."""
    try:
        number = number_of(cell)
    except ValueError as error:
        return Problem(row.origin, f"{column} {error}")
    if time is not None:
        try:
            moment, is_date = time_of(row.values.get(time))
        except ValueError as error:
            return Problem(row.origin, f"{time} {error}")
        if series.dates not in (None, is_date):
            return Problem(row.origin, f"{time} is {'a date' if is_date else 'a number'}, unlike in the rows above")
        series.dates = is_date
        series.times.append(moment)
    series.values.append(number)
    series.lines.append(row.origin.line or 0)
    return None


def _checked(series: _Series, path: Path, span: Span) -> Iterator[Row | Problem]:
    """A series in the order of its times, if they are one step apart."""
    if series.times:
        order = ascending(series.times)
        for name in ("values", "times", "lines"):
            held = getattr(series, name)
            setattr(series, name, array(held.typecode, np.asarray(held)[order].tobytes()))
        gaps = find_gaps(np.asarray(series.times), bool(series.dates))
        for place, what in gaps[:_GAPS_TOLD]:
            hidden = len(gaps) - _GAPS_TOLD
            more = f"; and {hidden:,} more in this series" if hidden > 0 and place == gaps[_GAPS_TOLD - 1][0] else ""
            advice = "fill them in, or leave the column of times out: rows are then one step apart"
            yield Problem(Origin(str(path), series.lines[place]), f"series {series.name}: {what}{more}; {advice}")
        if gaps:
            return
    yield _finished(series, Origin(str(path), series.lines[0]), span)


def _finished(series: _Series, origin: Origin, span: Span) -> Row | Problem:
    values: NDArray[np.float64] = np.asarray(series.values, dtype=np.float64)
    times = np.asarray(series.times, dtype=np.float64) if series.times else None
    try:
        start, end = span.places(len(values), times, bool(series.dates))
    except ValueError as error:
        return Problem(origin, f"series {series.name} {error}")
    cut: Mapping[str, Any] = {"series": series.name, "values": values[:end], "start": min(start, end)}
    return Row(cut, origin)
