# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of every row of logits, in one or two passes over it.

Shapes: R rows, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tunesmith.engine.jit.attention import exp
from tunesmith.engine.jit.native import entry

__all__ = ["likeliest", "summarize"]


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


@entry
def likeliest(logits: Any, temperatures: Any, values: Any, tokens: Any, masses: Any) -> None:
    """The likeliest tokens of each row, best first; of those alike, the first.

    Args:
        logits: float32 (R, V).
        temperatures: float32 (R,).
        values: float32 (R, K), the result, at most as many as V.
        tokens: int64 (R, K), the result.
        masses: float64 (R,), the result: the sum of exp((logit - best) / temperature) over the whole row.
    """
    count = values.shape[1]
    for row in range(logits.shape[0]):
        held = 0
        for token in range(logits.shape[1]):
            value = logits[row, token]
            if held < count or value > values[row, held - 1]:
                place = held if held < count else count - 1
                while place and values[row, place - 1] < value:
                    values[row, place], tokens[row, place] = values[row, place - 1], tokens[row, place - 1]
                    place -= 1
                values[row, place], tokens[row, place] = value, token
                held = min(held + 1, count)
        best, rate = values[row, 0], np.float32(1) / temperatures[row]
        mass = 0.0
        for start in range(0, logits.shape[1], 1024):
            part = np.float32(0)
            for token in range(start, min(start + 1024, logits.shape[1])):
                part += exp((logits[row, token] - best) * rate)
            mass += part
        masses[row] = mass
