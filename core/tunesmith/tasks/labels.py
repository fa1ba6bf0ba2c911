# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The classes of a classification: learned from the training rows, checked against the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from tunesmith.errors import DataError, Origin, Problem

__all__ = ["Labelled", "learn_labels", "not_one_label", "rare_labels", "sort_labels", "unseen_labels"]

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)\Z")
RARE_ROWS = 5


class Labelled(Protocol):
    """An example with labels: ``None`` when it is only to be predicted."""

    @property
    def labels(self) -> tuple[str, ...] | None: ...

    @property
    def several(self) -> bool: ...

    @property
    def origin(self) -> Origin: ...


def sort_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Each label once, in order; whole numbers by value, so that "10" follows "9"."""
    distinct = set(labels)
    if distinct and all(_WHOLE.match(label) for label in distinct):
        return tuple(sorted(distinct, key=lambda label: (int(label), label)))
    return tuple(sorted(distinct))


def learn_labels(examples: Sequence[Labelled], *, multi_label: bool) -> tuple[str, ...]:
    """The classes of the training rows.

    Raises:
        DataError: fewer classes than there are to tell apart.
    """
    labels = sort_labels(label for example in examples for label in example.labels or ())
    needed = 1 if multi_label else 2
    if len(labels) < needed:
        rows = "the only row has" if len(examples) == 1 else f"all {len(examples):,} rows have"
        found = f"{rows} the label {labels[0]!r}" if labels else "no labels at all"
        raise DataError(
            "the training rows do not have enough different labels",
            given=found,
            expected=f"at least {'one label' if multi_label else 'two different labels'}",
            fix="check that data.columns names the right label column, and that the rows are not cut off by label",
        )
    return labels


def rare_labels(examples: Sequence[Labelled]) -> str | None:
    """A sentence about the classes with few training rows, or None."""
    counts = Counter(label for example in examples for label in example.labels or ())
    rare = sorted((count, label) for label, count in counts.items() if count < RARE_ROWS)
    if not rare:
        return None
    shown = ", ".join(f"{label} ({count})" for count, label in rare[:10])
    more = f" and {len(rare) - 10:,} more" if len(rare) > 10 else ""
    return f"{len(rare):,} of {len(counts):,} labels have fewer than {RARE_ROWS} training rows: {shown}{more}"


def unseen_labels(examples: Sequence[Labelled], known: Iterable[str], split: str) -> DataError | None:
    """The error about labels of ``split`` that training never saw, or None."""
    known = set(known)
    problems = [
        Problem(example.origin, f"label {label!r}")
        for example in examples
        for label in example.labels or ()
        if label not in known
    ]
    if not problems:
        return None
    names = sort_labels(label for example in examples for label in example.labels or () if label not in known)
    return DataError(
        f"the {split} rows have {'a label' if len(names) == 1 else f'{len(names):,} labels'} that training never saw",
        given=_listed(names),
        expected=f"only labels of the training rows: {_listed(sort_labels(known))}",
        fix=(
            "add training rows with these labels, or take the rows out of this split;",
            "or correct the labels, if they are misspelled",
        ),
        problems=problems,
    )


def not_one_label(examples: Sequence[Labelled], split: str) -> DataError | None:
    """The error about rows of ``split`` with no label or several, for a model of which every answer is one; or None."""
    problems = [
        Problem(example.origin, f"{len(example.labels)} labels")
        for example in examples
        if example.labels is not None and len(example.labels) != 1
    ]
    if not problems:
        return None
    return DataError(
        f"the {split} rows have lists of labels, and every training row has one label",
        given="no label, or several",
        expected="one label a row, as in training",
        fix="correct these rows, or train with lists of labels too: a list of one in a single row is enough",
        problems=problems,
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(repr(name) for name in names[:10]) + more
