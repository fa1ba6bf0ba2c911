# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["count", "duration", "figure", "figures", "size"]


def count(number: float) -> str:
    """``12345.6`` as ``12,346``."""
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """``3.2`` as ``3.2 s``, ``151`` as ``2:31``, ``3751`` as ``1:02:31``; a figure nobody knows as ``?``."""
    if not math.isfinite(seconds) or seconds < 0:
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def figure(value: object) -> str:
    """A metric with four decimals; very large and very small ones with four digits."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.3e}"
    return f"{value:,.4f}"


def figures(metrics: Mapping[str, float]) -> str:
    """``{"loss": 0.3, "accuracy": 0.9}`` as ``loss 0.3000  accuracy 0.9000``."""
    return "  ".join(f"{name} {figure(value)}" for name, value in metrics.items())


def size(number: float) -> str:
    """Bytes as ``512 B``, ``1.5 MB``, ``23 GB`` (powers of 1000, as disks are sold)."""
    units = ["TB", "GB", "MB", "kB", "B"]
    unit = units.pop()
    while number >= 999.5 and units:
        number /= 1000
        unit = units.pop()
    return f"{number:.1f} {unit}" if number < 9.95 and unit != "B" else f"{number:.0f} {unit}"
