# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The task's words and the user's columns."""

from __future__ import annotations

import pytest

from tunesmith.data import Column, Origin, Row, bind_columns, map_columns
from tunesmith.data.conversations import CONVERSATION_COLUMNS
from tunesmith.errors import DataError

COLUMNS = (
    Column(name="text", summary="what is classified", aliases=("sentence", "review")),
    Column(name="label", summary="its class", target=True, aliases=("category",)),
)


def _bind(available, mapping=None, columns=COLUMNS, **options):
    return bind_columns(available, columns, mapping or {}, where="a.csv", **options)


def _error(available, mapping=None, columns=COLUMNS) -> str:
    with pytest.raises(DataError) as caught:
        _bind(available, mapping, columns)
    return str(caught.value)


def test_own_name_then_mapping_then_the_only_alias():
    assert _bind(["label", "text", "review"]) == {"text": "text", "label": "label"}
    assert _bind(["review", "category"]) == {"text": "review", "label": "category"}
    assert _bind(["text", "label", "body"], {"text": "body"}) == {"text": "body", "label": "label"}


def test_a_row_keeps_its_columns_and_mapped_names_win():
    row = Row({"text": "title", "body": "long", "label": "x", "id": 7}, Origin("a.csv", 2))
    mapped = map_columns(row, COLUMNS, {"text": "body"})
    assert mapped.values == {"text": "long", "body": "long", "label": "x", "id": 7}
    assert mapped.origin == row.origin


def test_a_missing_column_says_what_there_is_and_what_to_type():
    message = _error(["txet", "kind"])
    assert "a.csv: no column for 'text'; no column for 'label'" in message
    assert "given:    columns txet, kind" in message
    assert "a column text (what is classified), also called sentence, review" in message
    assert "did you mean 'txet'? then --set data.columns.text=txet (or --text txet)" in message
    assert "--set data.columns.label=COLUMN (or --label COLUMN)" in message


def test_a_mapped_column_that_is_not_there():
    message = _error(["Text", "label"], {"text": "text"})
    assert "no column 'text', which data.columns.text names" in message
    assert "did you mean 'Text'?" in message


def test_two_aliases_are_a_question():
    message = _error(["sentence", "review", "label"])
    assert "several columns could be 'text': sentence, review" in message
    assert "--set data.columns.text=sentence" in message


def test_unknown_words_in_the_mapping():
    message = _error(["body", "label"], {"txt": "body"})
    assert "data.columns: the task reads no 'txt'" in message
    assert "did you mean data.columns.text?" in message
    assert "data.columns.text=body" in _error(["body", "label"], {"body": "text"})


def test_a_model_that_is_trained_takes_columns_by_another_flag():
    with pytest.raises(DataError) as caught:
        bind_columns(["my text"], COLUMNS, {}, where="a.csv", labelled=False, recipe=False)
    message = str(caught.value)
    assert """--columns text='my text' (in Python: columns={"text": "my text"})""" in message
    assert "--set" not in message


def test_a_file_with_nothing_that_the_task_reads_is_one_error():
    message = _error(["question", "answer"], columns=CONVERSATION_COLUMNS)
    assert message.startswith("a.csv: no column that the task reads")
    assert "given:    columns question, answer" in message
    assert "prompt (what is asked)" in message
    assert "--set data.columns.WORD=COLUMN" in message


def test_predicting_needs_no_target():
    assert _bind(["text"], labelled=False) == {"text": "text"}
    assert _bind(["text"], {"label": "category"}, labelled=False) == {"text": "text"}


def test_a_file_without_header_is_suspected():
    assert "the first line of a CSV or TSV file must name the columns" in _error(
        ["ham", "Go until jurong point, crazy.. Available only in bugis n great world la e buffet..."]
    )


def test_a_file_of_numbers_without_header_is_suspected():
    assert "must name the columns" in _error(["5.1", "3.5", "Iris-setosa"])
    assert "must name the columns" not in _error(["body", "kind"])


def test_optional_columns_and_tasks_without_columns():
    assert _bind(["conversations", "id"], columns=CONVERSATION_COLUMNS) == {"conversations": "conversations"}
    mapping = {"prompt": "question", "completion": "solution"}
    for columns in (CONVERSATION_COLUMNS, ()):
        assert _bind(["question", "solution"], mapping, columns) == mapping
        assert "no column 'solution', which data.columns.completion names" in _error(["question"], mapping, columns)
    assert _bind(["anything"], columns=()) == {}


def test_a_row_of_json_without_the_column_has_none():
    binding = _bind(["text", "label"])
    from tunesmith.data import apply_columns

    assert apply_columns(Row({"text": "a"}, Origin("a.jsonl", 1)), binding).values == {"text": "a", "label": None}
