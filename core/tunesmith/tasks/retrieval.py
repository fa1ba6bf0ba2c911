# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures of search, from vectors alone: numpy in, plain numbers out.

Shapes: Q queries, C texts of the corpus, P pairs of a query and a text that answers it, D numbers a vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ranking", "Search", "rank", "retrieval_scores"]

Array = np.ndarray[Any, Any]
_BLOCK = 1024  # queries compared at once: bounds memory, not results
CUTOFF = 10


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where the right texts stand.

    Attributes:
        ranks: (P,) place of each pair's text for its query, 1 is first. Texts as near as the right one stand before it,
            so that a model to which all texts are alike gets nothing.
        losses: (P,) -log of the pair's share in the softmax over the corpus, the query's other answers left out; nats.
        nearest: (Q,) the text that stands first and is no answer; -1 where every text is one.
    """

    ranks: Array
    losses: Array
    nearest: Array


class Search:
    """Rows of a split as queries, a corpus, and the pairs that belong together; equal texts are one."""

    def __init__(self) -> None:
        self._queries: dict[str, int] = {}
        self._corpus: dict[str, int] = {}
        self._pairs: dict[tuple[int, int], None] = {}
        self._query_vectors: list[Array] = []
        self._corpus_vectors: list[Array] = []

    def add(self, query: str, vector: Array, texts: Mapping[str, Array]) -> None:
        """One row.

        Args:
            query: searched with.
            vector: its vector, (D,).
            texts: what it should find, then what it should not, with their vectors.
        """
        place = self._queries.setdefault(query, len(self._queries))
        if place == len(self._query_vectors):
            self._query_vectors.append(vector)
        for text, own in texts.items():
            if self._corpus.setdefault(text, len(self._corpus)) == len(self._corpus_vectors):
                self._corpus_vectors.append(own)
        self._pairs[place, self._corpus[next(iter(texts))]] = None

    @property
    def size(self) -> int:
        """Pairs, each counted once."""
        return len(self._pairs)

    @property
    def queries(self) -> list[str]:
        """Distinct queries, in the order met."""
        return list(self._queries)

    @property
    def corpus(self) -> list[str]:
        """Distinct texts, in the order met."""
        return list(self._corpus)

    @property
    def pairs(self) -> Array:
        """int64 (P, 2): query and text."""
        return np.asarray(list(self._pairs), dtype=np.int64)

    @property
    def same(self) -> Array:
        """int64 (Q,): the text that is the query itself, or -1."""
        return np.asarray([self._corpus.get(query, -1) for query in self._queries], dtype=np.int64)

    @property
    def vectors(self) -> tuple[Array, Array]:
        """Of the queries, (Q, D), and of the corpus, (C, D)."""
        return np.stack(self._query_vectors), np.stack(self._corpus_vectors)

    def rank(self, temperature: float) -> Ranking:
        """Search with every query; see :func:`rank`."""
        return rank(*self.vectors, self.pairs, temperature=temperature, same=self.same)


def rank(queries: Array, corpus: Array, pairs: Array, *, temperature: float, same: Array | None = None) -> Ranking:
    """Search with every query.

    Args:
        queries: (Q, D), of length 1.
        corpus: (C, D), of length 1.
        pairs: int64 (P, 2), query and text, each pair once.
        temperature: of the losses.
        same: int64 (Q,) the text that is the query itself, which search leaves out (unless it is an answer), or -1.
    """
    ranks = np.zeros(len(pairs), dtype=np.int64)
    losses = np.zeros(len(pairs), dtype=np.float64)
    nearest = np.full(len(queries), -1, dtype=np.int64)
    by_query = np.argsort(pairs[:, 0], kind="stable")
    starts = np.searchsorted(pairs[by_query, 0], np.arange(len(queries) + 1))
    for first in range(0, len(queries), _BLOCK):
        cosines = (queries[first : first + _BLOCK] @ corpus.T).astype(np.float64)
        for query, row in enumerate(cosines, start=first):
            places = by_query[starts[query] : starts[query + 1]]
            answers = pairs[places, 1]
            found = row[answers]
            others = np.ones(len(row), dtype=bool)
            others[answers] = False
            if same is not None and same[query] >= 0:
                others[same[query]] = False
            wrong = row[others]
            if len(wrong):
                nearest[query] = np.flatnonzero(others)[wrong.argmax()]
            before = (wrong >= found[:, None]).sum(1)
            better = (found[None, :] > found[:, None]).sum(1) + np.tril(found[None, :] == found[:, None], -1).sum(1)
            ranks[places] = 1 + before + better
            losses[places] = _losses(found / temperature, wrong / temperature)
    return Ranking(ranks, losses, nearest)


def retrieval_scores(ranks: Array, queries: Array) -> dict[str, float]:
    """Means over the queries.

    - ``recall@k``: share of a query's answers among its first k texts.
    - ``mrr``: 1 / place of its first answer.
    - ``ndcg@10``: discounted gain of its answers among the first 10, of the best possible (Järvelin and Kekäläinen
      2002, with gains of 0 and 1).

    Args:
        ranks: (P,) as :class:`Ranking` has them.
        queries: (P,) the query each belongs to.
    """
    _, query, count = np.unique(queries, return_inverse=True, return_counts=True)
    recalls = {f"recall@{k}": float((np.bincount(query, weights=ranks <= k) / count).mean()) for k in (1, 5, CUTOFF)}
    first = np.full(len(count), np.iinfo(np.int64).max)
    np.minimum.at(first, query, ranks)
    gains = np.where(ranks <= CUTOFF, 1 / np.log2(ranks + 1.0), 0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(2.0, CUTOFF + 2)))[np.minimum(count, CUTOFF) - 1]
    return {
        "mrr": float((1 / first).mean()),
        **recalls,
        f"ndcg@{CUTOFF}": float((np.bincount(query, weights=gains) / ideal).mean()),
    }


def _losses(found: Array, wrong: Array) -> Array:
    """-log softmax of each answer among itself and the wrong texts."""
    if not len(wrong):
        return np.zeros(len(found))
    top = wrong.max()
    rest = top + np.log(np.exp(wrong - top).sum())
    return np.asarray(np.logaddexp(found, rest) - found)
