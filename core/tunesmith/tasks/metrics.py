# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures of classification, from predictions alone: numpy in, plain numbers out.

Shapes: N rows, K classes. The definitions are scikit-learn's with ``zero_division=0``: a quotient whose
denominator is 0 counts as 0, and a macro average runs over the classes that occur in truth or prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "ClassScores",
    "accuracy",
    "class_scores",
    "confusion_matrix",
    "exact_match",
    "macro_f1",
    "micro_f1",
    "multi_label_scores",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Precision, recall and F1 of every class.

    Attributes:
        precision: true positives / predicted, float64 (K,).
        recall: true positives / support, float64 (K,).
        f1: harmonic mean of the two, float64 (K,).
        support: rows that truly have the class, int64 (K,).
        predicted: rows predicted as the class, int64 (K,).
    """

    precision: Array
    recall: Array
    f1: Array
    support: Array
    predicted: Array


def accuracy(truth: Array, predicted: Array) -> float:
    """Share of rows whose predicted class is the true one.

    Args:
        truth: class indices, (N,).
        predicted: class indices, (N,).

    Raises:
        ValueError: no rows, or not as many predictions as truths.
    """
    _paired(truth, predicted)
    return float(np.mean(truth == predicted))


def exact_match(truth: Array, predicted: Array) -> float:
    """Share of rows whose whole set of labels is right (subset accuracy).

    Args:
        truth: bool (N, K).
        predicted: bool (N, K).
    """
    _paired(truth, predicted)
    return float(np.mean(np.all(truth == predicted, axis=1)))


def confusion_matrix(truth: Array, predicted: Array, classes: int) -> Array:
    """Counts, int64 (K, K): ``counts[true][predicted]``.

    Args:
        truth: class indices, (N,).
        predicted: class indices, (N,).
        classes: K.
    """
    _paired(truth, predicted)
    cells = np.bincount(truth.astype(np.int64) * classes + predicted.astype(np.int64), minlength=classes * classes)
    return cells.reshape(classes, classes)


def class_scores(truth: Array, predicted: Array, classes: int) -> ClassScores:
    """Scores per class for rows with one label each."""
    counts = confusion_matrix(truth, predicted, classes)
    return _scores(hits=np.diagonal(counts), support=counts.sum(axis=1), predicted=counts.sum(axis=0))


def multi_label_scores(truth: Array, predicted: Array) -> ClassScores:
    """Scores per class for rows with any number of labels.

    Args:
        truth: bool (N, K).
        predicted: bool (N, K).
    """
    _paired(truth, predicted)
    return _scores(hits=(truth & predicted).sum(axis=0), support=truth.sum(axis=0), predicted=predicted.sum(axis=0))


def macro_f1(scores: ClassScores) -> float:
    """Mean F1 over the classes that occur in truth or prediction; 0 where none does."""
    seen = (scores.support + scores.predicted) > 0
    return float(scores.f1[seen].mean()) if seen.any() else 0.0


def micro_f1(truth: Array, predicted: Array) -> float:
    """F1 over all decisions together: 2 hits / (true labels + predicted labels).

    Args:
        truth: bool (N, K).
        predicted: bool (N, K).
    """
    _paired(truth, predicted)
    total = int(truth.sum()) + int(predicted.sum())
    return 2 * int((truth & predicted).sum()) / total if total else 0.0


def _scores(*, hits: Array, support: Array, predicted: Array) -> ClassScores:
    precision = _ratio(hits, predicted)
    recall = _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    return ClassScores(precision, recall, f1, support.astype(np.int64), predicted.astype(np.int64))


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros(above.shape, dtype=np.float64), where=below > 0)


def _paired(truth: Array, predicted: Array) -> None:
    if truth.shape != predicted.shape:
        raise ValueError(f"truth has shape {truth.shape} and the predictions {predicted.shape}: they must be the same")
    if truth.shape[0] == 0:
        raise ValueError("no rows to score")
