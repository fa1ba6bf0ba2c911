# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.tasks.retrieval import Search, rank, retrieval_scores


def unit(*degrees):
    angles = np.radians(np.asarray(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_figures_by_hand():
    # Three queries, four texts; the first query has two answers, in places 1 and 3.
    queries, corpus = unit(0, 90, 180), unit(5, 20, 80, 30)
    pairs = np.asarray([[0, 0], [0, 3], [1, 1], [2, 2]])
    found = rank(queries, corpus, pairs, temperature=1.0)
    assert found.ranks.tolist() == [1, 3, 3, 1]
    assert found.nearest.tolist() == [1, 2, 3]
    scores = retrieval_scores(found.ranks, pairs[:, 0])
    assert scores["mrr"] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert scores["recall@1"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert scores["recall@5"] == scores["recall@10"] == 1.0
    ideal = 1 + 1 / np.log2(3)
    assert scores["ndcg@10"] == pytest.approx(((1 + 1 / np.log2(4)) / ideal + 1 / np.log2(4) + 1) / 3)


def test_losses_leave_the_other_answers_out():
    queries, corpus = unit(0), unit(0, 90, 45)
    found = rank(queries, corpus, np.asarray([[0, 0], [0, 2]]), temperature=0.5)
    cosines = np.asarray([1.0, 0.0, np.sqrt(0.5)]) / 0.5
    for loss, own in zip(found.losses, (cosines[0], cosines[2]), strict=True):
        assert loss == pytest.approx(-own + np.log(np.exp(own) + np.exp(cosines[1])), rel=1e-5)


def test_a_model_to_which_all_is_alike_finds_nothing():
    corpus = np.ones((20, 2), dtype=np.float32)
    pairs = np.stack([np.arange(20), np.arange(20)], axis=1)
    found = rank(corpus, corpus, pairs, temperature=0.05)
    assert (found.ranks == 20).all()


def test_equal_texts_are_one_and_a_query_does_not_find_itself():
    search = Search()
    vectors = dict(zip("abc", unit(0, 10, 90), strict=True))
    search.add("a", vectors["a"], {"b": vectors["b"]})
    search.add("b", vectors["b"], {"a": vectors["a"], "c": vectors["c"]})
    search.add("a", vectors["a"], {"b": vectors["b"]})
    assert (search.queries, search.corpus, search.size) == (["a", "b"], ["b", "a", "c"], 2)
    assert search.rank(0.05).ranks.tolist() == [1, 1]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_ranks_are_those_of_sorting(queries, texts, seed):
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(queries, 3)), rng.normal(size=(texts, 3))
    pairs = np.asarray(sorted({(int(rng.integers(queries)), int(rng.integers(texts))) for _ in range(8)}))
    found = rank(left, right, pairs, temperature=1.0)
    order = np.argsort(-(left @ right.T), axis=1)
    assert found.ranks.tolist() == [order[q].tolist().index(t) + 1 for q, t in pairs.tolist()]
    assert all(0 <= value <= 1 for value in retrieval_scores(found.ranks, pairs[:, 0]).values())
