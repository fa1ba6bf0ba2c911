# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tunesmith.tasks.text_transforms import DropWords, SwapWords, Typos

EVERY = [DropWords, SwapWords, Typos]
TEXT = "the parcel has not arrived and nobody answers the phone"


def numbers(seed=0):
    return np.random.default_rng(seed)


def many(transform, text, count=300):
    return [transform(text, numbers(seed)) for seed in range(count)]


@pytest.mark.parametrize("kind", EVERY)
@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", max_codepoint=0x2FFFF)) | st.text("ab 中\n"),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_text_stays_a_text_and_is_never_left_empty(kind, text, share, seed):
    transform = kind(share=share)
    found = transform(text, numbers(seed))
    assert isinstance(found, str)
    assert bool(found.strip()) == bool(text.strip())
    assert found == transform(text, numbers(seed))


@pytest.mark.parametrize("kind", EVERY)
def test_without_a_chance_nothing_changes(kind):
    assert set(many(kind(probability=0.0, share=0.9), TEXT, 30)) == {TEXT}


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("text", ["", "  \n "])
def test_where_there_is_nothing_nothing_changes(kind, text):
    assert set(many(kind(share=0.9), text, 20)) == {text}


def test_words_are_left_out_in_order_and_white_space_stays():
    found = many(DropWords(share=0.3), " a  b\tc\nd ")
    assert all(one.split() == [word for word in "abcd" if word in one] for one in found)
    assert " a  b\tc\nd " in found
    assert " b\tc\nd " in found
    assert " a\tc " in found
    assert min(len(one.split()) for one in many(DropWords(share=0.99), " a  b\tc\nd ")) == 1


def test_the_share_is_that_of_the_words():
    text = " ".join(map(str, range(1000)))
    assert 60 < 1000 - len(DropWords()(text, numbers()).split()) < 140
    moved = sum(one != other for one, other in zip(text.split(), SwapWords()(text, numbers()).split(), strict=True))
    assert 120 < moved < 240  # two for each pair; a word that has moved does not move again
    letters = "a" * 10_000
    assert abs(len(Typos(share=0.3)(letters, numbers())) - 10_000) < 300


def test_a_single_word_is_left_as_it_is():
    assert set(many(DropWords(share=0.9), " hello, ", 20)) == {" hello, "}
    assert set(many(SwapWords(share=0.9), " hello, ", 20)) == {" hello, "}


def test_words_change_places_with_their_neighbours():
    found = Counter(many(SwapWords(share=0.5), "a b  c\nd"))
    assert set(found) == {"a b  c\nd", "b a  c\nd", "a c  b\nd", "a b  d\nc", "b a  d\nc"}


def test_chinese_and_japanese_characters_are_words():
    assert set(many(SwapWords(share=0.5), "中文ab 字")) == {
        "中文ab 字",
        "文中ab 字",
        "中ab文 字",
        "中文字 ab",
        "文中字 ab",
    }
    dropped = many(DropWords(share=0.3), "今日はrain，好")
    assert {"今日は，好", "日はrain，好"} & set(dropped)
    assert all("rain" in one or not set("rain") & set(one) for one in dropped)


def test_typos_are_left_out_doubled_and_exchanged_characters():
    found = set(many(Typos(share=0.15), "cat on", 600))
    assert {"at on", "ccat on", "act on", "cta on", "catt on", "cat no", "cat onn", "cat n", "cat o"} <= found
    assert all(one.count(" ") == 1 for one in found)
    assert not any(one.startswith("ca t") for one in found), "no character moves to another word"


def test_a_text_of_one_letter_keeps_it():
    assert set(many(Typos(share=0.99), "x")) == {"x", "xx"}


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("keys", [{"share": 0}, {"share": 1}, {"share": "0.1"}, {"words": 3}, {"probability": -0.1}])
def test_values_that_make_no_sense_are_refused(kind, keys):
    with pytest.raises(ValidationError):
        kind(**keys)
