# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tunesmith import models
from tunesmith.tasks.windows import middles, pair_frame, text_frame, windows
from tunesmith.tasks.word_tokens import word_tokens


@given(st.integers(0, 300), st.integers(1, 60), st.integers(0, 59))
def test_windows_cover_everything_and_answer_for_each_token_once(length, room, overlap):
    assume(overlap < room)
    parts = windows(length, room, overlap)
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert all(end - start <= room for start, end in parts)
    assert all(before[1] - after[0] == overlap for before, after in pairwise(parts))
    owned = middles(parts)
    assert [place for begin, stop in owned for place in range(begin, stop)] == list(range(length))
    assert all(start <= begin and stop <= end for (start, end), (begin, stop) in zip(parts, owned, strict=True))


def test_a_window_must_get_on():
    with pytest.raises(ValueError, match="an overlap of 5 tokens does not fit into windows of 5"):
        windows(10, 5, 5)


def test_frames_are_what_the_tokenizer_makes_itself(bert_words):
    tokenizer = models.load_tokenizer(bert_words)
    one, two = "john lives", "in the new york"
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (one, two))
    alone, pair = text_frame(tokenizer).around(first), pair_frame(tokenizer).around(first, second)
    assert (text_frame(tokenizer).size, pair_frame(tokenizer).size) == (2, 3)
    for made, wanted in ((alone, tokenizer(one)), (pair, tokenizer(one, two))):
        assert made["input_ids"].tolist() == wanted["input_ids"]
        assert made["token_type_ids"].tolist() == wanted["token_type_ids"]


def test_texts_that_would_run_together_get_marks(llama):
    tokenizer = models.load_tokenizer(llama)
    frame = pair_frame(tokenizer)
    end = tokenizer.eos_token_id
    assert frame.around([10], [11, 12])["input_ids"].tolist() == [end, 10, end, 11, 12]
    assert text_frame(tokenizer).around([10])["input_ids"].tolist() == [10]
    assert "token_type_ids" not in frame.around([10], [11])


def test_words_begin_at_their_first_token(bert_words):
    tokenizer = models.load_tokenizer(bert_words)
    tokens = word_tokens(tokenizer, ["Johnson", " lives", " \u200b", "Q.", " in"], 0)
    names = tokenizer.convert_ids_to_tokens(tokens.ids)
    assert names == ["john", "##son", "lives", "[UNK]", "q", ".", "in"]
    assert tokens.first.tolist() == [0, -1, 1, 2, 3, -1, 4]
    assert (tokens.unknown, tokens.unread) == (1, 0)


def test_no_token_reaches_over_two_words(llama):
    tokenizer = models.load_tokenizer(llama)
    tokens = word_tokens(tokenizer, ["北", "京", " ok"], 0)
    assert tokens.first.tolist() == [0, -1, -1, 1, -1, -1, 2, -1, -1]
    assert tokenizer.decode(tokens.ids) == "北京 ok"


def test_a_row_the_tokenizer_knows_nothing_of_is_padding(bert_words):
    tokenizer = models.load_tokenizer(bert_words)
    tokenizer.unk_token = None
    tokens = word_tokens(tokenizer, ["\u200b", "\u200b"], 7)
    assert (tokens.ids, tokens.first.tolist(), tokens.unread) == ([7], [0], 1)
