# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Line charts as geometry: numbers in, points of an SVG drawing out. The templates draw them.

Numbers that are not finite (or absurdly large) are never drawn and never lost: a line breaks there, and the place is
marked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["LineChart", "Series", "line_chart", "number", "smooth", "thin", "ticks"]

MAX_POINTS = 600
_MAX_MARKS = 100  # places one can point at; more could not be hit with a mouse

Points = Sequence[tuple[float, float]]
Place = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        name: for the legend and the hover texts.
        style: CSS class: ``raw`` (pale), ``main``, ``second``; with ``dots`` each point is drawn.
        points: (step, value), steps rising.
        dots: draw each point; for curves of few points.
    """

    name: str
    style: str
    points: Points
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn curve: the ``d`` of its path, its dots, and the x of values that are not finite."""

    name: str
    style: str
    path: str
    dots: tuple[tuple[float, float], ...]
    broken: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A strip of the chart one can point at: what stands at this step."""

    left: float
    width: float
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart, ready to draw; lengths in the drawing's own units."""

    title: str
    summary: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_label: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


def line_chart(
    title: str, series: Sequence[Series], *, last: float | None = None, width: float = 950, height: float = 320
) -> LineChart | None:
    """Lay out a chart; ``None`` where no series holds a finite value.

    Args:
        title: what is measured.
        series: the curves, the most important one last (drawn on top).
        last: the step at which the axis ends, so that charts can be compared; it starts at 0. Default: as the curves.
        width: of the drawing; it scales with the page.
        height: of the drawing.
    """
    finite = [point for curve in series for point in curve.points if _drawable(point[1])]
    if not finite:
        return None
    left, right, top, bottom = 52.0, width - 12, 12.0, height - 34
    steps = [point[0] for curve in series for point in curve.points]
    x_low, x_high = _widened(min(steps), max(steps)) if last is None else (0.0, max(last, *steps, 1.0))
    values = ticks(*_visible_range(finite))
    y_low, y_high = values[0], values[-1]

    def at_x(step: float) -> float:
        return round(left + (step - x_low) / (x_high - x_low) * (right - left), 1)

    def at_y(value: float) -> float:
        clipped = min(max(value, y_low), y_high)
        return round(bottom - (clipped - y_low) / (y_high - y_low) * (bottom - top), 1)

    x_ticks = [step for step in ticks(x_low, x_high) if x_low <= step <= x_high and step == int(step)]
    return LineChart(
        title=title,
        summary=_summary(title, series),
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_label="step",
        x_ticks=tuple((at_x(step), number(step)) for step in x_ticks),
        y_ticks=tuple((at_y(value), text) for value, text in zip(values, _labels(values), strict=True)),
        lines=tuple(_line(curve, at_x, at_y) for curve in series if curve.points),
        marks=_marks(series, at_x, left, right),
    )


def smooth(points: Points) -> list[tuple[float, float]]:
    """The mean over about a twentieth of the curve around each point; it neither lags behind nor runs ahead.

    Values that are not finite are left out. Towards the start, where losses fall steeply, the window narrows and so
    stays in the middle; at the end it keeps what came before.
    """
    finite = [point for point in points if _drawable(point[1])]
    sums = [0.0, *accumulate(value for _, value in finite)]
    widest = max(1, len(finite) // 40)
    smoothed = []
    for place, (step, _) in enumerate(finite):
        half = min(widest, place)
        end = min(place + half + 1, len(finite))
        smoothed.append((step, (sums[end] - sums[place - half]) / (end - place + half)))
    return smoothed


def thin(points: Points, limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most ``limit`` points that look the same: the lowest and the highest of each stretch, so no spike is lost.

    A value that is not finite stands for its stretch.
    """
    if len(points) <= limit:
        return list(points)
    kept: list[tuple[float, float]] = []
    stretches = limit // 2
    for place in range(stretches):
        stretch = points[place * len(points) // stretches : (place + 1) * len(points) // stretches]
        broken = [point for point in stretch if not _drawable(point[1])]
        if broken:
            kept.append(broken[0])
            continue
        extremes = {min(stretch, key=_value), max(stretch, key=_value)}
        kept += sorted(extremes)
    return kept


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers (1, 2 or 5 times a power of ten) from at most ``low`` to at least ``high``."""
    low, high = _widened(low, high)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(place * step, digits) for place in range(first, last + 1)]


def _labels(values: Sequence[float]) -> list[str]:
    """Ticks in words that tell them apart: a curve that hardly moves needs more digits than ``number`` gives."""
    short = [number(value) for value in values]
    if len(set(short)) == len(short):
        return short
    digits = max(0, -math.floor(math.log10(values[1] - values[0])))
    return [f"{value:,.{digits}f}".replace("-", "−") for value in values]


def number(value: float) -> str:
    """Short and readable: ``0.312``, ``2e-4``, ``1,200``, ``1.5M``."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    size = abs(value)
    if size >= 1e15:
        text = _short_exponent(value)
    elif size >= 1e6:
        unit, name = next((unit, name) for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")) if size >= unit)
        text = f"{value / unit:.4g}{name}"
    elif size >= 1000 or value == int(value):
        text = f"{value:,.0f}"
    elif size < 1e-3:
        text = _short_exponent(value)
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


def _short_exponent(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    short = mantissa.rstrip("0").rstrip(".")
    return f"{short}e{int(exponent)}"


def _drawable(value: float) -> bool:
    """Finite, and small enough that differences and sums are, too."""
    return abs(value) < 1e150


def _value(point: tuple[float, float]) -> float:
    return point[1]


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range that is not empty, also around a single value and where the numbers' precision ends."""
    room = max(abs(low), abs(high), 1e-12) * 1e-6
    if high - low > room:
        return low, high
    around = abs(low) * 0.1 or 1.0
    return low - around, high + around


def _visible_range(points: Points) -> tuple[float, float]:
    """The values' range without a few extreme spikes, which would press everything else into a line."""
    values = sorted(map(_value, points))
    low, high = values[0], values[-1]
    if len(values) >= 50:
        usual = values[int(len(values) * 0.98)]
        if high - low > 4 * (usual - low) > 0:
            high = usual + (usual - low)
    return low, high


def _line(curve: Series, at_x: Place, at_y: Place) -> Line:
    parts: list[str] = []
    broken: list[tuple[float, str]] = []
    pen_down = False
    points = thin(curve.points)
    for step, value in points:
        if not _drawable(value):
            broken.append((at_x(step), f"step {number(step)}: {curve.name} {number(value)}"))
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{at_x(step):g} {at_y(value):g}")
        pen_down = True
    finite = [(at_x(step), at_y(value)) for step, value in points if _drawable(value)]
    # A single point makes no line: it would not be seen without its dot.
    dots = tuple(finite) if (curve.dots and len(finite) <= 80) or len(finite) == 1 else ()
    return Line(curve.name, curve.style, " ".join(parts), dots, tuple(broken))


def _marks(series: Sequence[Series], at_x: Place, left: float, right: float) -> tuple[Mark, ...]:
    known: dict[float, list[str]] = {}
    for curve in series:
        for step, value in curve.points:
            known.setdefault(step, []).append(f"{curve.name} {number(value)}")
    steps = sorted(known)
    if len(steps) > _MAX_MARKS:
        rare = {step for curve in series if curve.dots for step, _ in curve.points}
        stride = math.ceil(len(steps) / _MAX_MARKS)
        steps = sorted({*steps[::stride], *sorted(rare)[-_MAX_MARKS:]})
    places = [at_x(step) for step in steps]
    marks = []
    for place, (step, x) in enumerate(zip(steps, places, strict=True)):
        start = left if place == 0 else (places[place - 1] + x) / 2
        end = right if place == len(steps) - 1 else (x + places[place + 1]) / 2
        marks.append(Mark(start, round(end - start, 2), x, f"step {number(step)}\n" + "\n".join(known[step])))
    return tuple(marks)


def _summary(title: str, series: Sequence[Series]) -> str:
    """The chart in words, for people who do not see it."""
    parts = []
    for curve in series:
        finite = [point for point in curve.points if _drawable(point[1])]
        if finite:
            first, last = finite[0], finite[-1]
            ends = (f"{number(value)} at step {number(step)}" for step, value in (first, last))
            parts.append(f"{curve.name}: {', '.join(ends)}")
    return f"{title} per step. " + "; ".join(parts)
