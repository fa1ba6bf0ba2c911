# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Cells: what is a number, what is a name, and what is nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.rows import RowError
from tunesmith.tasks.table_cells import cell_number, cell_text, table_cell


@pytest.mark.parametrize(
    "value", [None, float("nan"), np.float32("nan"), "", " ", "NA", "n/a", "NaN", "null", "?", " None "]
)
def test_what_stands_for_nothing(value):
    assert table_cell("a", value) is None


@pytest.mark.parametrize(
    ("value", "cell"),
    [(" x ", "x"), (True, "true"), (np.int64(3), 3.0), (2, 2.0), (np.float32(0.5), 0.5), (" 3 ", "3"), ("nap", "nap")],
)
def test_cells_are_numbers_or_text(value, cell):
    assert table_cell("a", value) == cell


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.inf, "size is inf; a finite number"),
        (-math.inf, "size is -inf"),
        pytest.param(10**400, "size is too large", id="huge"),
        (1e101, r"size is 1e\+101"),
        ([1], "size is of type list; a number or text was expected"),
        ("\ud83d", "size holds half of a character"),
    ],
)
def test_what_no_table_holds_is_refused(value, words):
    with pytest.raises(RowError, match=words):
        table_cell("size", value)


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3.0), ("-0.5", -0.5), (".28", 0.28), ("1e-3", 0.001), ("5.", 5.0), ("+2", 2.0)]
)
def test_texts_that_are_numbers(text, number):
    assert cell_number(text) == number


@pytest.mark.parametrize("text", ["1,000", "1_000", "inf", "infinity", "0x10", "1e400", "3 kg", "٣", ".", "-", "1e"])
def test_texts_that_are_none(text):
    assert cell_number(text) is None


@given(st.floats(-1e99, 1e99))
def test_a_number_survives_being_written(number):
    assert cell_number(repr(number)) == number
    assert table_cell("a", number) == number


def test_a_number_as_a_category_is_its_usual_text():
    assert [cell_text(cell) for cell in (3.0, 2.5, "01", None)] == ["3", "2.5", "01", None]
