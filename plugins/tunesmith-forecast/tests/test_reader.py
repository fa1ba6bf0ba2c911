# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Files of series: long, wide, and lists."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.rows import Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_forecast.reader import read


def rows_of(path: Path, part: str | None = None) -> list[Row | Problem]:
    return list(read(path, ReadOptions(part=part)))


def series_of(path: Path, part: str | None = None) -> dict[str, list[float]]:
    rows = rows_of(path, part)
    assert all(isinstance(row, Row) for row in rows), rows
    return {row.values["series"]: row.values["values"].tolist() for row in rows if isinstance(row, Row)}


def problems_of(path: Path) -> list[str]:
    return [str(row).replace(f"{path}:", "") for row in rows_of(path) if isinstance(row, Problem)]


def make(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_long_file_is_grouped_and_put_in_the_order_of_its_times(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.csv",
        "ds,unique_id,y\n2026-01-02,b,5\n2026-01-01,a,1\n2026-01-03,a,3\n2026-01-01,b,4\n2026-01-02,a,2\n",
    )
    assert series_of(path) == {"b": [4.0, 5.0], "a": [1.0, 2.0, 3.0]}
    assert [str(row.origin) for row in rows_of(path)] == [f"{path}:5", f"{path}:3"]


def test_one_series_needs_neither_name_nor_times(tmp_path: Path) -> None:
    assert series_of(make(tmp_path / "load.series.csv", "value\n3\n1\n2\n")) == {"load": [3.0, 1.0, 2.0]}
    packed = tmp_path / "load.tsv.gz"
    packed.write_bytes(gzip.compress(b"Value\n3\n"))
    assert series_of(packed) == {"load": [3.0]}


def test_a_wide_file_is_a_series_a_column(tmp_path: Path) -> None:
    path = make(tmp_path / "a.csv", "Date;north;south\n2026-01-02;2;20\n2026-01-01;1;10\n")
    assert series_of(path) == {"north": [1.0, 2.0], "south": [10.0, 20.0]}


def test_lists_are_series_as_they_are(tmp_path: Path) -> None:
    rows = [{"series": "a", "values": [1, 2.5]}, {"values": [3]}]
    path = make(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert series_of(path) == {"a": [1.0, 2.5], "2": [3.0]}


def test_a_span_keeps_the_past_and_says_where_the_forecast_starts(tmp_path: Path) -> None:
    path = make(tmp_path / "a.csv", "value\n" + "".join(f"{n}\n" for n in range(10)))
    found = [
        (len(row.values["values"]), row.values["start"])
        for part in (":0.6", "0.6:0.8", "0.8:")
        for row in rows_of(path, part)
        if isinstance(row, Row)
    ]
    assert found == [(6, 0), (8, 6), (10, 8)]


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
    order=st.randoms(use_true_random=False),
)
def test_whatever_the_order_of_its_rows_a_series_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], order: object
) -> None:
    lines = [f"{place},{value!r}\n" for place, value in enumerate(values)]
    order.shuffle(lines)  # type: ignore[attr-defined]
    path = make(tmp_path_factory.mktemp("any") / "a.csv", "time,value\n" + "".join(lines))
    assert series_of(path) == {"a": values}


def test_every_value_that_is_none_is_a_problem_and_its_series_is_not_used(tmp_path: Path) -> None:
    path = make(tmp_path / "a.csv", "series,value\na,1\na,x\nb,2\na,\na,NaN\n")
    assert problems_of(path) == [
        "3: value is 'x', which is no number",
        "5: value is missing; fill it in, for a forecast needs every value",
        "6: value is 'NaN', which is no number",
    ]
    assert [row.values["series"] for row in rows_of(path) if isinstance(row, Row)] == ["b"]


def test_gaps_are_told_with_what_to_do(tmp_path: Path) -> None:
    path = make(tmp_path / "a.csv", "time,value\n2026-01-01,1\n2026-01-02,2\n2026-01-05,3\n2026-01-06,3\n")
    (problem,) = problems_of(path)
    assert problem.startswith("4: series a: 2 values are missing between 2026-01-02 and 2026-01-05; fill them in, or")


def test_many_gaps_are_counted_and_not_listed(tmp_path: Path) -> None:
    times = np.cumsum(np.tile([1, 1, 1, 5], 10))
    path = make(tmp_path / "a.csv", "time,value\n" + "".join(f"{time},0\n" for time in times))
    problems = problems_of(path)
    assert len(problems) == 5
    assert "and 5 more in this series" in problems[-1]


def test_times_of_two_kinds_or_none_are_problems(tmp_path: Path) -> None:
    path = make(tmp_path / "a.csv", "time,value\n2026-01-01,1\n7,2\nsoon,3\n")
    found = problems_of(path)
    assert found[0] == "3: time is a number, unlike in the rows above"
    assert found[1].startswith("4: time is 'soon', ")


def test_lists_that_are_none_are_problems(tmp_path: Path) -> None:
    path = make(tmp_path / "a.jsonl", '{"values": [1, "x"]}\n{"values": 3}\n{"values": [1]}\n')
    assert problems_of(path) == ["1: values[1] is 'x', which is no number", "2: 'values' holds no list of numbers"]


def test_a_span_that_does_not_fit_is_a_problem(tmp_path: Path) -> None:
    path = make(tmp_path / "a.csv", "value\n1\n2\n")
    (problem,) = rows_of(path, "2026-01-01:")
    assert "series a has no times, so it cannot be cut at 2026-01-01" in str(problem)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,load\na,1\n", "a column 'id' names series, and no column holds their values"),
        ("time\n2026-01-01\n", "no column of values"),
        ("y,target\n1,2\n", "several columns could be the value: y, target"),
    ],
)
def test_columns_that_say_too_little_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        rows_of(make(tmp_path / "a.csv", text))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file of time series, by its ending\n  given:    a.xlsx\n"):
        rows_of(make(tmp_path / "a.xlsx", "x"))
