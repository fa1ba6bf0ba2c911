# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One number that makes a classifier as sure as it is right: temperature scaling (Guo et al. 2017, arXiv:1706.04599).

Logits are divided by it before they become probabilities. It moves no logit past another and none past 0, so no
decision changes.

Shapes: N rows, K labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLDEST", "HOTTEST", "fit_temperature"]

COLDEST, HOTTEST = 0.05, 20.0
"""Beyond these the rows say that there is no end to it: all are answered rightly, or no better than by chance."""
DECIMALS = 4
"""That are kept: far fewer than some thousand rows can tell, and more than machines differ by."""
_PART = 2**20
"""Numbers that are computed at once: bounds memory, not results."""


def fit_temperature(logits: NDArray[Any], truth: NDArray[np.bool_], *, several: bool) -> float | None:
    """The temperature at which the true labels of these rows are the most likely.

    The mean cross-entropy is convex in 1 / temperature, so its one minimum is where its slope is 0: Newton's steps,
    and halving where one would leave what is known to hold it. float64; the same numbers give the same temperature.

    Args:
        logits: (N, K).
        truth: bool (N, K); one label in each row unless ``several``.
        several: labels are decided one by one (sigmoid), not against each other (softmax).

    Returns:
        From ``COLDEST`` to ``HOTTEST``, with ``DECIMALS`` decimals. ``None``: the minimum is not between them, there
        are no rows, or a logit is not finite.
    """
    if not len(logits) or not np.isfinite(logits).all():
        return None
    low, high = 1 / HOTTEST, 1 / COLDEST
    if _slope(logits, truth, low, several)[0] >= 0 or _slope(logits, truth, high, several)[0] <= 0:
        return None
    inverse = 1.0
    for _ in range(100):
        slope, curvature = _slope(logits, truth, inverse, several)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        following = inverse - slope / curvature if curvature > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - inverse) <= 1e-9 * inverse:
            break
        inverse = following
    return round(1 / inverse, DECIMALS)


def _slope(logits: NDArray[Any], truth: NDArray[np.bool_], inverse: float, several: bool) -> tuple[float, float]:
    """First and second derivative of the summed cross-entropy by the inverse temperature."""
    slope = curvature = 0.0
    rows = max(1, _PART // logits.shape[1])
    for first in range(0, len(logits), rows):
        part, true = logits[first : first + rows].astype(np.float64), truth[first : first + rows]
        if several:
            likely = np.exp(-np.logaddexp(0, -inverse * part))  # a sigmoid without overflow
            slope += float(((likely - true) * part).sum())
            curvature += float((likely * (1 - likely) * part**2).sum())
        else:
            part -= part.max(1, keepdims=True)
            likely = np.exp(inverse * part)
            likely /= likely.sum(1, keepdims=True)
            mean = (likely * part).sum(1)
            slope += float((mean - part[true]).sum())
            curvature += float(((likely * part**2).sum(1) - mean**2).sum())
    return slope, curvature
