# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What tagging shows in the report: figures by type of entity, and the rows it is most wrong about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunesmith.tasks.classification_report import excerpt, mistakes
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.tagged_rows import TaggedExample
from tunesmith.tasks.tagging import Entity, count_entities

__all__ = ["TaggedRow", "entity_table", "worst_rows"]

Passage = Callable[[TaggedExample, int, int], str]


@dataclass(frozen=True, slots=True)
class TaggedRow:
    """A row with what is true and what the model says.

    Attributes:
        tags: given by the model, one a word.
        truth, found: entities that the true and the given tags spell.
        loss: summed over the words, nats.
    """

    example: TaggedExample
    tags: Sequence[str]
    truth: Sequence[Entity]
    found: Sequence[Entity]
    loss: float


def entity_table(rows: Sequence[TaggedRow]) -> Table:
    """Precision, recall, F1 and number of entities of every type, worst F1 first."""
    _, kinds = count_entities((row.truth for row in rows), (row.found for row in rows))
    return Table(
        title="Scores per type",
        note="Worst F1 first. Support is the number of entities of the type that there are, predicted of those found.",
        header=("type", "precision", "recall", "F1", "support", "predicted"),
        rows=[
            (kind, round(one.precision, 4), round(one.recall, 4), round(one.f1, 4), one.truth, one.predicted)
            for kind, one in sorted(kinds.items(), key=lambda item: item[1].f1)
        ],
    )


def worst_rows(rows: Sequence[TaggedRow], passage: Passage) -> list[Section]:
    """The rows with wrong entities that have the greatest loss.

    Args:
        passage: writes words ``[first, behind)`` of an example as text.
    """
    wrong = [row for row in rows if row.truth != row.found]
    if not wrong:
        return []
    chosen = [wrong[place] for place in mistakes([row.loss for row in wrong])]
    return [
        Table(
            title="Worst mistakes",
            note=f"{len(wrong):,} of {len(rows):,} rows have entities that are wrong; these have the greatest loss.",
            header=("text", "missed", "wrong", "loss"),
            rows=[
                (
                    excerpt(passage(row.example, 0, len(row.example.words))),
                    _named(row, set(row.truth) - set(row.found), passage),
                    _named(row, set(row.found) - set(row.truth), passage),
                    row.loss,
                )
                for row in chosen
            ],
        )
    ]


def _named(row: TaggedRow, entities: set[Entity], passage: Passage) -> str:
    ordered = sorted(entities, key=lambda entity: entity[1])
    return ", ".join(f"{passage(row.example, first, behind)} ({kind})" for kind, first, behind in ordered) or "–"
