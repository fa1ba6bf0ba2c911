# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Numbers and times as they stand in files."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gap", "ascending", "find_gaps", "number_of", "shown_time", "time_of"]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

Gap = tuple[int, str]
"""Place of the value behind it, and what is wrong there."""


def number_of(cell: Any) -> float:
    """A cell as a finite number.

    Raises:
        ValueError: it is none; its text says what it is.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise ValueError("is missing; fill it in, for a forecast needs every value")
    if isinstance(cell, str):
        if not _NUMBER.match(cell.strip()):
            raise ValueError(f"is {_short(cell)}, which is no number")
        number = float(cell)
    elif isinstance(cell, (int, float, np.integer, np.floating)) and not isinstance(cell, bool):
        try:
            number = float(cell)
        except OverflowError:
            number = math.inf
    else:
        raise ValueError(f"is {_short(cell)}, which is no number")
    if not math.isfinite(number):
        raise ValueError(f"is {number}, which is no finite number; fill it in, for a forecast needs every value")
    return number


def time_of(cell: Any) -> tuple[float, bool]:
    """A cell as a time: seconds since 1970 and True for an ISO 8601 date, a number as it is and False.

    Dates without a time zone are read as UTC, so their order and distances are right.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(cell, str) and not _NUMBER.match(cell.strip()):
        text = cell.strip()
        try:
            # Python 3.10 knows neither Z nor other short forms of ISO 8601.
            date = dt.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
        except ValueError:
            raise ValueError(
                f"is {_short(cell)}, which is neither an ISO date (2026-11-05 08:30) nor a number"
            ) from None
        aware = date if date.tzinfo else date.replace(tzinfo=dt.timezone.utc)
        return (aware - _EPOCH).total_seconds(), True
    return number_of(cell), False


def shown_time(time: float, is_date: bool) -> str:
    """A time as people write it."""
    if not is_date:
        return f"{time:g}" if abs(time) < 1e6 or time % 1 else f"{time:.0f}"
    date = _date(time)
    return date.date().isoformat() if (date.hour, date.minute, date.second) == (0, 0, 0) else date.isoformat(" ")


def find_gaps(times: NDArray[np.float64], are_dates: bool) -> list[Gap]:
    """Where ascending times are not one step apart; the step is the distance that is met most often.

    Dates may also be whole months apart (months, quarters, years), which are of different lengths.

    Args:
        times: float64 (N,), ascending, as from :func:`time_of`.
    """
    if len(times) < 2:
        return []
    steps = np.diff(times)
    wrong = _off_step(steps)
    if len(wrong) and are_dates:
        months = _months(times)
        if months is not None:
            steps = np.diff(months)
            wrong = _off_step(steps)
    step = _usual(steps)
    gaps = []
    for place in wrong:
        where = f"{shown_time(times[place], are_dates)} and {shown_time(times[place + 1], are_dates)}"
        missing = steps[place] / step - 1
        if steps[place] == 0:
            what = f"there are two values for the time {shown_time(times[place], are_dates)}"
        elif missing >= 1 and abs(missing - round(missing)) < 1e-6:
            count = round(missing)
            what = f"{count:,} {'value is' if count == 1 else 'values are'} missing between {where}"
        else:
            what = f"the values of {where} are not the usual step apart"
        gaps.append((int(place) + 1, what))
    return gaps


def _off_step(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    step = _usual(steps)
    found: NDArray[np.int64] = np.flatnonzero((np.abs(steps - step) > 1e-6 * abs(step)) | (steps == 0))
    return found


def _usual(steps: NDArray[np.float64]) -> float:
    """The distance met most often, the shortest of several; numbers that only rounding sets apart are one."""
    rounded = [float(f"{step:.9g}") for step in steps if step > 0]
    counts = Counter(rounded)
    return min(counts, key=lambda step: (-counts[step], step)) if counts else 1.0


def _months(times: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Months since the year 0, where every time is the same moment of its month, or its last day."""
    dates = [_date(time) for time in times]
    clocks = {(date.hour, date.minute, date.second) for date in dates}
    last = all((date + dt.timedelta(days=1)).day == 1 for date in dates)
    if len(clocks) > 1 or not (last or len({date.day for date in dates}) == 1):
        return None
    return np.asarray([12.0 * date.year + date.month for date in dates])


def _date(time: float) -> dt.datetime:
    return (_EPOCH + dt.timedelta(seconds=float(time))).replace(tzinfo=None)


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 40 else text[:39] + "…"


def ascending(times: Sequence[float]) -> NDArray[np.int64]:
    """The order in which times ascend; equal ones stay as they are."""
    order: NDArray[np.int64] = np.argsort(np.asarray(times, dtype=np.float64), kind="stable")
    return order
