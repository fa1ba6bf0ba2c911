# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""CoNLL columns."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.data.readers import conll
from tunesmith.errors import DataError

WNUT = "@paulwalk\tO\nEmpire\tB-location\nState\tI-location\n\t\n#monday\tO\nParis\tB-location\n"
UNER = """# newdoc id = batch-0000
# text = 看似简单，
1\t看似\tO\t-\t-
2\t上海\tB-LOC\t-\tx

# sent_id = 2
1\t北京\tB-LOC\t-\t-
"""
CONLL_2003 = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\r\n\n# SYM O O\n"


def test_words_and_tags_between_tabs(write, read_all):
    path = write("a.conll", WNUT)
    rows, problems = read_all(conll.read, path)
    assert problems == []
    assert [row.values for row in rows] == [
        {"tokens": ["@paulwalk", "Empire", "State"], "tags": ["O", "B-location", "I-location"]},
        {"tokens": ["#monday", "Paris"], "tags": ["O", "B-location"]},
    ]
    assert [str(row.origin) for row in rows] == [f"{path}:1", f"{path}:5"]


def test_numbered_words_and_comments_of_universal_ner(write, read_all):
    rows, problems = read_all(conll.read, write("a.iob2", UNER))
    assert problems == []
    assert [(row.values["tokens"], row.values["tags"], row.origin.line) for row in rows] == [
        (["看似", "上海"], ["O", "B-LOC"], 3),
        (["北京"], ["B-LOC"], 7),
    ]


def test_columns_between_are_there_to_be_learned(write, read_all):
    rows, problems = read_all(conll.read, write("a.conll", CONLL_2003))
    assert problems == []
    first, second = (row.values for row in rows)
    assert (first["tokens"], first["tags"]) == (["EU", "rejects"], ["B-ORG", "O"])
    assert first["column_2"] == ["NNP", "VBZ"]
    assert second["tokens"] == ["#"]  # a word, since its line has a word's cells


def test_words_alone_have_no_tags(write, read_all):
    rows, _ = read_all(conll.read, write("a.conll", "Hello\nthere\n"))
    assert [dict(row.values) for row in rows] == [{"tokens": ["Hello", "there"]}]


def test_comments_between_spaces(write, read_all):
    rows, problems = read_all(conll.read, write("a.conll", "# text = a\na O\n# a note here\nb O\n# b = c\n"))
    assert problems == []
    assert [row.values["tokens"] for row in rows] == [["a", "b"]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("York", ":2: 1 cell, and the lines of this file have 2, separated by a tab"),
        ("York\tB\tC", ":2: 3 cells, and the lines of this file have 2"),
        ("\tO", ":2: the cell of the word is empty"),
        ("Yo\x01rk\tO", r":2: binary junk: control character U\+0001"),
    ],
)
def test_a_bad_line_is_named_and_the_other_sentences_are_read(write, read_all, line, words):
    rows, problems = read_all(conll.read, write("a.conll", f"New\tO\n{line}\n\nParis\tB-x\n"))
    assert [row.values["tokens"] for row in rows] == [["Paris"]]
    [problem] = problems
    assert re.search(words, str(problem))


@pytest.mark.parametrize("content", ["\n \n", "# only = comments\n\n"])
def test_a_file_without_a_sentence_is_an_error(write, read_all, content):
    with pytest.raises(DataError, match="no sentence"):
        read_all(conll.read, write("a.conll", content))


words = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=6).filter(
    lambda word: not word.startswith(("#", "-DOCSTART-")) and len(word.split()) == 1
)
sentences = st.lists(st.lists(st.tuples(words, st.sampled_from(["O", "B-x"])), min_size=1, max_size=5), min_size=1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences=sentences, separator=st.sampled_from(["\t", " "]), end=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(write, read_all, sentences, separator, end):
    lines = [[f"{word}{separator}{tag}" for word, tag in sentence] for sentence in sentences]
    rows, problems = read_all(conll.read, write("a.conll", (end * 2).join(end.join(one) for one in lines)))
    assert problems == []
    assert [list(zip(row.values["tokens"], row.values["tags"], strict=True)) for row in rows] == sentences


@pytest.mark.parametrize(
    ("file", "sentences", "entities"),
    [
        ("wnut17/wnut17train.conll", 3394, 1975),
        ("wnut17/emerging.test.annotated", 1287, 1079),
        ("uner_zh_gsdsimp/zh_gsdsimp-ud-test.iob2", 500, 763),
    ],
)
def test_real_files(shared, read_all, file, sentences, entities):
    rows, problems = read_all(conll.read, shared / "data" / file)
    assert problems == []
    assert len(rows) == sentences
    assert sum(tag.startswith("B-") for row in rows for tag in row.values["tags"]) == entities
