# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.tasks.question_rows import Answer, read_question_row

CONTEXT = "The Panthers beat the Broncos in the final in 2016."
BEAT = {"text": "the Broncos", "answer_start": 18}


def read(answers=None, labelled=True, **values):
    values = {"question": "Who?", "context": CONTEXT, "answers": answers} | values
    return read_question_row(Row(values, Origin("a.json", 3)), labelled=labelled)


@pytest.mark.parametrize(
    "answers",
    [
        [BEAT],
        BEAT,
        {"text": ["the Broncos"], "answer_start": [18]},
        {"text": np.array(["the Broncos"]), "answer_start": np.array([18])},
        [{"text": "the Broncos"}],
        {"text": ["the Broncos"]},
    ],
)
def test_the_shapes_of_answers(answers):
    example = read(answers)
    assert example.answers == (Answer("the Broncos", 18),)
    assert example.context[18 : example.answers[0].end] == "the Broncos"


def test_no_answer_is_an_empty_list():
    assert read([]).answers == read({"text": [], "answer_start": []}).answers == ()
    assert read([]).learned is None
    assert read(labelled=False).answers is None


def test_right_answers_in_other_words_are_kept_and_not_learned():
    example = read([{"text": "Denver's team", "answer_start": -1}, BEAT])
    assert example.learned == Answer("the Broncos", 18)
    assert example.answers[0] == Answer("Denver's team", -1)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (None, "there are no answers; a question that the context does not answer has an empty list"),
        ("Broncos", r"answers is 'Broncos'; a list of {text, answer_start} was expected"),
        ([{"text": "Broncos", "answer_start": 18}], "is 18 for the answer 'Broncos'; there stands 'the Bro'; .* at 22"),
        ([{"text": "Miami", "answer_start": 4}], "there stands 'Panth'; the answer is nowhere in the context"),
        ([{"text": "Broncos", "answer_start": 99}], "answer_start is 99 .* there stands nothing"),
        ([{"text": "Broncos", "answer_start": -1}], "answer_start is -1 .* the answer stands at 22"),
        ([{"text": "Miami", "answer_start": -1}], "answer_start is -1 for 'Miami', and no other answer is a passage"),
        ([{"text": "Broncos", "answer_start": "22"}], "answer_start is '22'; a place in characters from 0"),
        ([{"text": "in"}], "the context holds the answer 'in' more than once; answer_start must say which"),
        ([{"text": "Miami"}], "the context does not hold the answer 'Miami'"),
        ([{"text": " ", "answer_start": 3}], "the answer ' ' is no text"),
        ({"text": ["a", "b"], "answer_start": [1]}, r"answers have 2 texts and 1 places"),
    ],
)
def test_bad_answers_say_what_stands_there_instead(answers, words):
    with pytest.raises(RowError, match=words):
        read(answers)


def test_question_and_context_must_be_there():
    with pytest.raises(RowError, match="context is empty"):
        read([BEAT], context=" ")
    with pytest.raises(RowError, match="question is missing"):
        read([BEAT], question=None)
