# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Scatter plots as geometry: trials in, places of an SVG drawing out. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.evaluate.report.charts import number, ticks

__all__ = ["Dot", "Point", "Scatter", "scatter"]

_OUTLIER = 4.0
"""Figures farther below the better half than this many times its own range are drawn at the edge."""


@dataclass(frozen=True, slots=True)
class Point:
    """One trial.

    Attributes:
        x: a number; for an axis of names the place of its name, from 0.
        y: the figure.
        style: CSS class: ``best``, ``main`` or ``raw`` (pale).
        text: what is said of it where one points.
    """

    x: float
    y: float
    style: str
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A drawn point; ``cut`` where its figure lies beyond the axis."""

    x: float
    y: float
    style: str
    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Scatter:
    """A plot, ready to draw; lengths in the drawing's own units."""

    title: str
    summary: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    dots: tuple[Dot, ...]
    path: str


def scatter(
    title: str,
    points: Sequence[Point],
    *,
    low: float,
    high: float,
    log: bool = False,
    whole: bool = False,
    names: Sequence[str] = (),
    greater_is_better: bool = True,
    line: Sequence[tuple[float, float]] = (),
    width: float = 300,
    height: float = 200,
) -> Scatter | None:
    """Lay out a plot; ``None`` without points.

    Args:
        title: what the x axis is.
        points: the most important ones last (drawn on top).
        low: where the x axis begins; ``high``: where it ends.
        log: the x axis is logarithmic; ``low`` is above 0.
        whole: the x axis holds whole numbers.
        names: of the x axis, at 0, 1, 2 …, instead of numbers.
        greater_is_better: the better end of the y axis is always shown, a few far worse figures are cut.
        line: (x, y) of a line of steps, such as the best so far.
        width: of the drawing; it scales with the page.
        height: of the drawing.
    """
    if not points:
        return None
    left, right, top, bottom = 52.0, width - 12, 12.0, height - 30
    values = ticks(*_visible(sorted(point.y for point in points), greater_is_better))
    y_low, y_high = values[0], values[-1]
    start, end = (-0.5, len(names) - 0.5) if names else (low, high)
    if log:
        start, end = math.log10(start), math.log10(end)
    if end <= start:
        start, end = start - 0.5, end + 0.5
    room = 0.0 if names else (end - start) * 0.03  # dots at the ends stay inside

    def at_x(x: float) -> float:
        place = math.log10(x) if log else x
        return round(left + (place - start + room) / (end - start + 2 * room) * (right - left), 1)

    def at_y(y: float) -> float:
        return round(bottom - (min(max(y, y_low), y_high) - y_low) / (y_high - y_low) * (bottom - top), 1)

    dots = tuple(
        Dot(at_x(point.x), at_y(point.y), point.style, point.text, not y_low <= point.y <= y_high) for point in points
    )
    return Scatter(
        title=title,
        summary=f"{title}: {len(points)} trials, figures from {number(min(point.y for point in points))} "
        f"to {number(max(point.y for point in points))}",
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_ticks=tuple((at_x(x), text) for x, text in _x_ticks(low, high, log, whole, names, width)),
        y_ticks=tuple((at_y(value), number(value)) for value in values),
        dots=dots,
        path=_steps([(at_x(x), at_y(y)) for x, y in line]),
    )


def _visible(values: Sequence[float], greater_is_better: bool) -> tuple[float, float]:
    """All figures, or without those far worse than the better half, which would press it into a line."""
    low, high = values[0], values[-1]
    middle = values[len(values) // 2]
    if greater_is_better:
        return max(low, high - _OUTLIER * (high - middle)) if high > middle else low, high
    return low, min(high, low + _OUTLIER * (middle - low)) if middle > low else high


def _x_ticks(
    low: float, high: float, log: bool, whole: bool, names: Sequence[str], width: float
) -> list[tuple[float, str]]:
    if names:
        room = max(3, int(width / max(1, len(names)) / 7))  # letters at 11 pixels
        return [
            (float(place), name if len(name) <= room else name[: room - 1] + "…") for place, name in enumerate(names)
        ]
    if log:
        decades = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
        return [(value, number(value)) for value in (decades if len(decades) > 1 else [low, high])]
    inside = [value for value in ticks(low, high, 4) if low <= value <= high]
    return [(value, number(value)) for value in inside if not whole or value == int(value)]


def _steps(places: Sequence[tuple[float, float]]) -> str:
    """The ``d`` of a path that goes right, then up."""
    if not places:
        return ""
    (x, y), *rest = places
    return f"M{x:g} {y:g}" + "".join(f"H{x:g}V{y:g}" for x, y in rest)
