# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Numbers, times and spans of time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import DataError
from tunesmith_forecast.cells import find_gaps, number_of, time_of
from tunesmith_forecast.spans import parse_span


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_as_it_was_written(number: float) -> None:
    assert number_of(repr(number)) == number
    assert number_of(number) == number


@given(st.one_of(st.text(), st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.integers())))
def test_any_cell_is_a_finite_number_or_told(cell: object) -> None:
    for found in (outcome(number_of, cell), outcome(time_of, cell)):
        assert found.startswith("is ") if isinstance(found, str) else math.isfinite(found)


def outcome(read: Callable[[object], Any], cell: object) -> float | str:
    try:
        found = read(cell)
    except ValueError as error:
        return str(error)
    return float(found[0] if isinstance(found, tuple) else found)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "is missing; fill it in"),
        (None, "is missing"),
        ("abc", "is 'abc', which is no number"),
        ("1_000", "is '1_000', which is no number"),
        ("nan", "is 'nan', which is no number"),
        (float("nan"), "is nan, which is no finite number"),
        ("1e999", "is inf, which is no finite number"),
        (10**400, "is inf, which is no finite number"),
        (True, "is True, which is no number"),
        ("1,5", "is '1,5', which is no number"),
    ],
)
def test_what_is_no_number_is_named(cell: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        number_of(cell)


def test_times_are_iso_dates_or_numbers() -> None:
    assert time_of("1970-01-02") == (86400.0, True)
    assert time_of("1970-01-01T01:00:00Z") == time_of("1970-01-01 02:00:00+01:00") == (3600.0, True)
    assert time_of("2026") == time_of(2026) == (2026.0, False)
    with pytest.raises(ValueError, match=r"is '05.11.2026', (which is )?neither an ISO date"):
        time_of("05.11.2026")


# ---- gaps --------------------------------------------------------------------------------------


def gaps(*texts: str) -> list[tuple[int, str]]:
    times = [time_of(text) for text in texts]
    return find_gaps(np.asarray([time for time, _ in times]), times[0][1])


def test_hours_days_months_quarters_and_years_have_no_gaps() -> None:
    assert gaps(*(f"2026-11-05 {hour:02}:00" for hour in range(24))) == []
    assert gaps(*(f"2026-{month:02}-01" for month in range(1, 13))) == []
    assert gaps("2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30") == []
    assert gaps("2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01") == []
    assert gaps("2020-01-01", "2021-01-01", "2022-01-01") == []
    assert gaps("0", "0.1", "0.2", "0.30000000000000004", "0.4") == []


def test_what_is_missing_there_twice_or_off_the_step_is_told() -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-06", "2026-01-07", "2026-01-07"]
    assert gaps(*days) == [
        (3, "2 values are missing between 2026-01-03 and 2026-01-06"),
        (5, "there are two values for the time 2026-01-07"),
    ]
    assert gaps("2026-01-01", "2026-02-01", "2026-04-01", "2026-05-01") == [
        (2, "1 value is missing between 2026-02-01 and 2026-04-01")
    ]
    assert gaps("1", "2", "3", "3.5") == [(3, "the values of 3 and 3.5 are not the usual step apart")]


@given(st.integers(2, 60), st.integers(1, 10**6), st.data())
def test_a_value_that_was_taken_out_is_always_found(count: int, step: int, data: st.DataObject) -> None:
    times = np.arange(count + 3, dtype=np.float64) * step
    out = data.draw(st.integers(1, count + 1))
    found = find_gaps(np.delete(times, out), are_dates=False)
    assert [place for place, _ in found] == [out]


# ---- spans -------------------------------------------------------------------------------------


def places(text: str | None, times: list[str] | None = None, count: int = 10) -> tuple[int, int]:
    moments = None if times is None else [time_of(text) for text in times]
    array = None if moments is None else np.asarray([time for time, _ in moments])
    return parse_span(text, "f.csv").places(count, array, bool(moments and moments[0][1]))


def test_spans_are_shares_or_times() -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 11)]
    assert places(None) == (0, 10)
    assert places(":0.7") == (0, 7)
    assert places("0.7:0.85") == (7, 8)
    assert places("2026-01-04:", days) == (3, 10)
    assert places("2026-01-04 00:00:00:2026-01-06T00:00:00", days) == (3, 5)
    assert places("2003:2005", [str(year) for year in range(2000, 2010)]) == (3, 5)


@given(st.integers(0, 1000), st.fractions(0, 1).map(lambda share: f"{float(share):.6f}"))
def test_spans_that_share_a_bound_touch_and_never_overlap(count: int, bound: str) -> None:
    assert places(f":{bound}", count=count)[1] == places(f"{bound}:", count=count)[0]


@pytest.mark.parametrize("text", ["0.7", "a:b", "0.8:0.2", "2026-02-01:2026-01-01", "0.5:0.5"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_span(text, "f.csv")
    assert f"f.csv: #{text} is no span of time" in str(caught.value)
    assert "#:0.7, #0.7:0.85, #0.85:" in str(caught.value)


def test_a_time_needs_times() -> None:
    with pytest.raises(ValueError, match="has no times, so it cannot be cut at 2026-01-01"):
        places("2026-01-01:")
    with pytest.raises(ValueError, match="has dates, so it cannot be cut at 5"):
        places("5:", [f"2026-01-{day:02}" for day in range(1, 11)])
