# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""JSON (one list of objects) and JSON Lines (one object a line), read strictly: RFC 8259, no NaN, no key twice."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from tunesmith.data.readers.opened import read_text, text_lines
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["read", "read_lines"]

_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows of a JSON file: ``[{…}, …]``, or an object with exactly one list, as in ``{"data": [{…}, …]}``.

    Each row's line is the one its object starts on. A ``.json`` file that holds JSON Lines (a complete
    object on the first line and more after it) is read as such: it cannot be anything else. ``options.part`` chooses
    one of several lists by its name. With ``options.column_names`` a row may be a list ``[…]`` of that many values.

    Raises:
        DataError: empty file, wrong encoding, not JSON (with line and column), no list, or several and no part.
    """
    text = read_text(path, options.encoding)
    if options.part is None and _is_lines(text):
        yield from _line_rows(path, text.split("\n"), options.column_names)
        return
    count = 0
    for line, value, faults in _Document(path, text).rows(options.part):
        count += 1
        yield _row(Origin(str(path), line), value, faults, options.column_names)
    if count == 0:
        raise DataError(f"{path}: the list of rows is empty", expected="at least one object")


def read_lines(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows of a JSON Lines file: one object a line. Blank lines are no rows.

    Raises:
        DataError: empty file, wrong encoding, no row at all.
    """
    yield from _line_rows(path, text_lines(path, options.encoding), options.column_names)


def _line_rows(path: Path, lines: Iterator[str] | list[str], names: tuple[str, ...]) -> Iterator[Row | Problem]:
    decoder = _Decoder()
    file = str(path)
    rows = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip(" \t\r\n")
        if not text:
            continue
        rows += 1
        origin = Origin(file, number)
        try:
            value, end, faults = decoder.decode(text, 0)
            if end != len(text):
                raise json.JSONDecodeError("Extra data", text, len(text) - len(text[end:].lstrip()))
        except json.JSONDecodeError as error:
            yield Problem(origin, f"not JSON at column {error.colno + line.index(text)}: {error.msg}{_hint(text)}")
        except (ValueError, RecursionError) as error:
            yield Problem(origin, _beyond(error))
        else:
            if _SURROGATE.search(text):
                faults = [*faults, *_surrogates(value)]
            yield _row(origin, value, faults, names)
    if rows == 0:
        raise DataError(f"{path}: the file holds only blank lines", expected="one JSON object a line")


def _hint(text: str) -> str:
    if text[0] == "[":
        return "; a list of objects is read with data.format=json"
    return "; the line does not end with its object" if text[0] == "{" and text[-1] != "}" else ""


def _beyond(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "JSON nested too deeply to be read"
    return f"JSON that cannot be read: {error}"


def _row(origin: Origin, value: Any, faults: list[str], names: tuple[str, ...]) -> Row | Problem:
    if names and isinstance(value, list):
        if len(value) != len(names):
            return Problem(origin, f"{len(value)} values, and data.column_names names {len(names)} columns")
        value = dict(zip(names, value, strict=True))
    if not isinstance(value, dict):
        hint = "; data.column_names=[FIRST, SECOND, …] reads lists" if isinstance(value, list) else ""
        return Problem(origin, f"a row must be a JSON object {{…}}, given {_kind(value)}{hint}")
    if faults:
        return Problem(origin, "; ".join(dict.fromkeys(faults)))
    return Row(value, origin)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names: tuple[tuple[type, str], ...] = ((dict, "an object"), (list, "a list"), (str, "a string"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")


def _surrogates(value: Any) -> list[str]:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ord(error.object[error.start])
        return [f"half of a character: a \\u{half:04x} without its other half"]
    return []


def _is_lines(text: str) -> bool:
    """A complete object on the first line that has anything, and something after it."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


class _Decoder:
    """A JSON decoder that reports what RFC 8259 forbids and Python's lets pass."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_float=self._float
        )

    def decode(self, text: str, start: int) -> tuple[Any, int, list[str]]:
        """The value at ``start``, where it ends, and what is wrong with it.

        Raises:
            json.JSONDecodeError: not JSON.
            ValueError: a number with too many digits.
            RecursionError: nested too deeply.
        """
        self._faults = []
        value, end = self._decoder.raw_decode(text, start)
        return value, end, self._faults

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = dict.fromkeys(name for name in names if names.count(name) > 1)
            self._faults.append(f"duplicate key {', '.join(map(repr, twice))}")
        return found

    def _constant(self, name: str) -> float:
        self._faults.append(f"{name} is not JSON; write null for a missing value")
        return math.nan

    def _float(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self._faults.append(f"the number {digits} is too large for a float")
        return number


class _Document:
    """A whole JSON text, walked element by element so that each has its line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._decoder = _Decoder()

    def rows(self, part: str | None = None) -> Iterator[tuple[int, Any, list[str]]]:
        """Line, value and faults of every element of the list of rows: the only one, or the one called ``part``."""
        start = self._skip(0)
        if part is None and self._text.startswith("[", start):
            end = yield from self._elements(start)
            self._nothing_after(end)
            return
        if part is not None:
            yield from self._elements(self._part(start, part))
            return
        if not self._text.startswith("{", start):
            raise DataError(
                f"{self._path}: no list of rows",
                given=repr(self._text[start : start + 40]) if self._text[start:] else "only blanks",
                expected='[{…}, …] or {"data": [{…}, …]}',
                fix="a file with one object a line is read with data.format=jsonl",
            )
        lists = self._lists(start)
        if len(lists) != 1:
            raise DataError(
                f"{self._path}: {'no list' if not lists else 'several lists'} at the top of the JSON object",
                given=f"lists: {', '.join(lists)}" if lists else "an object without a list",
                expected='exactly one list of rows: [{…}, …] or {"data": [{…}, …]}',
                fix=f"name the list you mean: {self._path}#{next(iter(lists))}"
                if lists
                else "write the rows you want as one list, or as JSON Lines (one object a line)",
            )
        yield from self._elements(next(iter(lists.values())))

    def _part(self, start: int, part: str) -> int:
        """Where the list called ``part`` of the object at ``start`` begins."""
        lists = self._lists(start) if self._text.startswith("{", start) else {}
        if part not in lists:
            near = difflib.get_close_matches(part, lists, n=1)
            raise DataError(
                f"{self._path}: no list is called {part!r}",
                given=f"lists: {', '.join(lists)}" if lists else "no object that holds lists",
                expected=f'{{"{part}": [{{…}}, …], …}}',
                fix=f"did you mean {self._path}#{near[0]}?" if near else f"leave out #{part}" if not lists else None,
            )
        return lists[part]

    def _elements(self, start: int) -> Generator[tuple[int, Any, list[str]], None, int]:
        """The elements of the list at ``start``; returns where the list ends."""
        line, counted = 1, 0
        position = self._skip(start + 1)
        while not self._text.startswith("]", position):
            line += self._text.count("\n", counted, position)
            counted = position
            value, end, faults = self._value(position)
            if _SURROGATE.search(self._text, position, end):
                faults = [*faults, *_surrogates(value)]
            yield line, value, faults
            position = self._after_value(end, "]")
        return position + 1

    def _lists(self, start: int) -> dict[str, int]:
        """Name and place of every list directly in the object at ``start``."""
        lists: dict[str, int] = {}
        position = self._skip(start + 1)
        while not self._text.startswith("}", position):
            if not self._text.startswith('"', position):
                raise self._error("Expecting property name enclosed in double quotes", position)
            name, end, _ = self._value(position)
            position = self._skip(self._expect(":", self._skip(end)))
            if self._text.startswith("[", position):
                lists[name] = position
            _, end, _ = self._value(position)
            position = self._after_value(end, "}")
        self._nothing_after(position + 1)
        return lists

    def _after_value(self, end: int, closing: str) -> int:
        """Where the next value or ``closing`` stands; between two values there must be one comma."""
        position = self._skip(end)
        if self._text.startswith(closing, position):
            return position
        position = self._skip(self._expect(",", position))
        if self._text.startswith(closing, position):
            raise self._error(f"a comma before {closing!r}", position)
        return position

    def _nothing_after(self, end: int) -> None:
        rest = self._skip(end)
        if rest != len(self._text):
            raise self._error("Extra data", rest)

    def _skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        return position if match is None else match.end()

    def _expect(self, mark: str, position: int) -> int:
        if not self._text.startswith(mark, position):
            raise self._error(f"Expecting {mark!r}", position)
        return position + 1

    def _value(self, position: int) -> tuple[Any, int, list[str]]:
        try:
            return self._decoder.decode(self._text, position)
        except json.JSONDecodeError as error:
            raise self._error(error.msg, error.pos) from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self._path}: {_beyond(error)}") from error

    def _error(self, message: str, position: int) -> DataError:
        place = json.JSONDecodeError(message, self._text, position)
        shown = self._text[position : position + 30].split("\n")[0]
        return DataError(
            f"{self._path}:{place.lineno}: not JSON at line {place.lineno}, column {place.colno}: {message}",
            given=repr(shown) if shown else "the end of the file" if position >= len(self._text) else "a line end",
            fix="one object a line is read with data.format=jsonl",
        )
