# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attributions of several rows together, and of one in few words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tunesmith_explain.attributions import Attribution, Piece
from tunesmith_explain.heat import heat_png

__all__ = ["MOST", "Mean", "amount_text", "by_label", "mean_heats", "named", "speaking_text"]

MOST = 6
"""Pieces that are named for each side."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A word or column over several rows: the mean of its amounts, of their sizes, and in how many rows it stands."""

    text: str
    mean: float
    size: float
    rows: int


def by_label(found: Sequence[Attribution], most: int = MOST) -> dict[str, list[Mean]]:
    """For each label (for numbers: ``""``) the words or columns that say most, greatest mean first.

    At most ``most`` of each sign; words without regard to case, and only those with a letter or digit. Of numbers all
    columns, those first that move the answer most.
    """
    groups: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        for piece in one.pieces:
            word = piece.text if piece.start is None else piece.text.lower()
            if piece.start is None or any(map(str.isalnum, word)):
                groups[one.label or ""][word].append((one.row, piece.score))
    result: dict[str, list[Mean]] = {}
    for label, words in sorted(groups.items()):
        means = [
            Mean(
                word,
                float(np.mean([score for _, score in amounts])),
                float(np.mean([abs(score) for _, score in amounts])),
                len({row for row, _ in amounts}),
            )
            for word, amounts in words.items()
        ]
        if not label:
            result[label] = sorted(means, key=lambda one: -one.size)
            continue
        means.sort(key=lambda one: -one.mean)
        speaking = [one for one in means if one.mean > 0][:most]
        result[label] = speaking + [one for one in means if one.mean < 0][-most:]
    return result


def mean_heats(found: Sequence[Attribution]) -> list[tuple[str, int, bytes]]:
    """For each label how many images were explained, and a PNG of their means."""
    groups: dict[str, list[Attribution]] = defaultdict(list)
    for one in found:
        groups[one.label or ""].append(one)
    result = []
    for label, ones in sorted(groups.items()):
        pixels = np.mean([one.pixels for one in ones if one.pixels is not None], axis=0).round().astype(np.uint8)
        heat = np.mean([one.heat for one in ones if one.heat is not None], axis=0)
        result.append((label, len(ones), heat_png(replace(ones[0], pixels=pixels, heat=heat))))
    return result


def named(piece: Piece) -> str:
    """A word with its amount, or a column with what it holds and its amount."""
    if piece.cell is None:
        return f"{piece.text} {amount_text(piece.score)}"
    return f"{piece.text} = {piece.cell or '(empty)'} ({amount_text(piece.score)})"


def speaking_text(one: Attribution, most: int = MOST) -> tuple[str, str]:
    """What speaks for the answer, and what against it, strongest first."""
    sides = (one.speaking(most=most), one.speaking(against=True, most=most))
    for_it, against = (" · ".join(map(named, side)) or "–" for side in sides)
    return for_it, against


def amount_text(score: float) -> str:
    """An amount with its sign, for people."""
    text = f"{score:+.2f}" if abs(score) >= 0.1 else f"{score:+.2g}"
    return text.replace("-", "−", 1) if score < 0 else text
