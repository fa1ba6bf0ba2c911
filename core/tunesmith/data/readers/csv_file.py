# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""CSV and TSV.

The record splitter is ours rather than :mod:`csv` for three reasons: its field limit (131,072 characters)
is a global of the process, and a library must not change it for everybody; it reads on silently after
a stray or unclosed quote; and it cannot say on which line a row of several lines starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tunesmith.data.readers.opened import control_character, text_lines
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["read", "read_tsv"]

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class _Record:
    """Cells of one row, or why it has none; ``line`` is where it starts."""

    line: int
    cells: list[str]
    fault: str | None = None


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows of a CSV file: a header line, then one row a record (RFC 4180).

    The delimiter is the one of ``,`` ``;`` tab ``|`` that the header line uses; quoted cells may hold
    it, line ends and doubled quotes. Lines with nothing on them are no rows. An empty cell is ``""``.
    With ``options.column_names`` the first line is a row already, unless it holds nothing but some of these names; its
    delimiter is the one that gives as many cells as there are names.

    Raises:
        DataError: empty file, wrong encoding, no usable header.
    """
    lines = text_lines(path, options.encoding)
    first = next(lines, "")
    delimiter = _delimiter(first, len(options.column_names))
    yield from _rows(path, _quoted_records(first, lines, delimiter), delimiter, options.column_names)


def read_tsv(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows of a TSV file: cells between tabs, one row a line; a quote is a character like any other (IANA).

    Files whose cells are quoted, as spreadsheets write them, are read with ``data.format=csv``.

    Raises:
        DataError: empty file, wrong encoding, no usable header.
    """
    lines = text_lines(path, options.encoding)
    records = (
        _Record(number, text.split("\t"))
        for number, line in enumerate(lines, start=1)
        if (text := line.removesuffix("\n").removesuffix("\r"))
    )
    yield from _rows(path, records, "\t", options.column_names)


def _delimiter(line: str, columns: int) -> str:
    """The delimiter of the first line: the candidate that occurs most outside quotes; a comma if none does.

    Args:
        columns: how many there are, where that is known; 0 where the line is the header.
    """
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=lambda mark: (bare.count(mark) + 1 == columns, bare.count(mark), mark == ","))


def _quoted_records(first: str, lines: Iterator[str], delimiter: str) -> Iterator[_Record]:
    number = 1
    line: str | None = first
    while line is not None:
        start = number
        text = line.removesuffix("\n").removesuffix("\r")
        if '"' not in text:
            if text:
                yield _Record(start, text.split(delimiter))
        else:
            cells, fault, number = _quoted_cells(line, lines, delimiter, number)
            yield _Record(start, cells, fault)
        line = next(lines, None)
        number += 1


def _quoted_cells(line: str, lines: Iterator[str], delimiter: str, number: int) -> tuple[list[str], str | None, int]:
    """Split one record that has quotes, taking more lines while a quote is open.

    Returns:
        The cells, what is wrong (or ``None``), and the number of the last line taken.
    """
    cells: list[str] = []
    position = 0
    while True:
        if not line.startswith('"', position):
            end = line.find(delimiter, position)
            if end < 0:
                cells.append(line[position:].removesuffix("\n").removesuffix("\r"))
                return cells, None, number
            cells.append(line[position:end])
            position = end + 1
            continue
        opened = number
        parts: list[str] = []
        position += 1
        while True:
            end = line.find('"', position)
            if end < 0:
                parts.append(line[position:])
                following = next(lines, None)
                if following is None:
                    fault = f"a quoted cell opens on line {opened} and is never closed: the file ends inside it"
                    return cells, fault, number
                line, position, number = following, 0, number + 1
                continue
            parts.append(line[position:end])
            position = end + 1
            if not line.startswith('"', position):
                break
            parts.append('"')
            position += 1
        cells.append("".join(parts))
        if line[position:] in ("", "\n", "\r\n"):
            return cells, None, number
        if not line.startswith(delimiter, position):
            found = line[position : position + 20].rstrip("\r\n")
            fault = f'text after a closing quote on line {number}: {found!r} (write a quote inside a cell as "")'
            return cells, fault, number
        position += 1


def _rows(
    path: Path, records: Iterator[_Record], delimiter: str, names: tuple[str, ...] = ()
) -> Iterator[Row | Problem]:
    first = next(records, None)
    if names and first is not None and not _is_header(first, names):
        header, whose, records = list(names), "data.column_names", chain([first], records)
    else:
        header, whose = _header(path, first, delimiter), "the header"
    file = str(path)
    count = 0
    for record in records:
        count += 1
        fault = record.fault or _fault(record.cells, header, delimiter, whose)
        origin = Origin(file, record.line)
        if fault is not None:
            yield Problem(origin, fault)
        else:
            yield Row(dict(zip(header, record.cells, strict=True)), origin)
    if count == 0:
        raise DataError(
            f"{path}: the file has a header and no rows",
            given=f"columns {', '.join(header)}",
            expected="at least one row under the header",
        )


def _is_header(record: _Record, names: tuple[str, ...]) -> bool:
    """A first line of nothing but the names that are known, in any order, is no row."""
    return record.fault is None and {cell.strip() for cell in record.cells} <= set(names)


def _header(path: Path, record: _Record | None, delimiter: str) -> list[str]:
    if record is None:
        raise DataError(f"{path}: the file holds only blank lines", expected="a header line and rows")
    where = f"{path}:{record.line}"
    if record.fault is not None:
        raise DataError(f"{where}: the header cannot be read: {record.fault}")
    names = [name.strip() for name in record.cells]
    shown = f"{len(names)} columns: {', '.join(name or '(empty)' for name in names)}"
    if any(control_character(name) for name in names):
        raise DataError(
            f"{where}: binary junk in the header: {next(filter(None, map(control_character, names)))}",
            expected="a text file whose first line names the columns",
        )
    if any("\r" in name for name in names):
        raise DataError(
            f"{where}: lines end with a lone carriage return (old Macintosh)",
            expected="lines that end with a line feed",
            fix="save the file with Unix or Windows line ends",
        )
    if "" in names:
        raise DataError(
            f"{where}: column {names.index('') + 1} of the header has no name",
            given=shown,
            expected=f"a name for every column, separated by a {_DELIMITERS[delimiter]}",
            fix="name the column, or remove it (tables written with a row index often have such a first column)",
        )
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{where}: duplicate header: {', '.join(map(repr, twice))} is there twice",
            given=shown,
            expected="every column named once",
            fix="rename one of them; if the first line is data, name the columns: data.column_names=[…]",
        )
    return names


def _fault(cells: list[str], header: list[str], delimiter: str, whose: str) -> str | None:
    if len(cells) != len(header):
        return f"{len(cells)} cells, and {whose} names {len(header)} columns, separated by a {_DELIMITERS[delimiter]}"
    for name, cell in zip(header, cells, strict=True):
        junk = control_character(cell)
        if junk is not None:
            return f"binary junk in column {name!r}: control character {junk}"
    return None
