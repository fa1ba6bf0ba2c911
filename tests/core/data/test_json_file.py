# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""JSON and JSON Lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.data.readers.json_file import read, read_lines
from tunesmith.errors import DataError


def test_every_object_of_a_list_knows_its_line(write, read_all):
    rows, problems = read_all(
        read, write("a.json", '[\n  {"text": "a\\nb"},\n\n  {"text":\n   "c"}, {"text": "d"}\n]\n')
    )
    assert problems == []
    assert [(row.values["text"], row.origin.line) for row in rows] == [("a\nb", 2), ("c", 4), ("d", 5)]


def test_an_object_with_one_list_is_a_list(write, read_all):
    rows, _ = read_all(read, write("a.json", '{"version": "1",\n "data": [{"text": "a"},\n{"text": "b"}], "n": 2}'))
    assert [(row.values["text"], row.origin.line) for row in rows] == [("a", 2), ("b", 3)]


def test_json_lines_called_json_are_read(write, read_all):
    rows, _ = read_all(read, write("a.json", '{"text": "a"}\n{"text": "b"}\n'))
    assert [(row.values["text"], row.origin.line) for row in rows] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        (" \n", "no list of rows"),
        ("[]", "the list of rows is empty"),
        ("3", "no list of rows"),
        ('{"a": 1}', "no list at the top of the JSON object"),
        ('{"train": [{}], "test": [{}]}', "given:    lists: train, test"),
        ('[{"a": 1},\n {"a" 2}]', "a.json:2: not JSON at line 2, column 7"),
        ('[{"a": 1},\n {"a": 2', "not JSON at line 2"),
        ('[{"a": 1}\n {"a": 2}]', "line 2, column 2: Expecting ','"),
        ('[{"a": 1},]', "a comma before ']'"),
        ('[{"a": 1}] more', "Extra data"),
        ('{"d": [{"a": 1}]} more', "Extra data"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_cannot_be_used_as_a_whole(write, read_all, content, words):
    with pytest.raises(DataError, match=r"a\.json") as caught:
        read_all(read, write("a.json", content))
    assert words in str(caught.value)


def test_rows_of_json_that_break_its_rules(write, read_all):
    content = '[{"a": 1, "a": 2},\n{"a": NaN},\n[1],\n{"a": 1e999},\n{"a": "\\ud83d"},\n{"a": "\\ud83d\\ude00"}]'
    rows, problems = read_all(read, write("a.json", content))
    assert [row.values for row in rows] == [{"a": "😀"}]
    assert [(problem.origin.line, problem.message) for problem in problems] == [
        (1, "duplicate key 'a'"),
        (2, "NaN is not JSON; write null for a missing value"),
        (3, "a row must be a JSON object {…}, given a list; data.column_names=[FIRST, SECOND, …] reads lists"),
        (4, "the number 1e999 is too large for a float"),
        (5, "half of a character: a \\ud83d without its other half"),
    ]


def test_bad_lines_are_problems_with_line_and_column(write, read_all):
    lines = [
        '{"text": "fine"}',
        "",
        '  {"text": }',
        '{"text": "a"} {"text": "b"}',
        '{"text": "cut',
        '"text"',
        '{"x": NaN}',
        '{"x": {"y": 1, "y": 2}}',
        "[1, 2]",
        "null",
        '{"n": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"text": "end"}',
    ]
    rows, problems = read_all(read_lines, write("a.jsonl", "\n".join(lines)))
    assert [row.origin.line for row in rows] in ([1, 13], [1, 11, 13])  # Python 3.10.0 to .6 read any number
    by_line = {problem.origin.line: problem.message for problem in problems}
    assert by_line[3] == "not JSON at column 12: Expecting value"
    assert by_line[4].startswith("not JSON at column 15: Extra data")
    assert "the line does not end with its object" in by_line[5]
    assert by_line[6] == "a row must be a JSON object {…}, given a string"
    assert by_line[7].startswith("NaN is not JSON")
    assert by_line[8] == "duplicate key 'y'"
    assert "given a list;" in by_line[9]
    assert by_line[10].endswith("given null")
    assert "nested too deeply" in by_line[12]


def test_null_and_empty_text_are_left_for_the_task_to_judge(write, read_all):
    rows, problems = read_all(read_lines, write("a.jsonl", '{"text": null, "label": ""}\n'))
    assert problems == []
    assert rows[0].values == {"text": None, "label": ""}


def test_a_file_of_blank_lines_is_an_error(write, read_all):
    with pytest.raises(DataError, match="only blank lines"):
        read_all(read_lines, write("a.jsonl", "\n \n"))


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(st.dictionaries(st.text(max_size=3), _values, max_size=3), min_size=1, max_size=5),
    indent=st.sampled_from([None, 1]),
    escape=st.booleans(),
)
def test_what_json_writes_is_read_back(write, read_all, objects, indent, escape):
    whole, problems = read_all(read, write("a.json", json.dumps(objects, indent=indent, ensure_ascii=escape)))
    assert problems == []
    lines, problems = read_all(
        read_lines, write("a.jsonl", "\n".join(json.dumps(one, ensure_ascii=escape) for one in objects))
    )
    assert problems == []
    assert [row.values for row in whole] == [row.values for row in lines] == objects


# ---- several lists, rows that are lists ----------------------------------------------------------------------------

PARTS = '{"train": [["hi", "greet"],\n["bye", "leave"]],\n "version": 1, "test": [["yo", "greet"]]}'
NAMES = ("text", "label")


def test_a_part_is_one_of_several_lists_and_names_make_lists_rows(write, read_all):
    path = write("a.json", PARTS)
    rows, problems = read_all(read, path, part="train", column_names=NAMES)
    assert problems == []
    assert [row.values for row in rows] == [{"text": "hi", "label": "greet"}, {"text": "bye", "label": "leave"}]
    assert [row.origin.line for row in rows] == [1, 2]
    rows, _ = read_all(read, path, part="test", column_names=NAMES)
    assert [row.origin.line for row in rows] == [3]


def test_several_lists_without_a_part_say_how_to_name_one(write, read_all):
    with pytest.raises(DataError, match=r"several lists[\s\S]*lists: train, test[\s\S]*a\.json#train"):
        read_all(read, write("a.json", PARTS))


def test_an_unknown_part_names_the_known_ones(write, read_all):
    with pytest.raises(DataError, match=r"no list is called 'trian'[\s\S]*train, test[\s\S]*did you mean .*#train\?"):
        read_all(read, write("a.json", PARTS), part="trian")
    with pytest.raises(DataError, match=r"no list is called 'x'[\s\S]*no object that holds lists[\s\S]*leave out #x"):
        read_all(read, write("b.json", '[{"a": 1}]'), part="x")


def test_a_list_of_another_length_and_a_list_without_names_are_problems(write, read_all):
    path = write("a.jsonl", '["hi", "greet"]\n["hi"]\n{"text": "named", "label": "itself"}\n')
    rows, problems = read_all(read_lines, path, column_names=NAMES)
    assert [row.values["text"] for row in rows] == ["hi", "named"]
    assert "1 values, and data.column_names names 2 columns" in problems[0].message
    _, problems = read_all(read_lines, path)
    assert "given a list; data.column_names=[FIRST, SECOND, …] reads lists" in problems[0].message
