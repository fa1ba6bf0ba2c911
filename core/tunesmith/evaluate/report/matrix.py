# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Confusion matrices as geometry, and the pairs of labels most often confused."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunesmith.tasks.sections import Matrix

__all__ = ["Cell", "Confusion", "Heatmap", "heatmap", "most_confused"]

MAX_LABELS = 160
"""More labels than this make no drawing one could read; the list of confusions remains."""
_SHOWN_LETTERS = 28


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair of labels that occurs.

    Attributes:
        share: of the rows in this line of the matrix, 0 to 1, on the scale of the drawing.
        text: the count, where there is room for it.
        hover: the cell in words.
    """

    x: float
    y: float
    right: bool
    share: float
    text: str
    light: bool
    hover: str


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A matrix, ready to draw: rows are true labels, columns predicted ones."""

    title: str
    summary: str
    width: float
    height: float
    left: float
    top: float
    cell: float
    letter: float
    columns: tuple[tuple[float, str, str], ...]
    rows: tuple[tuple[float, str, str], ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """``count`` rows of label ``true`` were taken for ``predicted``: ``share`` of the rows in that line."""

    true: str
    predicted: str
    count: int
    share: float


def heatmap(matrix: Matrix) -> Heatmap | None:
    """Lay out a matrix; ``None`` where it has no or too many labels, or no counts."""
    size = len(matrix.labels)
    total = sum(map(sum, matrix.counts))
    if not 0 < size <= MAX_LABELS or not total:
        return None
    cell = 46.0 if size <= 8 else 34.0 if size <= 14 else 22.0 if size <= 30 else 11.0 if size <= 90 else 7.0
    letter = min(12.0, max(6.5, cell * 0.82))
    longest = max(len(_short(label)) for label in matrix.labels)
    left = top = round(longest * letter * 0.6 + 26, 1)
    right = sum(matrix.counts[place][place] for place in range(size))
    return Heatmap(
        title=matrix.title,
        summary=f"{matrix.title}: {right:,} of {total:,} rows on the diagonal, {size:,} labels",
        width=left + size * cell + max(2.0, top * 0.55),
        height=top + size * cell + 2,
        left=left,
        top=top,
        cell=cell,
        letter=letter,
        columns=tuple((left + (n + 0.5) * cell, _short(label), label) for n, label in enumerate(matrix.labels)),
        rows=tuple((top + (n + 0.5) * cell, _short(label), label) for n, label in enumerate(matrix.labels)),
        cells=tuple(_cells(matrix, left, top, cell)),
    )


def most_confused(matrix: Matrix, limit: int = 10) -> list[Confusion]:
    """The pairs of different labels with the most rows, most first."""
    pairs = []
    for true, counts in enumerate(matrix.counts):
        rows = sum(counts)
        pairs += [
            Confusion(matrix.labels[true], matrix.labels[predicted], count, count / rows)
            for predicted, count in enumerate(counts)
            if count and predicted != true
        ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.true, pair.predicted))[:limit]


def _cells(matrix: Matrix, left: float, top: float, size: float) -> list[Cell]:
    cells = []
    for true, counts in enumerate(matrix.counts):
        rows = sum(counts)
        for predicted, count in enumerate(counts):
            if not count:
                continue
            share = count / rows
            cells.append(
                Cell(
                    x=round(left + predicted * size, 1),
                    y=round(top + true * size, 1),
                    right=true == predicted,
                    # The root lifts rare mistakes into sight.
                    share=round(0.12 + 0.88 * math.sqrt(share), 3),
                    text=f"{count:,}" if size >= 22 and len(f"{count:,}") * 7 <= size else "",
                    light=share > 0.35,
                    hover=f"true: {matrix.labels[true]}\npredicted: {matrix.labels[predicted]}\n"
                    f"{count:,} of the {rows:,} rows in this line ({share * 100:.1f} %)",
                )
            )
    return cells


def _short(label: str) -> str:
    return label if len(label) <= _SHOWN_LETTERS else label[: _SHOWN_LETTERS - 1] + "…"
