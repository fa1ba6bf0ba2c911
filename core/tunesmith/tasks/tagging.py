# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Tags of words and the entities they spell, and how well entities were found.

A tag is a prefix and a type, as ``B-person``, or ``O`` outside of entities. Which words form an entity is decided as by
``conlleval``, the script of the CoNLL shared tasks, and by seqeval in its default mode: an entity begins at ``B`` or
``S``, and at an ``I`` or ``E`` that does not go on an open entity of its own type, so also where a tag is illegal, such
as an ``I`` after ``O``. So one rule reads IOB1, IOB2, BIOES, BILOU (``L`` is ``E``, ``U`` is ``S``) and BMES (``M`` is
``I``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["OUTSIDE", "Entity", "EntityCounts", "complete_tags", "count_entities", "entities_of", "has_prefixes"]

OUTSIDE = "O"
NO_TYPE = "_"
"""The type of entities whose tags are ``B`` and ``I`` alone."""

_ROLES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}

Entity = tuple[str, int, int]
"""Type, and words ``[start, end)``."""


def has_prefixes(tags: Iterable[str]) -> bool:
    """Whether these are tags of entities: every one but ``O`` has a known prefix, and there is one that begins or goes
    on an entity of several words (``B`` or ``I``)."""
    named = set(tags) - {OUTSIDE}
    return bool(named) and all(_parts(tag) for tag in named) and any(tag[0] in "BI" for tag in named)


def _parts(tag: str) -> tuple[str, str] | None:
    """Role and type of a tag; ``None`` if it has no prefix."""
    prefix, dash, kind = tag.partition("-")
    role = _ROLES.get(prefix)
    if role is None or (dash and not kind):
        return None
    return role, kind or NO_TYPE


def complete_tags(tags: Iterable[str]) -> set[str]:
    """Tags of entities with every prefix that some type has for every type: ``I-x`` may be met later where ``B-x`` was.

    Tags of another kind are given back as they are.
    """
    known = set(tags)
    if not has_prefixes(known):
        return known
    marked = {tag.partition("-")[0] for tag in known - {OUTSIDE}} | {"B", "I"}
    kinds = {tag.partition("-")[2] for tag in known - {OUTSIDE}}
    return {OUTSIDE} | {f"{prefix}-{kind}" if kind else prefix for prefix in marked for kind in kinds}


def entities_of(tags: Sequence[str], *, prefixes: bool = True) -> list[Entity]:
    """Entities that a row's tags spell, in order.

    Args:
        prefixes: what :func:`has_prefixes` said of the whole set of tags. Without, every word that is not ``O`` is an
            entity by itself.
    """
    found: list[Entity] = []
    opened: tuple[str, int] | None = None  # type and first word of the entity that may go on
    for place, tag in enumerate(tags):
        parts = None if tag == OUTSIDE else _parts(tag) if prefixes else ("S", tag)
        role, kind = parts or (OUTSIDE, "")
        if opened and (role in "BSO" or opened[0] != kind):
            found.append((*opened, place))
            opened = None
        if role == OUTSIDE:
            continue
        opened = opened or (kind, place)
        if role in "ES":
            found.append((*opened, place + 1))
            opened = None
    if opened:
        found.append((*opened, len(tags)))
    return found


@dataclass(frozen=True, slots=True)
class EntityCounts:
    """Entities of a type, or of all.

    Attributes:
        hits: found with the same words and the same type.
        truth: that there are.
        predicted: that were found.
    """

    hits: int
    truth: int
    predicted: int

    @property
    def precision(self) -> float:
        """Hits / predicted; 0 where nothing was predicted."""
        return self.hits / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Hits / truth; 0 where there is nothing to find."""
        return self.hits / self.truth if self.truth else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 where there is neither."""
        total = self.truth + self.predicted
        return 2 * self.hits / total if total else 0.0


def count_entities(
    truth: Iterable[Sequence[Entity]], predicted: Iterable[Sequence[Entity]]
) -> tuple[EntityCounts, dict[str, EntityCounts]]:
    """Counts over all rows: of all entities together, and by type in alphabetical order."""
    hits: Counter[str] = Counter()
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for wanted, given in zip(truth, predicted, strict=True):
        there.update(entity[0] for entity in wanted)
        found.update(entity[0] for entity in given)
        hits.update(entity[0] for entity in set(wanted) & set(given))
    kinds = sorted(there.keys() | found.keys())
    every = EntityCounts(hits.total(), there.total(), found.total())
    return every, {kind: EntityCounts(hits[kind], there[kind], found[kind]) for kind in kinds}
