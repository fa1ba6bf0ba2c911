# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.tasks.tagged_rows import read_tagged_row
from tunesmith.tasks.tagging import entities_of

TEXT = "John Smith lives in New York."


def read(labelled=True, **values):
    return read_tagged_row(Row(values, Origin("rows.jsonl", 3)), labelled=labelled)


def test_words_with_tags():
    example = read(tokens=["New", "York", 7], tags=["B-loc", " I-loc ", 0])
    assert (example.words, example.tags) == (("New", "York", "7"), ("B-loc", "I-loc", "0"))
    assert (example.spaced, example.text, example.spans) == ((False, True, True), None, ())
    assert read(tokens=np.array(["a", "b"]), tags=np.array(["O", "O"])).words == ("a", "b")


def test_a_text_with_marked_spans():
    entities = [{"start": 20, "end": 28, "label": "place"}, [0, 10, "person"]]
    example = read(text=TEXT, entities=entities)
    assert example.words == ("John", "Smith", "lives", "in", "New", "York", ".")
    assert example.spaced == (False, True, True, True, True, True, False)
    assert entities_of(example.tags) == [("person", 0, 2), ("place", 4, 6)]
    assert example.widened == 0


def test_spans_are_widened_to_whole_words_and_counted():
    example = read(text=TEXT, entities=[[1, 4, "a"], [19, 24, "b"]])  # "ohn"; " New " with its spaces is whole
    assert entities_of(example.tags) == [("a", 0, 1), ("b", 4, 5)]
    assert example.widened == 1


def test_what_is_only_to_be_predicted_needs_no_tags():
    assert read(False, text=TEXT).tags is None
    assert read(False, tokens=["a"]).tags is None
    assert read(False, text=["a", "b"]).words == ("a", "b")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "there are neither tokens nor text"),
        ({"tokens": "a b", "tags": "O O"}, "tokens is 'a b'; a list of words was expected"),
        ({"tokens": [], "tags": []}, "tokens is an empty list"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, r"tokens\[1\] is ''; a word was expected"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, r"tokens\[1\] is None; a word"),
        ({"tokens": ["\ud83d"], "tags": ["O"]}, "half of a character"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, "2 tokens and 1 tags; each token needs one"),
        ({"tokens": ["a"], "tags": [None]}, r"tags\[0\] is None; a tag was expected, 'O' for none"),
        ({"tokens": ["a"]}, "there are no tags beside the tokens"),
        ({"text": "", "entities": []}, "text is empty"),
        ({"text": TEXT}, "there are no entities beside the text; a text without any has an empty list"),
        ({"text": TEXT, "entities": [{"start": 0}]}, "is not {start, end, label} with characters counted from 0"),
        ({"text": TEXT, "entities": ["John"]}, "is not {start, end, label}"),
        ({"text": TEXT, "entities": [[0, 99, "x"]]}, "the entity x stands at 0 to 99, and the text has 29 characters"),
        ({"text": TEXT, "entities": [[4, 4, "x"]]}, "stands at 4 to 4"),
        ({"text": TEXT, "entities": [[4, 5, "x"]]}, "the entity x ' ' at 4 holds no word"),
        (
            {"text": TEXT, "entities": [[0, 10, "x"], [5, 16, "y"]]},
            "the entities x 'John Smith' and y 'Smith lives' share a word; entities may not overlap",
        ),
        (
            {"text": TEXT, "entities": [{"start": 0, "end": 4, "label": "x", "text": "Jane"}]},
            "the entity x 'Jane': at 0 to 4 there stands 'John'",
        ),
    ],
)
def test_bad_rows_say_why(values, words):
    with pytest.raises(RowError, match=words):
        read(**values)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip), st.data())
def test_spans_of_whole_words_come_back_as_they_were(text, data):
    words = read(False, text=text).spans
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    example = read(text=text, entities=[[words[first][0], words[last][1], "x"]])
    assert entities_of(example.tags) == [("x", first, last + 1)]
    assert example.widened == 0
