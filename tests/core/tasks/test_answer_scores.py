# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.tasks.answer_scores import answer_words, exact_match, f1, normalized


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("The  Panthers!", "panthers"),
        ("a cat, an owl & the dog", "cat owl dog"),
        ("theory of anything", "theory of anything"),
        ("U.S.", "us"),
        ("1,000", "1000"),
        ("“quoted” – so", "“quoted” – so"),  # as in SQuAD's script, which knows ASCII's punctuation alone
        ("《北京》， 2008年。", "北京 2008年"),
        ("...", ""),
    ],
)
def test_what_is_compared(answer, wanted):
    assert normalized(answer) == wanted


@pytest.mark.parametrize(
    ("answer", "right", "match", "score"),
    [
        ("the Broncos", ["Broncos"], 1, 1),
        ("Denver Broncos", ["Broncos", "Denver"], 0, 2 / 3),
        ("big big cat", ["big cat"], 0, 4 / 5),  # bags: a word counts as often as both have it
        ("cat", ["dog", "cat."], 1, 1),
        ("Santa Clara", ["Miami"], 0, 0),
        ("", [], 1, 1),
        ("cat", [], 0, 0),
        ("", ["cat"], 0, 0),
        ("the", ["a"], 1, 1),  # nothing is left of either
        ("北京市", ["北京"], 0, 4 / 5),
        ("2008年", ["2008 年"], 0, 1),
        ("上海", ["北京"], 0, 0),
        ("京北", ["北京"], 0, 1),  # a bag of characters; CMRC's longest common substring would give 1/2
    ],
)
def test_answers_by_hand(answer, right, match, score):
    assert exact_match(answer, right) == match
    assert f1(answer, right) == pytest.approx(score)


def test_every_chinese_character_is_a_word():
    assert answer_words("在 New York 北京。") == ["在", "new", "york", "北", "京"]


@given(st.text(), st.text())
def test_f1_is_a_share_and_the_same_both_ways(one, other):
    assert 0 <= f1(one, [other]) <= 1
    assert f1(one, [other]) == f1(other, [one])
    assert f1(one, [one]) == exact_match(one, [one]) == 1
    if exact_match(one, [other]):
        assert f1(one, [other]) == 1
