# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A span of time, as it stands behind the name of a file: ``load.series.csv#:0.7``, ``#2024-01-01:2025-01-01``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tunesmith.errors import DataError
from tunesmith_forecast.cells import shown_time, time_of

__all__ = ["Span", "parse_span"]


@dataclass(frozen=True, slots=True)
class _Bound:
    """A share of the values, or a time."""

    share: Fraction | None = None
    time: float = 0.0
    is_date: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """What is forecast of each series: values from ``start`` on and before ``end``. ``None``: no bound."""

    start: _Bound | None = None
    end: _Bound | None = None

    def places(self, count: int, times: NDArray[np.float64] | None, are_dates: bool) -> tuple[int, int]:
        """The places of the first value of the span, and of the first one behind it.

        Args:
            count: values of the series.
            times: float64 (count,), ascending; ``None``: the series has none.

        Raises:
            ValueError: a bound is a time, and the series has none or others.
        """
        first = 0 if self.start is None else _place(self.start, count, times, are_dates)
        return first, count if self.end is None else _place(self.end, count, times, are_dates)


def parse_span(text: str | None, where: object) -> Span:
    """The span that ``START:END`` means; either may be left out.

    A bound from 0 to 1 that is written with a point (``0.7``) is a share of the values of each series; any other is a
    time, as in the column of times. Equal texts cut at the same place, so spans that share a bound never overlap.

    Raises:
        DataError: it is none.
    """
    if text is None:
        return Span()
    for place in [place for place, char in enumerate(text) if char == ":"]:  # times hold colons as well
        try:
            span = Span(_bound(text[:place]), _bound(text[place + 1 :]))
        except ValueError:
            continue
        backward = span.start and span.end and (span.start.share is None) == (span.end.share is None)
        if not (backward and _key(span.start) >= _key(span.end)):
            return span
    raise DataError(
        f"{where}: #{text} is no span of time",
        given=f"#{text}",
        expected="#START:END, with shares (#:0.7, #0.7:0.85, #0.85:) or times (#:2025-01-01), START before END",
        fix="leave # out for the whole file",
    )


def _bound(text: str) -> _Bound | None:
    text = text.strip()
    if not text:
        return None
    time, is_date = time_of(text)
    if not is_date and "." in text and 0 <= time <= 1:
        return _Bound(share=Fraction(text))
    return _Bound(time=time, is_date=is_date)


def _key(bound: _Bound | None) -> float:
    assert bound is not None
    return float(bound.share) if bound.share is not None else bound.time


def _place(bound: _Bound, count: int, times: NDArray[np.float64] | None, are_dates: bool) -> int:
    if bound.share is not None:
        return int(bound.share * count)
    if times is None or are_dates != bound.is_date:
        has = "no times" if times is None else "dates" if are_dates else "numbers for times"
        raise ValueError(f"has {has}, so it cannot be cut at {shown_time(bound.time, bound.is_date)}")
    return int(np.searchsorted(times, bound.time, side="left"))
