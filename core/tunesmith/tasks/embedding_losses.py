# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The objective of learning which texts belong together.

Shapes: R rows of a step, C candidates of a step, D numbers a vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from tunesmith.tasks.objectives import ChosenObjective, Objective
from tunesmith.tasks.retrieval import Search

__all__ = ["Contrastive", "split_loss"]

BLOCK = 1024
"""Pairs of a split that are given to an objective at once, with all of the split's texts: bounds memory."""


class Contrastive(Objective):
    """Every anchor has to find its positive among all candidates (InfoNCE, van den Oord et al. 2018, arXiv:1807.03748).

    Cross-entropy over cosines divided by the temperature; the other rows of the step are the negatives (Henderson et
    al. 2017, arXiv:1705.00652).
    """

    terms = ("anchors", "candidates", "positives", "excluded")
    couples = True
    mixed_precision = True  # of a step of many rows, these products are no small part

    temperature: float = Field(default=0.05, gt=0)
    """Cosines are divided by it, a scale of 20 as sentence-transformers has it; smaller looks harder at near misses."""

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._cross_entropy(terms, "none")

    def total(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._cross_entropy(terms, "sum")

    def _cross_entropy(self, terms: Mapping[str, torch.Tensor], reduction: Literal["none", "sum"]) -> torch.Tensor:
        logits = terms["anchors"] @ terms["candidates"].T / self.temperature
        logits = logits.float().masked_fill(terms["excluded"], -torch.inf)
        return functional.cross_entropy(logits, terms["positives"], reduction=reduction)


def split_loss(search: Search, chosen: ChosenObjective) -> float:
    """The mean loss over the pairs of a split, each with every text of the split as a candidate."""
    queries, corpus = (torch.from_numpy(vectors) for vectors in search.vectors)
    pairs, same = search.pairs, search.same
    answers: dict[int, list[int]] = {}
    for query, text in pairs.tolist():
        answers.setdefault(query, []).append(text)
    total = 0.0
    for first in range(0, len(pairs), BLOCK):
        block = pairs[first : first + BLOCK]
        excluded = np.zeros((len(block), len(corpus)), dtype=bool)
        for row, (query, text) in enumerate(block.tolist()):
            excluded[row, answers[query] + ([int(same[query])] if same[query] >= 0 else [])] = True
            excluded[row, text] = False
        places = torch.from_numpy(block)
        terms = {
            "anchors": queries[places[:, 0]],
            "candidates": corpus,
            "positives": places[:, 1],
            "excluded": torch.from_numpy(excluded),
        }
        total += float(chosen.losses(terms, rows=len(block)).double().sum())
    return total / len(pairs)
