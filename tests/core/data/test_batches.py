# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batches: every row once, within the budget, like with like, the same again."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.data import batch_order, padding_share, split_batch

lengths_of_rows = st.lists(st.integers(1, 60), max_size=200).map(lambda values: np.array(values, dtype=np.int32))


@settings(max_examples=150, deadline=None)
@given(
    lengths=lengths_of_rows,
    size=st.integers(1, 100),
    by_tokens=st.booleans(),
    shuffle=st.booleans(),
    seed=st.integers(-5, 5),
    epoch=st.integers(0, 3),
)
def test_every_row_once_and_within_the_budget(lengths, size, by_tokens, shuffle, seed, epoch):
    how = {"tokens": size if by_tokens else None, "rows": None if by_tokens else size}
    batches = batch_order(lengths, **how, seed=seed, epoch=epoch, shuffle=shuffle)
    assert sorted(np.concatenate(batches).tolist() if batches else []) == list(range(len(lengths)))
    for batch in batches:
        assert 0 < len(batch) <= (size if not by_tokens else max(1, size // int(lengths[batch].max())))
    again = batch_order(lengths, **how, seed=seed, epoch=epoch, shuffle=shuffle)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]


def test_epochs_and_seeds_differ_and_global_state_is_left_alone():
    lengths = np.random.default_rng(0).integers(1, 50, 500)
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    orders = {
        tuple(map(tuple, batch_order(lengths, tokens=200, rows=None, seed=seed, epoch=epoch)))
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (-1, 0))
    }
    assert len(orders) == 4
    assert np.random.get_state()[1].tolist() == before


def test_rows_of_like_length_share_a_batch():
    lengths = np.random.default_rng(0).lognormal(3, 0.8, 20_000).astype(np.int64) + 1
    bucketed = batch_order(lengths, tokens=2048, rows=None, seed=0, epoch=0)
    plain = np.array_split(np.random.default_rng(0).permutation(len(lengths)), len(bucketed))
    assert padding_share(bucketed, lengths) < 0.06
    assert padding_share(plain, lengths) > 0.5


def test_batches_are_shuffled_not_sorted_by_length():
    lengths = np.arange(1, 5001) % 97 + 1
    longest = [int(lengths[batch].max()) for batch in batch_order(lengths, tokens=500, rows=None, seed=0, epoch=0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.2


def test_without_shuffle_the_longest_come_first():
    lengths = np.array([3, 9, 1, 9, 4])
    batches = batch_order(lengths, tokens=10, rows=None, seed=0, epoch=0, shuffle=False)
    assert [batch.tolist() for batch in batches] == [[1], [3], [4, 0], [2]]


def test_a_row_longer_than_the_budget_is_alone():
    batches = batch_order(np.array([2, 50, 2]), tokens=8, rows=None, seed=0, epoch=0)
    assert sorted(sorted(batch.tolist()) for batch in batches) == [[0, 2], [1]]


def test_only_the_last_batch_by_rows_is_smaller():
    sizes = [len(batch) for batch in batch_order(np.ones(1003, dtype=int), tokens=None, rows=10, seed=0, epoch=0)]
    assert sorted(sizes) == [3] + [10] * 100


def test_a_million_rows_take_less_than_two_seconds():
    lengths = np.random.default_rng(0).integers(1, 60, 1_000_000)
    start = time.perf_counter()
    batch_order(lengths, tokens=2048, rows=None, seed=0, epoch=0)
    assert time.perf_counter() - start < 2


@settings(max_examples=150, deadline=None)
@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=40), parts=st.integers(1, 8))
def test_a_split_batch_is_whole_and_even(lengths, parts):
    array = np.array(lengths)
    pieces = split_batch(np.arange(len(array)), array, parts)
    assert sorted(np.concatenate(pieces).tolist()) == list(range(len(array)))
    assert 1 <= len(pieces) <= parts
    costs = [len(piece) * int(array[piece].max()) for piece in pieces]
    whole = len(array) * int(array.max())
    assert max(costs) <= whole
    if parts > 1 and len(set(lengths)) == 1:
        assert max(costs) == -(-len(array) // parts) * lengths[0]  # as even as whole rows allow


def test_split_batch_takes_indices_into_all_rows():
    lengths = np.array([100, 1, 1, 1, 4])
    pieces = split_batch(np.array([4, 1, 2, 3]), lengths, 2)
    assert [sorted(piece.tolist()) for piece in pieces] == [[4], [1, 2, 3]]
    assert split_batch(np.array([], dtype=np.int64), lengths, 2) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"tokens": 1, "rows": 1}, "give tokens or rows, exactly one"),
        ({"tokens": None, "rows": None}, "give tokens or rows, exactly one"),
        ({"tokens": 0, "rows": None}, "tokens must be at least 1, given 0"),
        ({"tokens": None, "rows": 0}, "rows must be at least 1, given 0"),
    ],
)
def test_what_makes_no_sense(how, words):
    with pytest.raises(ValueError, match=words):
        batch_order(np.array([1]), **how, seed=0, epoch=0)
    with pytest.raises(ValueError, match="lengths must be at least 1, given 0 at row 1"):
        batch_order(np.array([1, 0]), tokens=4, rows=None, seed=0, epoch=0)
    with pytest.raises(ValueError, match="parts must be at least 1"):
        split_batch(np.array([0]), np.array([1]), 0)


def test_padding_of_nothing():
    assert padding_share([], np.array([], dtype=int)) == 0
    assert padding_share([np.array([0, 1])], np.array([1, 3])) == pytest.approx(2 / 6)
