# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""SQuAD's JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.data.readers import squad
from tunesmith.errors import DataError


def article(*questions, context="The {cat} sat [here].", **more):
    return {"title": "Cats", "paragraphs": [{"context": context, "qas": list(questions)}], **more}


def ask(question, *answers, **more):
    return {"id": question, "question": question, "answers": list(answers), **more}


CAT = {"text": "{cat}", "answer_start": 4}


def test_a_row_is_a_question_with_its_line(write, read_all):
    content = {"version": "2.0", "data": [article(ask('who "sat"?', CAT), ask("why?", is_impossible=True)), article()]}
    path = write("a.json", json.dumps(content, indent=1))
    rows, problems = read_all(squad.read, path)
    assert problems == []
    assert [dict(row.values) for row in rows] == [
        {
            "question": 'who "sat"?',
            "context": "The {cat} sat [here].",
            "answers": [CAT],
            "id": 'who "sat"?',
            "title": "Cats",
        },
        {"question": "why?", "context": "The {cat} sat [here].", "answers": [], "id": "why?", "title": "Cats"},
    ]
    lines = path.read_text().splitlines()
    for row in rows:  # the object begins on this line, and its id is the next key
        assert lines[row.origin.line - 1].strip() == "{"
        assert json.dumps(row.values["id"]) in lines[row.origin.line]


def test_what_is_called_plausible_is_no_answer(write, read_all):
    asked = ask("who?", CAT, is_impossible=True, plausible_answers=[CAT])
    rows, _ = read_all(squad.read, write("a.json", json.dumps({"data": [article(asked)]})))
    assert rows[0].values["answers"] == []


def test_questions_to_be_answered_have_no_answers(write, read_all):
    rows, _ = read_all(squad.read, write("a.json", json.dumps({"data": [article({"question": "who?"})]})))
    assert "answers" not in rows[0].values


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([{"title": "x"}], "an article without paragraphs; expected"),
        ([{"paragraphs": [{"context": "x"}]}], "a paragraph without qas; expected"),
        ([article("who?")], "qas holds 'who?'; expected objects with a question"),
        (["x"], "a row must be a JSON object"),
    ],
)
def test_another_shape_is_a_problem(write, read_all, data, words):
    _, problems = read_all(squad.read, write("a.json", json.dumps({"data": data})))
    assert words in str(problems[0])


def test_what_is_no_json_is_an_error(write, read_all):
    with pytest.raises(DataError, match="not JSON at line 1"):
        read_all(squad.read, write("a.json", '{"data": [}'))


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions=st.lists(texts, min_size=1, max_size=6), indent=st.sampled_from([None, 2]), escape=st.booleans())
def test_questions_are_found_on_their_lines(write, read_all, questions, indent, escape):
    content = {"data": [article(ask(one, context=one)) for one in questions]}
    path = write("a.json", json.dumps(content, indent=indent, ensure_ascii=escape))
    rows, problems = read_all(squad.read, path)
    assert problems == []
    assert [row.values["question"] for row in rows] == questions
    lines = path.read_bytes().decode().split("\n")
    for row in rows:
        line = lines[row.origin.line - 1 if indent is None else row.origin.line]
        assert json.dumps(row.values["id"], ensure_ascii=escape) in line


@pytest.mark.parametrize(("file", "questions"), [("xquad/xquad.zh.json", 1190), ("cmrc2018/cmrc2018_trial.json", 1002)])
def test_real_files(shared, read_all, file, questions):
    path = shared / "data" / file
    rows, problems = read_all(squad.read, path)
    assert (len(rows), problems) == (questions, [])
    lines = path.read_text(encoding="utf-8").split("\n")
    assert all(lines[row.origin.line - 1].strip() == "{" for row in rows)
