# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Workbooks as rows.

A workbook is opened twice, once for the values that the spreadsheet program saved and once for the formulas,
because only both together tell an empty cell from a formula whose result was never saved.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["Sheet", "list_sheets", "read"]

_OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP_MAGIC = b"PK\x03\x04"
_LARGEST = 2**30  # bytes of an unpacked workbook

_Line = tuple[int, list[Any], list[Any]]
"""Number of a row in its sheet (1-based), its saved values, and the same cells with formulas as text."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes:
        name: as on its tab.
        columns: the header's names; blank ones are ``""``.
        rows: rows below the header that are not blank.
    """

    name: str
    columns: tuple[str, ...]
    rows: int


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows of the one sheet of a workbook that holds anything; an origin's line is the row number of the sheet.

    The first row that is not blank names the columns; blank rows are no rows. Empty cells are ``None``, numbers
    and booleans stay what they are, dates become ISO 8601 text, formulas their saved results.

    Raises:
        DataError: no workbook or a damaged one, nothing in it, several sheets with content, no usable header.
    """
    with _lines(path) as sheets:
        name, lines = _only_sheet(path, sheets)
        header = _checked_header(path, name, next(lines))
        count = 0
        for line in lines:
            count += 1
            yield _row(path, header, line)
        if count == 0:
            raise DataError(
                f"{path}: the sheet {name!r} has a header and no rows",
                given=f"columns {', '.join(header)}",
                expected="at least one row under the header",
            )


def list_sheets(path: Path) -> list[Sheet]:
    """Every sheet, in the order of the tabs, whether it can be used as data or not.

    Raises:
        DataError: no workbook or a damaged one.
    """
    found = []
    with _lines(path) as sheets:
        for name, lines in sheets:
            first = next(lines, None)
            columns = () if first is None else tuple(_names(first[1]))
            found.append(Sheet(name, columns, sum(1 for _ in lines)))
    return found


def _only_sheet(path: Path, sheets: list[tuple[str, Iterator[_Line]]]) -> tuple[str, Iterator[_Line]]:
    """The sheet with content, its header line still to come."""
    filled = []
    for name, lines in sheets:
        first = next(lines, None)
        if first is not None:
            filled.append((name, _again(first, lines)))
    names = ", ".join(repr(name) for name, _ in filled)
    if not filled:
        raise DataError(
            f"{path}: the workbook is empty",
            given=f"no filled cell in {', '.join(repr(name) for name, _ in sheets)}",
            expected="one sheet with a header row and rows",
        )
    if len(filled) > 1:
        raise DataError(
            f"{path}: {len(filled)} sheets hold something, and only one can be the data",
            given=names,
            expected="a workbook with one filled sheet",
            fix=["save the sheet you mean as a workbook of its own, or as CSV", f"tunesmith sheets {path}  # columns"],
        )
    return filled[0]


def _again(first: _Line, rest: Iterator[_Line]) -> Iterator[_Line]:
    yield first
    yield from rest


@contextmanager
def _lines(path: Path) -> Iterator[list[tuple[str, Iterator[_Line]]]]:
    """The sheets of a workbook with their rows that are not blank.

    Whatever the library stumbles over inside the block, here or while rows are taken, becomes a `DataError`: a
    damaged workbook shows as errors of zip, XML, number parsing and many more.
    """
    from openpyxl import load_workbook

    content = _content(path)
    with ExitStack() as stack:
        try:
            books = []
            for data_only in (True, False):
                book = load_workbook(io.BytesIO(content), read_only=True, data_only=data_only)
                stack.callback(book.close)
                books.append(book)
            yield [
                (values.title, _sheet_lines(values, formulas))
                for values, formulas in zip(*(book.worksheets for book in books), strict=True)
            ]
        except DataError:
            raise
        except Exception as error:
            raise DataError(
                f"{path}: the workbook is damaged",
                given=f"{len(content):,} bytes; {type(error).__name__}: {error}",
                expected="a whole .xlsx file",
                fix="open it in a spreadsheet program and save it again, or copy it once more",
            ) from error


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:  # the last two and BadGzipFile from gzip
        reason = error.strerror if isinstance(error, OSError) else None
        raise DataError(f"{path}: cannot be read", given=reason or str(error)) from error
    if content.startswith(_OLE_MAGIC):
        raise DataError(
            f"{path}: this is an old Excel file (.xls) or a workbook with a password",
            given=f"first bytes {content[:4].hex(' ')}",
            expected="an .xlsx file without a password",
            fix="open it in a spreadsheet program and save it as .xlsx",
        )
    if not content.startswith(_ZIP_MAGIC):
        raise DataError(
            f"{path}: this is no .xlsx workbook",
            given=f"first bytes {content[:4].hex(' ')}" if content else "an empty file",
            expected=f"first bytes {_ZIP_MAGIC.hex(' ')} (a workbook is a zip archive)",
            fix="rename the file after what it holds (.csv, .tsv), or export it again",
        )
    _refuse_bomb(path, content)
    return content


def _refuse_bomb(path: Path, content: bytes) -> None:
    """A few kilobytes can unpack to any size, and the library holds all texts of a workbook in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        return  # the library says what is wrong with it
    if size > _LARGEST:
        raise DataError(
            f"{path}: the workbook is too large",
            given=f"{len(content):,} bytes that unpack to {size:,}",
            expected=f"at most {_LARGEST:,} bytes",
            fix="export the sheet as CSV, which is read line by line",
        )


def _sheet_lines(values: Any, formulas: Any) -> Iterator[_Line]:
    for sheet in (values, formulas):
        # Many programs write a wrong size into the file; believed, it would cut rows and columns off in silence.
        sheet.reset_dimensions()
    pairs = zip(values.iter_rows(), formulas.iter_rows(), strict=True)
    for number, (saved, written) in enumerate(pairs, start=1):
        line = [_plain(cell) for cell in saved]
        if any(value is not None for value in line) or any(cell.value is not None for cell in written):
            yield number, line, [cell.value if cell.data_type == "f" else None for cell in written]


class _ErrorText(str):
    """What a cell shows when its formula failed: ``#N/A``, ``#DIV/0!``. Text that somebody typed is no such thing."""

    __slots__ = ()


def _plain(cell: Any) -> Any:
    value = cell.value
    if cell.data_type == "e":
        return _ErrorText(value)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return str(value)
    return value


def _names(cells: list[Any]) -> list[str]:
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:  # columns that are only formatted
        names.pop()
    return names


def _checked_header(path: Path, sheet: str, line: _Line) -> list[str]:
    where = f"{path}: sheet {sheet!r}, row {line[0]}"
    names = _names(line[1])
    shown = f"{len(names)} columns: {', '.join(name or '(empty)' for name in names)}"
    if not names or "" in names:
        raise DataError(
            f"{where}: column {_letters(names.index('') if names else 0)} of the header has no name",
            given=shown,
            expected="a name for every column in the first row that is not blank",
            fix="name the column, or remove it; titles above the table have to go too",
        )
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{where}: duplicate column in the header: {', '.join(twice)}",
            given=shown,
            expected="every column named once",
            fix="rename one of them; if the first row is data, put a header above it",
        )
    return names


def _row(path: Path, header: list[str], line: _Line) -> Row | Problem:
    number, cells, formulas = line
    origin = Origin(str(path), number)
    for at, cell in enumerate(cells):
        place = f"cell {_letters(at)}{number}"
        if isinstance(cell, _ErrorText):
            return Problem(origin, f"{place} holds the error {cell}")
        if cell is None and formulas[at] is not None:
            return Problem(
                origin,
                f"{place} holds a formula whose result was never saved: open the workbook in a spreadsheet "
                "program and save it",
            )
        if cell is not None and at >= len(header):
            return Problem(origin, f"{place} is filled, and the header ends at column {_letters(len(header) - 1)}")
    padded = [*cells, *[None] * (len(header) - len(cells))]
    return Row(dict(zip(header, padded, strict=False)), origin)


def _letters(column: int) -> str:
    """The spreadsheet's name of a column: 0 is A, 26 is AA."""
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(column + 1))
