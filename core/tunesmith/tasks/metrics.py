# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures of classification and regression, from predictions alone: numpy in, plain numbers out.

Shapes: N rows, K classes. The definitions are scikit-learn's with ``zero_division=0``: a quotient whose
denominator is 0 counts as 0, and a macro average runs over the classes that occur in truth or prediction. What counts
decisions is computed here, since reports need the counts; what ranks probabilities is scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "ClassScores",
    "accuracy",
    "calibration_error",
    "class_scores",
    "confusion_matrix",
    "exact_match",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "mean_absolute_error",
    "micro_f1",
    "multi_label_scores",
    "pr_auc",
    "r2",
    "roc_auc",
    "root_mean_squared_error",
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
    return _macro(scores, scores.f1)


def macro_precision(scores: ClassScores) -> float:
    """Mean precision over the same classes; a class that was never predicted counts as 0."""
    return _macro(scores, scores.precision)


def macro_recall(scores: ClassScores) -> float:
    """Mean recall over the same classes; a class that no row truly has counts as 0."""
    return _macro(scores, scores.recall)


def micro_f1(truth: Array, predicted: Array) -> float:
    """F1 over all decisions together: 2 hits / (true labels + predicted labels).

    Args:
        truth: bool (N, K).
        predicted: bool (N, K).
    """
    _paired(truth, predicted)
    total = int(truth.sum()) + int(predicted.sum())
    return 2 * int((truth & predicted).sum()) / total if total else 0.0


def roc_auc(truth: Array, probabilities: Array) -> float:
    """Area under the ROC curve, each class against the rest, mean over the classes.

    A class that every row has, or none, cannot be ranked and is left out; 0.5 (as by chance) where no class is left.

    Args:
        truth: bool (N, K).
        probabilities: float (N, K); the area is NaN where one is not finite.
    """
    from sklearn.metrics import roc_auc_score

    _paired(truth, probabilities)
    if not np.isfinite(probabilities).all():
        return float("nan")
    both = [place for place in range(truth.shape[1]) if 0 < truth[:, place].sum() < len(truth)]
    areas = [roc_auc_score(truth[:, place], probabilities[:, place]) for place in both]
    return float(np.mean(areas)) if areas else 0.5


def pr_auc(truth: Array, probabilities: Array) -> float:
    """Average precision (area under the precision-recall curve, as a sum of steps), mean over the classes.

    A class that no row has is left out; 0 where no class is left.

    Args:
        truth: bool (N, K).
        probabilities: float (N, K); the area is NaN where one is not finite.
    """
    from sklearn.metrics import average_precision_score

    _paired(truth, probabilities)
    if not np.isfinite(probabilities).all():
        return float("nan")
    there = [place for place in range(truth.shape[1]) if truth[:, place].any()]
    areas = [average_precision_score(truth[:, place], probabilities[:, place]) for place in there]
    return float(np.mean(areas)) if areas else 0.0


def calibration_error(right: Array, confidence: Array, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599): confidence less share right, 0 to 1.

    The decisions are put into ``bins`` of equal width by their confidence; in each, the mean confidence is compared
    with the share that is right, and the distances are averaged by the number of decisions.

    Args:
        right: bool (N,).
        confidence: float (N,), from 0 to 1; the error is NaN where one is not finite.
    """
    _paired(right, confidence)
    if not np.isfinite(confidence).all():
        return float("nan")
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    apart = np.bincount(place, weights=confidence - right.astype(np.float64), minlength=bins)
    return float(np.abs(apart).sum() / len(right))


def root_mean_squared_error(truth: Array, predicted: Array) -> float:
    """In the unit of the numbers, both float64 (N,)."""
    _paired(truth, predicted)
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))


def mean_absolute_error(truth: Array, predicted: Array) -> float:
    """In the unit of the numbers, both float64 (N,)."""
    _paired(truth, predicted)
    return float(np.mean(np.abs(truth - predicted)))


def r2(truth: Array, predicted: Array) -> float:
    """Coefficient of determination: 1 is exact, 0 no better than the mean of these rows, and it may be negative.

    Where all true numbers are the same, 1 if all are met, else 0.
    """
    _paired(truth, predicted)
    error, spread = float(np.sum((truth - predicted) ** 2)), float(np.sum((truth - truth.mean()) ** 2))
    if spread == 0:
        return float(error == 0)
    return 1 - error / spread


def _macro(scores: ClassScores, values: Array) -> float:
    seen = (scores.support + scores.predicted) > 0
    return float(values[seen].mean()) if seen.any() else 0.0


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
