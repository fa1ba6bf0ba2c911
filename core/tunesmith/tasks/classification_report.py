# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a classification shows in the report: confusions, scores per label, calibration, worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunesmith.tasks.metrics import ClassScores
from tunesmith.tasks.sections import Matrix, Table

__all__ = ["MISTAKES_SHOWN", "calibration_table", "excerpt", "label_table", "mistakes", "most_confused"]

MATRIX_MOST = 30
"""A confusion matrix with more labels than this cannot be read; its most confused part is shown."""
MATRIX_PART = 20
MISTAKES_SHOWN = 20
EXCERPT = 300


def most_confused(labels: Sequence[str], counts: np.ndarray[Any, Any]) -> Matrix:
    """The confusion matrix; of many labels those of the most frequent confusions.

    Args:
        labels: K names.
        counts: int64 (K, K), ``counts[true][predicted]``.
    """
    if len(labels) <= MATRIX_MOST:
        return Matrix(title="Confusion matrix", note=_AXES, labels=list(labels), counts=counts.tolist())
    chosen = _confused_labels(counts)
    part = counts[np.ix_(chosen, chosen)]
    note = f"{_AXES} The {len(chosen)} labels with the most frequent confusions, of {len(labels):,}."
    return Matrix(title="Confusion matrix", note=note, labels=[labels[index] for index in chosen], counts=part.tolist())


_AXES = "A row is the true label, a column the predicted one."


def _confused_labels(counts: np.ndarray[Any, Any]) -> list[int]:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    chosen: set[int] = set()
    # Stable: equal counts keep the order of the labels.
    for cell in np.argsort(-wrong, axis=None, kind="stable").tolist():
        pair = divmod(cell, len(counts))
        if wrong[pair] == 0 or len(chosen.union(pair)) > MATRIX_PART:
            break
        chosen.update(pair)
    return sorted(chosen) or list(range(MATRIX_PART))


def label_table(labels: Sequence[str], scores: ClassScores) -> Table:
    """Precision, recall, F1 and rows of every label, worst F1 first."""
    order = np.argsort(scores.f1, kind="stable").tolist()
    return Table(
        title="Scores per label",
        note="Worst F1 first. Support is the number of rows that truly have the label.",
        header=("label", "precision", "recall", "F1", "support"),
        rows=[
            (
                labels[i],
                round(float(scores.precision[i]), 4),
                round(float(scores.recall[i]), 4),
                round(float(scores.f1[i]), 4),
                int(scores.support[i]),
            )
            for i in order
        ],
    )


def calibration_table(rows: Sequence[tuple[str, float, float, float]]) -> Table:
    """How sure the model is without and with its temperature: name, calibration error, mean confidence, mean loss."""
    return Table(
        title="Calibration",
        note="The temperature was fitted on validation rows. It changes how sure an answer is, and no answer.",
        header=("probabilities", "expected calibration error", "mean confidence", "loss"),
        rows=[(name, *(round(number, 4) for number in numbers)) for name, *numbers in rows],
    )


def mistakes(losses: Sequence[float]) -> list[int]:
    """Indices of the greatest losses, greatest first, at most ``MISTAKES_SHOWN``."""
    return sorted(range(len(losses)), key=lambda index: -losses[index])[:MISTAKES_SHOWN]


def excerpt(text: str, most: int = EXCERPT) -> str:
    """The beginning of a text, for a table."""
    return text if len(text) <= most else text[:most] + "…"
