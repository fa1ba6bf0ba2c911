# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of every row of logits, in two passes over it.

Shapes: R rows, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tunesmith.engine.jit.attention import exp
from tunesmith.engine.jit.native import entry

__all__ = ["summarize"]


@entry
def summarize(logits: Any, best: Any, totals: Any) -> None:
    """The likeliest token of each row, the first of those alike, and the logarithm of the sum of all exponentials.

    Args:
        logits: float32 (R, V).
        best: int64 (R,), the result.
        totals: float64 (R,), the result; NaN where a logit is.
    """
    for row in range(logits.shape[0]):
        most, place = logits[row, 0], 0
        for token in range(logits.shape[1]):
            if logits[row, token] > most:
                most, place = logits[row, token], token
        total = 0.0
        broken = False
        for start in range(0, logits.shape[1], 1024):  # single sums of this length round no more than the logits do
            part = np.float32(0)
            for token in range(start, min(start + 1024, logits.shape[1])):
                part += exp(logits[row, token] - most)
                broken |= logits[row, token] != logits[row, token]
            total += part
        best[row] = place
        totals[row] = np.nan if broken else most + np.log(total)
