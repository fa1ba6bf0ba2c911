# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.tasks.cells import label_cell, scalar_text, text_cell


def row(**values) -> Row:
    return Row(values, Origin("rows.csv", 7))


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b ", "a b "), (1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), (np.int64(3), "3"), (np.float32(2), "2")],
)
def test_scalars_as_text(value, text):
    assert text_cell(row(text=value), "text") == text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "there is no text"),
        ({"text": None}, "text is missing"),
        ({"text": math.nan}, "text is missing"),
        ({"text": "  \n"}, "text is empty"),
        ({"text": {"a": 1}}, "text is an object; text was expected"),
        ({"text": b"x"}, "text is bytes; text was expected"),
        ({"text": "a\udcff"}, "text holds half of a character: a \\udcff without its other half"),
    ],
)
def test_text_errors_say_what_is_wrong(values, words):
    with pytest.raises(RowError) as caught:
        text_cell(row(**values), "text")
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("value", "separator", "expected"),
    [
        (" spam ", None, (("spam",), False)),
        (1.0, None, (("1",), False)),
        ("a, b", None, (("a, b",), False)),
        ("a, b", ",", (("a", "b"), True)),
        (["b", 1], None, (("b", "1"), True)),
        (np.array(["b", "a"]), None, (("b", "a"), True)),
        ([], None, ((), True)),
    ],
)
def test_labels(value, separator, expected):
    assert label_cell(row(label=value), "label", separator) == expected


@pytest.mark.parametrize(
    ("value", "separator", "words"),
    [
        (None, None, "label is missing"),
        (math.nan, None, "label is missing"),
        ("", None, "label is empty"),
        ("a,,b", ",", "label is empty"),
        ("a,a", ",", "label names 'a' twice"),
        ([None], None, "label is missing"),
        ({"a": 1}, None, "label is an object; text or a number was expected"),
        ("\ud83d", None, "label holds half of a character: a \\ud83d without its other half"),
        (" NaN", None, "label is 'NaN', which is how a missing value is written; a label was expected"),
    ],
)
def test_label_errors_say_what_is_wrong(value, separator, words):
    with pytest.raises(RowError) as caught:
        label_cell(row(label=value), "label", separator)
    assert str(caught.value) == words


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text()), st.binary()))
def test_a_cell_is_text_or_a_row_error(value):
    try:
        text = text_cell(row(text=value), "text")
    except RowError as error:
        text = str(error)
    assert text.strip()


@given(st.integers(-(2**52), 2**52))
def test_whole_floats_read_like_integers(number):
    assert scalar_text(float(number)) == str(number)
