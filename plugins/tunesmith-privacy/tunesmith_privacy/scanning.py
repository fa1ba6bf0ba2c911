# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where personal data stands in files, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tunesmith.data import read_rows
from tunesmith.data.rows import Origin, Problem, half_character
from tunesmith.recipe.schema import DataSection
from tunesmith.registry import get_registry
from tunesmith_privacy.detector import Detector, Found
from tunesmith_privacy.masking import texts_of

__all__ = ["Place", "Scan"]

_AROUND = 24
"""Characters that an excerpt shows on each side."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece of personal data stands.

    Attributes:
        where: column, and the way in it: ``messages[1].content``.
        start: first character in that text.
        end: behind the last.
        excerpt: what stands around it, with everything that was found in it masked.
    """

    origin: Origin
    where: str
    entity: str
    start: int
    end: int
    score: float
    excerpt: str


@dataclass(slots=True)
class Scan:
    """One look through files.

    Attributes:
        data: which files, and how they are read: ``train``, ``format``, ``encoding``, ``text_unit``.
        columns: to look at; none: all.
        rows: read so far.
        rows_with: rows so far in which something was found.
        counts: entity to how often.
        problems: rows that could not be read or looked at.
    """

    data: DataSection
    detector: Detector
    columns: Sequence[str] = ()
    rows: int = 0
    rows_with: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    _columns_seen: set[str] = field(default_factory=set)

    def places(self) -> Iterator[Place]:
        """What is found, in the order of the files.

        Raises:
            DataError, NotFoundError: a file cannot be read as a whole, or has no reader.
        """
        for row in read_rows(self.data.train, self.data, get_registry()):
            if isinstance(row, Problem):
                self.problems.append(row)
                continue
            self.rows += 1
            self._columns_seen.update(row.values)
            before = self.counts.total()
            for column, value in row.values.items():
                if not self.columns or column in self.columns:
                    for where, text in texts_of(value, column):
                        yield from self._in_text(row.origin, where, text)
            self.rows_with += self.counts.total() > before

    def absent(self) -> list[str]:
        """Columns that were asked for and that no row has."""
        return [column for column in self.columns if column not in self._columns_seen]

    def _in_text(self, origin: Origin, where: str, text: str) -> Iterator[Place]:
        half = half_character(text)
        if half is not None:
            self.problems.append(Problem(origin, f"{where} holds half of a character: a {half} without its other half"))
            return
        found = self.detector.find(text)
        for one, excerpt in zip(found, _excerpts(text, found), strict=True):
            self.counts[one.entity] += 1
            yield Place(origin, where, one.entity, one.start, one.end, one.score, excerpt)


def _excerpts(text: str, found: Sequence[Found]) -> list[str]:
    masked, tokens, done = "", [], 0
    for one in found:
        masked += text[done : one.start]
        token = f"<{one.entity}>"
        tokens.append((len(masked), len(masked) + len(token)))
        masked, done = masked + token, one.end
    masked += text[done:]
    return [_cut(masked, start, end) for start, end in tokens]


def _cut(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _AROUND), min(len(text), end + _AROUND)
    shown = " ".join(text[first:last].split())
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) else ''}"
