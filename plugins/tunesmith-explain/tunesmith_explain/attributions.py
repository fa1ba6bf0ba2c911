# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What comes out: an answer divided among the words, columns or pixels that it was made from.

Shapes: H height, W width, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunesmith.errors import Origin
from tunesmith.tasks.lengths import plural

__all__ = ["TOLERANCE", "Attribution", "Piece", "unconverged"]

TOLERANCE = 0.05
"""Share of what was divided that may be missing, or too much, before it is said."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of a text, or a column of a table, and what it adds to the answer.

    Attributes:
        text: the word as it stands in the text; the name of the column.
        score: in the unit of the answer: logits, or the target's own unit. Above 0 it speaks for the answer.
        start, end: of a word: its place ``[start, end)`` in the text, in characters.
        cell: of a column: what the row holds there; empty where nothing.
    """

    text: str
    score: float
    start: int | None = None
    end: int | None = None
    cell: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """One answer to one row, divided among what the row consists of.

    ``value - baseline_value`` is what ``pieces`` (or ``heat``) and ``rest`` add up to, but for ``delta``.

    Attributes:
        row: index of the example.
        origin: where the row stands.
        part: which part of a text that the task reads in parts, from 0.
        parts: how many parts it has.
        label: the label whose logit was divided; ``None`` for a number.
        predicted: the model gives this label (this number).
        true: the row has this label; ``None`` where that is not known. For a number always ``None``.
        probability: that the model gives the label; ``None`` for a number.
        target: of a number: the true one, where it is known.
        value: the logit, or the number in its own unit.
        baseline_value: the same of the baseline, an input that says nothing.
        pieces: words in the order of the text, or columns in the order of the model; empty for images.
        text: the whole text; ``None`` for images and tables.
        rest: of a text: what fell to tokens that belong to no word, such as line breaks.
        heat: float32 (H, W) of an image: what each pixel adds.
        pixels: uint8 (H, W, C) of an image: what the model saw.
        delta: what ``pieces``, ``heat`` and ``rest`` add up to, less ``value - baseline_value``.
        steps: points of the integral.
    """

    row: int
    origin: Origin
    label: str | None
    predicted: bool
    true: bool | None
    probability: float | None
    value: float
    baseline_value: float
    delta: float
    steps: int
    part: int = 0
    parts: int = 1
    target: float | None = None
    pieces: tuple[Piece, ...] = ()
    text: str | None = None
    rest: float = 0.0
    heat: np.ndarray[Any, np.dtype[np.float32]] | None = None
    pixels: np.ndarray[Any, np.dtype[np.uint8]] | None = None

    @property
    def size(self) -> float:
        """The sum of all amounts, their signs left out."""
        if self.heat is not None:
            return float(np.abs(self.heat).sum(dtype=np.float64))
        return sum(abs(piece.score) for piece in self.pieces) + abs(self.rest)

    @property
    def error(self) -> float:
        """``delta`` as a share of what was divided: 0 is exact."""
        whole = max(self.size, abs(self.value - self.baseline_value))
        return abs(self.delta) / whole if whole else 0.0

    @property
    def strongest(self) -> float:
        """The largest amount, its sign left out; what colors are relative to."""
        if self.heat is not None:
            return float(np.abs(self.heat).max(initial=0.0))
        return max((abs(piece.score) for piece in self.pieces), default=0.0)

    def speaking(self, *, against: bool = False, most: int | None = None) -> list[Piece]:
        """Pieces that speak for the answer, or against it, strongest first."""
        side = [piece for piece in self.pieces if (piece.score < 0 if against else piece.score > 0)]
        return sorted(side, key=lambda piece: -abs(piece.score))[:most]


def unconverged(found: list[Attribution], tolerance: float = TOLERANCE) -> str | None:
    """What must be told of attributions that do not add up; ``None`` where all do."""
    bad = [one for one in found if not one.error <= tolerance]  # NaN too
    if not bad:
        return None
    worst = max(one.error for one in bad)
    miss = "misses" if len(bad) == 1 else "miss"
    return (
        f"{len(bad):,} of {plural(len(found), 'attribution')} {miss} the answer by more than {tolerance:.0%}, "
        f"the worst by {worst:.0%}: take more steps than {bad[0].steps}"
    )
