# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From sources to examples: every row read, mapped and parsed, every problem found before anything trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from tunesmith.data.columns import apply_columns, bind_columns
from tunesmith.data.facts import FileFact, facts_of
from tunesmith.data.rows import Column, Problem, Row, RowError
from tunesmith.data.sources import DatasetSource, Source, find_sources, read_source
from tunesmith.data.splits import check_shares, cut_documents, repeated_rows, split_rows
from tunesmith.errors import DataError

if TYPE_CHECKING:
    from tunesmith.recipe.schema import DataSection
    from tunesmith.registry import Registry

__all__ = ["RowTask", "Splits", "read_examples", "read_split"]

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)

_TEXT_READER = "tunesmith/text"


class RowTask(Protocol[E_co]):
    """What reading needs of a task; :class:`tunesmith.tasks.Task` has it."""

    columns: ClassVar[tuple[Column, ...]]

    def parse(self, row: Row, *, labelled: bool = True) -> E_co:
        """A row as an example, or ``RowError``."""
        ...


@dataclass(frozen=True, slots=True)
class Splits(Generic[E]):
    """The examples of a job.

    Attributes:
        train, validation, test: in the order of the files; empty where the recipe has no such split.
        files: every file and data set read, for the manifest.
        notes: counted facts people must know, ready to print.
    """

    train: list[E]
    validation: list[E]
    test: list[E]
    files: tuple[FileFact, ...]
    notes: tuple[str, ...]


def read_examples(section: DataSection, task: RowTask[E], registry: Registry) -> Splits[E]:
    """All examples of all splits.

    Parts that ``section.split`` asks for are cut off the training rows: drawn at random by its seed, or, when
    they are whole text files and too few to draw from, taken from the end of each file at a line's start.

    Raises:
        DataError: a file cannot be used as a whole (alone, at once), or rows cannot: all of them, over all
            files and splits, in one error.
        RecipeError: a split both given and asked for by share.
        OfflineError, NotFoundError: as :func:`tunesmith.data.read_rows`.
    """
    check_shares(section)
    reading = _Reading(section, task, registry)
    rows = {"train": reading.rows(section.train)}
    whole_texts = reading.whole_texts
    rows |= {"validation": reading.rows(section.validation), "test": reading.rows(section.test)}
    notes: list[str] = []
    shares = {"validation": section.split.validation, "test": section.split.test}
    if any(shares.values()) and not reading.problems:
        if whole_texts and any(round(share * len(rows["train"])) < 1 for share in shares.values() if share):
            parts, notes = cut_documents(rows["train"], shares)
        else:
            parts, notes = split_rows(rows["train"], shares, section.split.seed)
        rows |= parts
    notes += repeated_rows(rows, task.columns)
    examples = {split: reading.parse(part) for split, part in rows.items()}
    reading.finish()
    return Splits(examples["train"], examples["validation"], examples["test"], tuple(reading.facts), tuple(notes))


def read_split(
    sources: Sequence[str], section: DataSection, task: RowTask[E], registry: Registry, *, labelled: bool = True
) -> list[E]:
    """The examples of some sources, to evaluate or to predict.

    Args:
        section: its format, encoding, columns and text unit are used; its own sources are not.
        labelled: False when predicting: target columns may be missing.

    Raises:
        DataError: as :func:`read_examples`.
    """
    reading = _Reading(section, task, registry, labelled=labelled, training=False)
    examples = reading.parse(reading.rows(sources))
    reading.finish()
    return examples


class _Reading(Generic[E]):
    """One pass over all sources: gathers problems and facts on the way."""

    def __init__(
        self,
        section: DataSection,
        task: RowTask[E],
        registry: Registry,
        *,
        labelled: bool = True,
        training: bool = True,
    ) -> None:
        self._section = section
        self._task = task
        self._registry = registry
        self._labelled = labelled
        self._training = training
        self._count = 0
        self.problems: list[Problem] = []
        self.facts: list[FileFact] = []
        self.whole_texts = section.text_unit == "file"
        """Every row so far is a whole text file."""

    def rows(self, sources: Sequence[str]) -> list[Row]:
        """The rows of some sources, columns mapped."""
        return [row for source in find_sources(sources, self._section, self._registry) for row in self._one(source)]

    def parse(self, rows: Sequence[Row]) -> list[E]:
        """The examples of some rows; what cannot be parsed becomes a problem."""
        return list(self._parsed(rows))

    def finish(self) -> None:
        """Raise what was found."""
        if not self.problems:
            return
        found, rows = len(self.problems), self._count
        raise DataError(
            f"{found:,} {'problem' if found == 1 else 'problems'} in {rows:,} {'row' if rows == 1 else 'rows'}",
            expected="every row to be usable: none is skipped or repaired silently",
            fix=self._advice(),
            problems=self._in_order(),
        )

    def _advice(self) -> list[str]:
        alike = len(self.problems) > 1 and len({problem.message for problem in self.problems}) == 1
        if not alike or len(self.problems) < self._count:
            return ["correct or remove these rows"]
        words = ", ".join(column.name for column in self._task.columns)
        return [
            "every row has the same problem, so look at the columns first",
            f"data.columns says which of your columns is which; the task's words: {words}",
        ]

    def _in_order(self) -> list[Problem]:
        """By file and line: splits drawn by share mix the rows."""
        files = {file: place for place, file in enumerate(dict.fromkeys(p.origin.file for p in self.problems))}
        return sorted(self.problems, key=lambda problem: (files[problem.origin.file], problem.origin.line or 0))

    def _one(self, source: Source) -> Iterator[Row]:
        rows: list[Row] = []
        broken = 0
        for item in read_source(source, self._section, self._registry):
            if isinstance(item, Row):
                rows.append(item)
            else:
                broken += 1
                self.problems.append(item)
        self._count += len(rows) + broken
        if not rows and not broken:
            raise DataError(f"{source.name}: no rows")
        if isinstance(source, DatasetSource) or source.reader != _TEXT_READER:
            self.whole_texts = False
        if self._training:
            self.facts.extend(facts_of(source, rows))
        if not rows:
            return iter(())
        binding = bind_columns(
            _columns_of(rows),
            self._task.columns,
            self._section.columns,
            labelled=self._labelled,
            where=source.name,
            recipe=self._training,
        )
        return (apply_columns(row, binding) for row in rows)

    def _parsed(self, rows: Sequence[Row]) -> Iterator[E]:
        for row in rows:
            try:
                yield self._task.parse(row, labelled=self._labelled)
            except RowError as error:
                self.problems.append(Problem(row.origin, str(error)))


def _columns_of(rows: Sequence[Row]) -> list[str]:
    """Every column that some row has, in the order met: rows of JSON need not all have the same."""
    shapes: dict[tuple[str, ...], None] = dict.fromkeys(tuple(row.values) for row in rows)
    return list(dict.fromkeys(name for shape in shapes for name in shape))
