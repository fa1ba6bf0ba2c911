# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Folds for cross-validation: every training row is held out once, in one of k parts.

Rows with the same label are spread over the folds as evenly as can be (stratified); with ``data.split.group``, rows of
one group (a writer, a patient) stay together instead, so that no model is scored on a group it has seen.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.rows import Column, Row
from tunesmith.errors import DataError

if TYPE_CHECKING:
    from tunesmith.recipe.schema import SplitSection

__all__ = ["fold_places", "take"]

Unit = list[int]
"""Rows that stay together, by their place; of one row each, without groups."""


def fold_places(
    rows: Sequence[Row], columns: Sequence[Column], split: SplitSection
) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    """The places of each part's rows, in order, where the recipe asks for a fold.

    The fold is the ``test`` part; ``split.validation`` is a share of the others. The same rows and ``split`` give the
    same parts on every platform and version of Python, and the folds 1 to k together hold every row once.

    Args:
        rows: all training rows, columns mapped.
        columns: the task's; the one target among them is what is stratified by.
        split: with ``folds`` and ``fold``.

    Returns:
        The parts ``train``, ``validation`` (if asked for) and ``test``, and notes.

    Raises:
        DataError: fewer rows, or groups, than folds; a row without a group; nothing left for a part.
    """
    folds, fold = split.folds or 1, split.fold or 1
    # Only random() itself is promised to stay the same between versions of Python; shuffle() is not.
    draw = random.Random(split.seed).random
    units = [[place] for place in range(len(rows))] if split.group is None else _groups(rows, split.group)
    if len(units) < folds:
        what = "rows" if split.group is None else f"groups in the column {split.group!r}"
        raise DataError(
            f"data.split: {folds} folds need at least as many {what}",
            given=f"{len(units):,} {what}",
            expected=f"at least {folds}",
            fix=f"fewer folds: {max(2, len(units))}",
        )
    keys = [draw() for _ in units]
    labels = _labels(rows, columns) if split.group is None else None
    dealt = _by_size(units, keys, folds) if labels is None else _by_label(units, keys, labels, folds)
    held_out = sorted(place for unit, at in zip(units, dealt, strict=True) if at == fold - 1 for place in unit)
    others = [(key, unit) for key, unit, at in zip(keys, units, dealt, strict=True) if at != fold - 1]
    validation = _share(others, split.validation)
    taken = set(validation)
    parts = {
        "train": sorted(place for _, unit in others for place in unit if place not in taken),
        **({"validation": validation} if split.validation else {}),
        "test": held_out,
    }
    for part, found in parts.items():
        if not found:
            raise DataError(
                f"data.split: nothing would be left for {part}",
                given=f"fold {fold} of {folds} of {len(rows):,} rows, validation={split.validation:g}",
                expected="at least one row in every part",
                fix="give more rows, or other shares",
            )
    how = _how(split.group, len(units), labels)
    sizes = ", ".join(f"{part} {len(found):,}" for part, found in parts.items())
    notes = [f"fold {fold} of {folds} of {len(rows):,} rows, {how}, with seed {split.seed}: {sizes}"]
    return {part: np.asarray(found, dtype=np.int64) for part, found in parts.items()}, notes


def _how(group: str | None, units: int, labels: Sequence[Hashable] | None) -> str:
    if group is not None:
        return f"{units:,} groups by {group!r} kept together"
    return "drawn at random" if labels is None else f"spread evenly by label ({len(set(labels)):,} labels)"


def _groups(rows: Sequence[Row], column: str) -> list[Unit]:
    groups: dict[Any, Unit] = {}
    for place, row in enumerate(rows):
        value = row.values.get(column)
        if value is None or value == "" or not isinstance(value, (str, int, float)):
            known = ", ".join(row.values)
            raise DataError(
                f"{row.origin}: no group in the column {column!r}, which data.split.group names",
                given="nothing" if column in row.values else f"columns {known}",
                expected="a text or a number in every row",
                fix="name another column, or fill this one",
            )
        groups.setdefault(value, []).append(place)
    return list(groups.values())


def _labels(rows: Sequence[Row], columns: Sequence[Column]) -> list[Hashable] | None:
    """The label of each row; None where there is not one, or where labels hardly repeat (numbers, free text)."""
    targets = [column.name for column in columns if column.target]
    if len(targets) != 1:
        return None
    labels = [row.values.get(targets[0]) for row in rows]
    if not all(isinstance(label, (str, int)) for label in labels):
        return None
    return labels if len(set(labels)) <= len(labels) / 2 else None


def _by_label(units: Sequence[Unit], keys: Sequence[float], labels: Sequence[Hashable], folds: int) -> list[int]:
    """Deal each label's rows in turn, going on where the last label ended: sizes differ by one at most."""
    first = {label: place for place, label in reversed(list(enumerate(labels)))}
    order = sorted(range(len(units)), key=lambda unit: (first[labels[units[unit][0]]], keys[unit]))
    dealt = [0] * len(units)
    for turn, unit in enumerate(order):
        dealt[unit] = turn % folds
    return dealt


def _by_size(units: Sequence[Unit], keys: Sequence[float], folds: int) -> list[int]:
    """The largest first, each to the fold that has the fewest rows."""
    sizes: Counter[int] = Counter(dict.fromkeys(range(folds), 0))
    dealt = [0] * len(units)
    for unit in sorted(range(len(units)), key=lambda unit: (-len(units[unit]), keys[unit])):
        at = min(range(folds), key=lambda fold: (sizes[fold], fold))
        dealt[unit] = at
        sizes[at] += len(units[unit])
    return dealt


def _share(units: Sequence[tuple[float, Unit]], share: float) -> list[int]:
    """Whole units, drawn at random until they hold the share of all their rows."""
    wanted = round(share * sum(len(unit) for _, unit in units))
    taken: list[int] = []
    for _, unit in sorted(units, key=lambda item: (item[0], item[1][0])):
        if len(taken) >= wanted:
            break
        taken += unit
    return sorted(taken)


def take(rows: Sequence[Row], places: Mapping[str, NDArray[np.int64]]) -> dict[str, list[Row]]:
    """The rows of each part."""
    return {part: [rows[place] for place in found.tolist()] for part, found in places.items()}
