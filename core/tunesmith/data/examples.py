# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From sources to examples: every row read, mapped and parsed, every problem found before anything trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.columns import apply_columns, bind_columns
from tunesmith.data.facts import FileFact, facts_of
from tunesmith.data.folds import fold_places, take
from tunesmith.data.gathering import Problems, RowTask, Splits
from tunesmith.data.mixing import mixing_notes
from tunesmith.data.rows import Problem, Row, RowError
from tunesmith.data.sources import DatasetSource, Source, find_entries, find_sources, read_source
from tunesmith.data.splits import check_shares, cut_documents, repeated_rows, split_places
from tunesmith.data.stored_examples import read_stored
from tunesmith.errors import DataError

if TYPE_CHECKING:
    from tunesmith.recipe.schema import DataSection
    from tunesmith.registry import Registry

__all__ = ["RowTask", "Splits", "read_examples", "read_split"]

E = TypeVar("E")

_TEXT_READER = "tunesmith/text"


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
    found = find_entries(section, registry)
    stored = read_stored(section, task, registry, found)
    if isinstance(stored, Splits):
        return stored
    reading = _Reading(section, task, registry)
    rows = {}
    for split, entries in found.items():
        rows[split] = reading.rows([source for _, source in entries])
        if split == "train":
            whole_texts, entry_of = reading.whole_texts, reading.entries([entry for entry, _ in entries])
    notes: list[str] = []
    shares = {"validation": section.split.validation, "test": section.split.test}
    if (section.split.folds or any(shares.values())) and not reading.problems.found:
        too_few = whole_texts and any(round(share * len(rows["train"])) < 1 for share in shares.values() if share)
        if too_few and section.split.folds is None:
            entry_of_file = dict(zip((row.origin.file for row in rows["train"]), entry_of.tolist(), strict=True))
            parts, notes = cut_documents(rows["train"], shares)
            entry_of = np.asarray([entry_of_file[row.origin.file] for row in parts["train"]], dtype=np.int64)
        else:
            if section.split.folds is None:
                places, notes = split_places(len(rows["train"]), shares, section.split.seed)
            else:
                places, notes = fold_places(rows["train"], task.columns, section.split)
            parts = take(rows["train"], places)
            entry_of = entry_of[places["train"]]
        rows |= parts
    notes += repeated_rows(rows, task.columns)
    examples = {split: reading.parse(part) for split, part in rows.items()}
    reading.problems.finish(task.columns)
    notes += [] if stored is None else [stored]
    notes += reading.transforms.notes()
    notes += mixing_notes(section.train, section.weights, entry_of) if section.weights else []
    return Splits(
        examples["train"],
        examples["validation"],
        examples["test"],
        tuple(reading.facts),
        tuple(notes),
        entry_of if section.weights else None,
    )


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
    examples = reading.parse(reading.rows(find_sources(sources, section, registry)))
    reading.problems.finish(task.columns)
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
        from tunesmith.data.transforms import Transforms  # with it comes pydantic

        self._section = section
        self._task = task
        self._registry = registry
        self._labelled = labelled
        self._training = training
        self._sizes: list[int] = []
        self.transforms = Transforms(section.transform if training else (), registry)
        self.problems = Problems()
        self.facts: list[FileFact] = []
        self.whole_texts = section.text_unit == "file"
        """Every row so far is a whole text file."""

    def rows(self, sources: Sequence[Source]) -> list[Row]:
        """The rows of some sources, columns mapped."""
        rows: list[Row] = []
        self._sizes = []
        for source in sources:
            before = len(rows)
            rows.extend(self.transforms.apply(self._one(source), self.problems.found))
            self._sizes.append(len(rows) - before)
        return rows

    def entries(self, entries: Sequence[int]) -> NDArray[np.int64]:
        """Which entry of the recipe each of the rows comes from that were read last."""
        return np.repeat(np.asarray(entries, dtype=np.int64), self._sizes)

    def parse(self, rows: Sequence[Row]) -> list[E]:
        """The examples of some rows; what cannot be parsed becomes a problem."""
        return list(self._parsed(rows))

    def _one(self, source: Source) -> Iterator[Row]:
        rows: list[Row] = []
        broken = 0
        for item in read_source(source, self._section, self._registry):
            if isinstance(item, Row):
                rows.append(item)
            else:
                broken += 1
                self.problems.found.append(item)
        self.problems.rows += len(rows) + broken
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
                self.problems.found.append(Problem(row.origin, str(error)))


def _columns_of(rows: Sequence[Row]) -> list[str]:
    """Every column that some row has, in the order met: rows of JSON need not all have the same."""
    shapes: dict[tuple[str, ...], None] = dict.fromkeys(tuple(row.values) for row in rows)
    return list(dict.fromkeys(name for shape in shapes for name in shape))
