# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Columns as they are learned from the training rows."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import DataError, ModelError, Origin
from tunesmith.tasks.table_columns import CategoryColumn, NumberColumn, learn_columns
from tunesmith.tasks.table_state import columns_from_state, columns_to_state


def rows_of(**columns):
    """Rows from columns; cells as :func:`table_cell` gives them."""
    count = len(next(iter(columns.values())))
    return [({name: cells[i] for name, cells in columns.items()}, Origin("t.csv", i + 2)) for i in range(count)]


def learn(columns, **options):
    return learn_columns(rows_of(**columns), list(columns), **options)


def test_kinds_are_inferred_and_told():
    found, notes = learn({"size": ["1", "2.5", None, "4"], "color": ["red", "blue", "red", None], "same": ["x"] * 4})
    size, color = found
    assert (size.name, size.mean, size.missing) == ("size", 2.5, 1)
    assert color == CategoryColumn("color", ("blue", "red"), 1)
    assert notes == [
        "1 column of numbers: size [missing in 1 row]",
        "1 column of categories: color (2) [missing in 1 row]",
        "1 column left out, the same in every row: same",
    ]


def test_numbers_that_are_names_can_be_categories():
    found, _ = learn({"code": ["1", "2", "10"]}, categorical=["code"])
    assert found == [CategoryColumn("code", ("1", "10", "2"), 0)]


def test_a_few_cells_that_are_no_numbers_are_mistakes_with_their_place():
    cells = [str(number) for number in range(0, 40, 2)]
    cells[3] = "12,5"
    with pytest.raises(DataError) as caught:
        learn({"size": cells})
    text = str(caught.value)
    assert "columns of numbers hold cells that are none" in text
    assert "t.csv:5: size is '12,5', which is no number" in text
    assert "data.categorical=[COLUMN]" in text


def test_a_column_of_names_among_which_are_numbers_is_told():
    found, notes = learn({"ticket": ["1", "2", "A/5", "B"] * 3})
    assert found[0].values == ("1", "2", "A/5", "B")
    assert "read as categories although some cells are numbers: ticket (6 of 12 cells are numbers)" in notes


def test_columns_that_only_identify_a_row_are_left_out_unless_asked_for():
    columns = {"row": [float(n) for n in range(30)], "name": [f"n{n}" for n in range(30)], "size": ["1", "2"] * 15}
    found, notes = learn(columns)
    assert [column.name for column in found] == ["size"]
    assert "2 columns left out, another value in every row, so they only identify it" in notes[-1]
    assert "row, name" in notes[-1]
    kept, _ = learn(columns, features=["row", "name"])
    assert [column.name for column in kept] == ["row", "name"]


def test_empty_columns_are_left_out_and_a_missing_value_is_information():
    found, notes = learn({"empty": [None] * 3, "known": ["yes", None, "yes"], "level": [2.0, None, 2.0]})
    assert [(column.name, column.missing) for column in found] == [("known", 1), ("level", 1)]
    assert "1 column left out, empty: empty" in notes


def test_unknown_columns_are_told_with_the_one_that_was_meant():
    with pytest.raises(DataError, match=r"data\.features: the training rows have no column 'sise'[\s\S]*mean 'size'"):
        learn({"size": ["1", "2"]}, features=["sise"])
    with pytest.raises(DataError, match=r"data\.categorical[\s\S]*remove 'zzz' from data\.categorical"):
        learn({"size": ["1", "2"]}, categorical=["zzz"])


def test_nothing_to_learn_from_is_an_error_that_says_why():
    with pytest.raises(DataError, match=r"no column to learn from[\s\S]*same: the same in every row"):
        learn({"same": ["1", "1"]})


def test_edges_are_quantiles_of_the_training_rows():
    found, _ = learn({"size": [float(n * n) for n in range(400)]})
    (size,) = found
    assert isinstance(size, NumberColumn)
    assert len(size.edges) == 21
    standard = [(n * n - size.mean) / size.scale for n in range(400)]
    inside = [sum(a <= x <= b for x in standard) for a, b in pairwise(size.edges)]
    assert max(inside) - min(inside) <= 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, 1e-300, -1e99, 1e99]), min_size=2, max_size=50))
def test_any_numbers_give_finite_ascending_edges(numbers):
    (column, _), _ = learn({"x": [*numbers, None], "other": ["a", "b", *["a"] * (len(numbers) - 1)]})
    assert all(a < b for a, b in pairwise(column.edges))
    assert 0 < column.scale < math.inf
    assert all(abs(number - column.mean) <= 2 * len(numbers) * column.scale for number in numbers)
    saved = json.loads(json.dumps({"table": columns_to_state([column])}, allow_nan=False))
    assert columns_from_state(saved) == [column]


GOOD = {"name": "size", "mean": 0.0, "scale": 1.0, "edges": [-1.0, 1.0], "missing": 0}


@pytest.mark.parametrize(
    ("saved", "key"),
    [
        ([], "table"),
        (["size"], "table"),
        ([GOOD, GOOD], "table"),
        ([{**GOOD, "scale": 0.0}], "mean and scale"),
        ([{**GOOD, "mean": None}], "mean and scale"),
        ([{**GOOD, "edges": [1.0, 1.0]}], "edges"),
        ([{**GOOD, "edges": [1.0]}], "edges"),
        ([{**GOOD, "missing": -1}], "missing"),
        ([{**GOOD, "name": ""}], "name"),
        ([{"name": "color", "values": [1], "missing": 0}], "values"),
    ],
)
def test_what_is_saved_is_not_trusted(saved, key):
    with pytest.raises(ModelError, match=rf"rendering.json: '{key}' cannot be used"):
        columns_from_state({"table": saved})
