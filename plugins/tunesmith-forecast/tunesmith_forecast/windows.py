# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Windows of a series, and the scale each is read in.

Shapes: N values of a series, C context, H horizon, R rows of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.rows import Origin

__all__ = ["Series", "floors", "naive_forecast", "naive_scale", "standardize", "target_places"]

Floats = NDArray[np.float64]

FLOOR = 0.01
"""A window's scale is at least this share of the deviation of all that came before it. Where a series hardly moves for
a while, what follows would else be a thousand deviations away, and one such window would rule the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series, as the task's example.

    Attributes:
        name: for people.
        values: float64 (N,), finite.
        start: values from here on are forecast; those in front of it are only read.
        labelled: False: what is asked for is what comes behind the last value.
        origin: where the row stands.
    """

    name: str
    values: Floats
    start: int
    labelled: bool
    origin: Origin

    def __len__(self) -> int:
        return len(self.values)


def target_places(series: Series, context: int, horizon: int) -> range:
    """Places of the first value of every window's target: C values stand before it, and it lies past ``start``."""
    if not series.labelled:
        return range(len(series), len(series) + 1) if len(series) >= context else range(0)
    return range(max(context, series.start), len(series) - horizon + 1)


def floors(values: Floats) -> Floats:
    """For every place p, 0 to N, the least scale of a window whose target begins there, (N + 1,): from ``values[:p]``.

    Nothing behind p matters, so a forecast never depends on what it is to forecast.
    """
    if not len(values):
        return np.zeros(1)
    moved = values - values[0]  # a series far from 0 would lose its digits in the squares
    count = np.arange(1, len(values) + 1)
    variance = np.cumsum(moved**2) / count - (np.cumsum(moved) / count) ** 2
    found: Floats = np.concatenate([[0.0], FLOOR * np.sqrt(np.maximum(variance, 0.0))])
    return found


def standardize(context: Floats, least: Floats) -> tuple[Floats, Floats, Floats]:
    """Windows with mean 0 and deviation 1, each by its own figures (Kim et al. 2022, RevIN, without its learned part).

    Args:
        context: (R, C).
        least: (R,), from :func:`floors`.

    Returns:
        The windows (R, C); what was taken off (R,); what they were divided by (R,), 0 where nothing has ever moved.
    """
    moved = context - context[:, :1]  # so that a window of equal values is 0 to the last bit
    mean = moved.mean(axis=1)
    centered = moved - mean[:, None]
    scale = np.maximum(np.sqrt((centered**2).mean(axis=1)), least)
    return centered / np.where(scale > 0, scale, 1.0)[:, None], context[:, 0] + mean, scale


def naive_forecast(series: Series, place: int, horizon: int, season: int) -> Floats:
    """The seasonal naive forecast: the last season over and over, (H,)."""
    found: Floats = series.values[place - season + np.arange(horizon) % season]
    return found


def naive_scale(series: Series, context: int, season: int) -> float:
    """What MASE divides by (Hyndman & Koehler 2006): the mean error of the one-season naive forecast of what was known.

    That is every value in front of the first that is forecast: in front of the cut where a file is cut by time.
    """
    known = series.values[: max(context, series.start)]
    return float(np.abs(known[season:] - known[:-season]).mean())
