# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The learning rate as a pure function of the step, so that a resumed job needs no scheduler state."""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["rate_at"]


def rate_at(
    step: int, *, total: int, warmup: int, peak: float, schedule: Literal["linear", "cosine", "constant"]
) -> float:
    """Learning rate of optimizer step ``step`` (0-based).

    Rises in ``warmup`` equal parts, the first step already above 0, then falls to 0 *after* the last step: no
    step is spent at a rate of exactly 0.

    Args:
        step: 0-based, less than ``total``.
        total: optimizer steps of the whole job.
        warmup: steps of the rise; 0 for none.
        peak: the rate after the rise.
        schedule: how it falls: ``linear``, ``cosine`` (half a wave, Loshchilov and Hutter 2016,
            arXiv:1608.03983) or ``constant`` (not at all).
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    left = (total - step) / max(1, total - warmup)
    if schedule == "linear":
        return peak * left
    return peak * 0.5 * (1 + math.cos(math.pi * (1 - left)))
