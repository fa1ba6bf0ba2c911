# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""CoNLL columns: one word a line with its tags beside it, a blank line between sentences.

The family of formats that began with the shared tasks of CoNLL-2000 to 2003 (Tjong Kim Sang and De Meulder 2003,
https://aclanthology.org/W03-0419): the word first and the tag last, between tabs or spaces. Universal NER's ``.iob2``
(Mayhew et al. 2024, arXiv:2311.09122) puts the word's number in front and the tag behind the word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tunesmith.data.readers.opened import control_character, text_lines
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["read"]

_DOCUMENT = "-DOCSTART-"  # stands where a word would, on a line of its own, in front of each document (CoNLL-2003)
_FACT = re.compile(r"#\s*[\w.:-]+\s*=")  # `# text = …`
_LOOKED_AT = 1000  # lines from which the layout is told


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the lines of a file are made.

    Attributes:
        tabs: cells stand between tabs, else between white space.
        width: cells of a line.
        word: column of the word.
        tag: column of the tag; ``None`` in a file of words alone.
    """

    tabs: bool
    width: int
    word: int
    tag: int | None

    def cells(self, line: str) -> list[str]:
        return line.split("\t") if self.tabs else line.split()

    def is_comment(self, line: str) -> bool:
        """``#`` begins a comment, unless the line has a word's cells: ``#`` and ``#monday`` are words as well."""
        if not line.startswith("#"):
            return False
        return len(self.cells(line)) != self.width or (not self.tabs and _FACT.match(line) is not None)


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Sentences as ``{"tokens": [...], "tags": [...]}``; an origin's line is that of the first word.

    Lines of more than two cells also give every column as ``column_1``, ``column_2``, …, so that another one can be
    learned: ``data.columns: {tags: column_2}`` takes the parts of speech of CoNLL-2003. Comments and ``-DOCSTART-``
    are no words. Lines with nothing but white space end a sentence.

    Raises:
        DataError: empty file, wrong encoding, no sentence at all.
    """
    layout = _layout(path, list(islice(text_lines(path, options.encoding), _LOOKED_AT)))
    found = 0
    for lines in _sentences(text_lines(path, options.encoding), layout):
        found += 1
        yield _row(str(path), lines, layout)
    if not found:
        raise DataError(f"{path}: no sentence", given="only blanks and comments", expected="one word a line")


def _layout(path: Path, lines: list[str]) -> _Layout:
    """The layout, told from the lines that cannot be comments; where there are none, from all."""
    texts = [line.rstrip("\r\n") for line in lines if line.strip()]
    words = [text for text in texts if not text.startswith("#") and not text.startswith(_DOCUMENT)] or texts
    if not words:
        raise DataError(f"{path}: no sentence", given="only blanks", expected="one word a line, its tag beside it")
    tabs = "\t" in words[0]
    rows = [text.split("\t") if tabs else text.split() for text in words]
    width = len(rows[0])
    if width >= 3 and rows[0][0] == "1" and all(row[0].isdecimal() for row in rows):
        return _Layout(tabs, width, word=1, tag=2)
    return _Layout(tabs, width, word=0, tag=width - 1 if width > 1 else None)


def _sentences(lines: Iterable[str], layout: _Layout) -> Iterator[list[tuple[int, str]]]:
    """Numbered lines of each sentence, comments left out."""
    held: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            if held:
                yield held
            held = []
        elif not layout.is_comment(text) and not text.startswith(_DOCUMENT):
            held.append((number, text))
    if held:
        yield held


def _row(file: str, lines: list[tuple[int, str]], layout: _Layout) -> Row | Problem:
    table: list[list[str]] = []
    for number, text in lines:
        cells = layout.cells(text)
        junk = control_character(text)
        if junk is not None:
            return Problem(Origin(file, number), f"binary junk: control character {junk}")
        if len(cells) != layout.width:
            kind = "tab" if layout.tabs else "space"
            message = f"{_count(len(cells))}, and the lines of this file have {layout.width}, separated by a {kind}"
            return Problem(Origin(file, number), message)
        if not cells[layout.word]:
            return Problem(Origin(file, number), "the cell of the word is empty")
        table.append(cells)
    columns = [list(column) for column in zip(*table, strict=True)]
    values = {"tokens": columns[layout.word]}
    if layout.tag is not None:
        values["tags"] = columns[layout.tag]
    if layout.width > 2:
        values |= {f"column_{place}": column for place, column in enumerate(columns, start=1)}
    return Row(values, Origin(file, lines[0][0]))


def _count(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"
