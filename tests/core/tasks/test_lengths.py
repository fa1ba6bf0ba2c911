# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from torch import nn

from tunesmith.errors import DataError, Origin, RecipeError
from tunesmith.tasks.lengths import Lengths, choose_max_length, position_limit

HERE = Origin("train.csv", 3)


def test_truncation_is_counted_with_the_longest():
    lengths = Lengths(512, "truncate")
    assert all(lengths.admit(length, HERE) for length in (10, 600, 40_112))
    assert lengths.sentences() == ["2 of 3 rows truncated to 512 tokens (longest had 40,112)"]


def test_skipping_is_counted():
    lengths = Lengths(512, "skip")
    assert [lengths.admit(length, HERE) for length in (512, 513)] == [True, False]
    assert lengths.sentences() == ["1 of 2 rows skipped: longer than 512 tokens (longest had 513)"]


def test_an_error_names_row_and_length():
    with pytest.raises(DataError) as caught:
        Lengths(512, "error").admit(513, HERE)
    assert "train.csv:3: 513 tokens; at most 512 are allowed" in str(caught.value)


def test_rows_that_fit_need_no_sentence():
    lengths = Lengths(512, "truncate")
    lengths.admit(512, HERE)
    assert lengths.sentences() == []


def test_max_length_is_the_smaller_of_default_and_limit():
    assert choose_max_length(None, 512, None) == 512
    assert choose_max_length(None, 512, 128) == 128
    assert choose_max_length(64, 512, 128) == 64
    with pytest.raises(RecipeError) as caught:
        choose_max_length(256, 512, 128)
    assert "data.max_length is longer than the model can read" in str(caught.value)
    assert "at most 128 tokens" in str(caught.value)


class _Roberta(nn.Module):
    """Positions start behind the padding index: 514 entries serve 512 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(514, 2, padding_idx=1)
        self.config = type("Config", (), {"max_position_embeddings": 514})()


def test_position_limit_knows_tables_that_start_behind_padding():
    tokenizer = type("Tokenizer", (), {"model_max_length": 10**30})()
    assert position_limit(_Roberta(), tokenizer) == 512
    assert position_limit(nn.Linear(1, 1), tokenizer) is None
