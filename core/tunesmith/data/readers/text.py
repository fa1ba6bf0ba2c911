# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plain text: a file, its paragraphs, or its lines as documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tunesmith.data.readers.opened import control_character, read_text, text_lines
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["read"]


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Documents of a text file as ``{"text": …}``; ``options.text_unit`` says what one is.

    ``file``: all of it, as it stands. ``paragraph``: lines up to a blank one, without the last line end.
    ``line``: each line that is not blank, without its line end. Blank lines between are no documents.

    Raises:
        DataError: empty file, nothing but blanks, wrong encoding.
    """
    file = str(path)
    count = 0
    for number, text in _documents(path, options):
        if not text.strip():
            continue
        count += 1
        origin = Origin(file, number)
        junk = control_character(text)
        if junk is None:
            yield Row({"text": text}, origin)
        else:
            place = number + next(i for i, line in enumerate(text.split("\n")) if control_character(line))
            yield Problem(Origin(file, place), f"binary junk: control character {junk}")
    if count == 0:
        raise DataError(f"{path}: the file holds only blanks", expected="text")


def _documents(path: Path, options: ReadOptions) -> Iterable[tuple[int, str]]:
    """Each document with the line it starts on."""
    if options.text_unit == "file":
        return [(1, read_text(path, options.encoding))]
    lines = text_lines(path, options.encoding)
    if options.text_unit == "line":
        return ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, start=1))
    return _paragraphs(lines)


def _paragraphs(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    held: list[str] = []
    start = 1
    for number, line in enumerate(lines, start=1):
        if line.strip():
            if not held:
                start = number
            held.append(line)
        elif held:
            yield start, "".join(held).rstrip("\r\n")
            held = []
    if held:
        yield start, "".join(held).rstrip("\r\n")
