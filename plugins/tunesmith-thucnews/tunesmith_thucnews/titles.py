# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Titles alone, as they are used to try short texts: ``train.txt``, ``dev.txt``, ``test.txt`` beside ``class.txt``.

A line is a title, a tab, and the number of its class; ``class.txt`` has the name of class 0 on its first line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_thucnews.lines import MARK, WIDE, Tally, byte_lines, check_encoding, decode, fault_of
from tunesmith_thucnews.terms import require_terms

__all__ = ["CLASS_FILE", "parse_title", "read", "read_classes", "title_rows"]

CLASS_FILE = "class.txt"
_INDEX = re.compile(r"[0-9]{1,6}\Z")  # not \d: that takes digits of every script


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """The reader ``thucnews-titles``: rows ``{"text": title, "label": name of its class}``.

    Lines with nothing on them are no rows; they are counted, and told at the end.

    Raises:
        DataError: the terms are not accepted; there is no ``class.txt``, or it cannot be used; the file cannot be read,
            or holds nothing.
    """
    require_terms()
    tally = Tally()
    yield from title_rows(path, options, tally)
    tally.tell(path)


def title_rows(path: Path, options: ReadOptions, tally: Tally) -> Iterator[Row | Problem]:
    """What :func:`read` gives, whether the terms are accepted or not; counts into ``tally``."""
    check_encoding(options.encoding)
    classes = read_classes(path.parent / CLASS_FILE, options.encoding)
    found = 0
    for number, data in enumerate(byte_lines(path), start=1):
        origin = Origin(str(path), number)
        found += 1
        try:
            line = decode(data, options.encoding)
        except ValueError as error:
            yield Problem(origin, str(error))
            continue
        bare = _bare(line, number, tally)
        if bare:
            yield parse_title(bare, classes, origin)
    if not found:
        raise DataError(f"{path}: the file is empty", given="0 bytes", fix="check that it was copied completely")


def _bare(line: str, number: int, tally: Tally) -> str:
    """A line without its end, a byte order mark, and spaces around it; "" for one with nothing on it."""
    tally.returns += line.endswith("\r\n")
    bare = line.removesuffix("\n").removesuffix("\r")
    if bare.startswith(MARK):
        tally.marks += number > 1
        bare = bare.lstrip(MARK)
    if not bare.strip():
        tally.blank += 1
        return ""
    title, _, index = bare.rpartition("\t")
    tally.wide += any(part.strip() and (part[0] == WIDE or part[-1] == WIDE) for part in (title, index) if part)
    return bare


def parse_title(line: str, classes: Sequence[str], origin: Origin) -> Row | Problem:
    """One line, without its end, as a row; or what is wrong with it. Never raises.

    Spaces around the title and the number, full-width ones too, are taken off; those inside a title belong to it.
    """
    fault = fault_of(line)
    if fault is not None:
        return Problem(origin, fault)
    title, tab, index = line.rpartition("\t")
    title, index = title.strip(), index.strip()
    if not tab:
        return Problem(origin, f"no tab; expected TITLE<tab>NUMBER OF ITS CLASS, given {_short(line)}")
    if not _INDEX.match(index):
        swapped = title in classes
        hint = "; the class seems to stand in front of the title here" if swapped else ""
        return Problem(origin, f"{_short(index)} is no number of a class; expected 0 to {len(classes) - 1}{hint}")
    if int(index) >= len(classes):
        return Problem(
            origin, f"class {int(index)} is not in {CLASS_FILE}, which has 0 to {len(classes) - 1} ({_named(classes)})"
        )
    if not title:
        return Problem(origin, "there is no title in front of the tab")
    return Row({"text": title, "label": classes[int(index)]}, origin)


def read_classes(file: Path, encoding: str = "utf-8") -> list[str]:
    """The names of the classes, in order.

    Raises:
        DataError: there is no such file, or not a name a line, each once.
    """
    if not file.is_file():
        raise DataError(
            f"{file}: there is no {CLASS_FILE} beside the titles, so their numbers stand for nothing",
            given=f"the folder {file.parent}",
            expected=f"{CLASS_FILE} with the name of a class a line: that of class 0 first",
            fix=f"copy {CLASS_FILE} from where the titles came from",
        )
    names = []
    for number, data in enumerate(byte_lines(file), start=1):
        try:
            name = decode(data, encoding).lstrip(MARK).strip()
        except ValueError as error:
            raise DataError(f"{file}:{number}: {error}", expected="the name of a class a line") from error
        names.append(name)
    while names and not names[-1]:  # a line end more than there are names
        names.pop()
    wrong = [
        number
        for number, name in enumerate(names, start=1)
        if not name or fault_of(name) or name in names[: number - 1]
    ]
    if wrong or not names:
        raise DataError(
            f"{file}: " + (f"line {wrong[0]} is blank, there already, or no text" if wrong else "no classes"),
            given=f"{len(names)} lines: {', '.join(map(_short, names[:14]))}" if names else "nothing",
            expected="the name of a class a line, each once: their order is what the numbers mean",
            fix="copy the file again from where the titles came from",
        )
    return names


def _named(classes: Sequence[str]) -> str:
    return ", ".join(classes[:14]) + (" …" if len(classes) > 14 else "")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
