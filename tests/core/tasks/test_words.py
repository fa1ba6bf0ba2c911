# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.tasks.words import breaks, is_cjk, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("John Smith.", ["John", "Smith", "."]),
        ("U.S.-based_1", ["U", ".", "S", ".", "-", "based_1"]),
        ("在北京 OK?", ["在", "北", "京", "OK", "?"]),
        ("カタカナとかな", list("カタカナとかな")),
        ("한국어 문장", ["한국어", "문장"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("e\u0301t\u00e9 🙂🙂", ["e\u0301t\u00e9", "🙂", "🙂"]),
        (" \n\t", []),
    ],
)
def test_words_of_many_scripts(text, words):
    assert [text[start:end] for start, end in split_words(text)] == words


@given(st.text())
def test_words_are_the_text_without_its_white_space(text):
    spans = split_words(text)
    assert "".join(text[start:end] for start, end in spans) == "".join(one for one in text if not one.isspace())
    assert spans == sorted(spans)
    assert all(start < end for start, end in spans)


def test_spaces_stand_between_words_but_not_beside_chinese():
    assert breaks(["New", "York", "在", "美国", "."]) == [False, True, False, False, False]
    assert breaks([]) == []


def test_korean_is_written_with_spaces():
    assert [is_cjk(one) for one in "北あア한a"] == [True, True, True, False, False]
