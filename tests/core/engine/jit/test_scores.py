# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The likeliest token and the sum of exponentials of rows of logits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tunesmith.engine.jit.scores import likeliest, summarize
from tunesmith.engine.requests import Sampling
from tunesmith.engine.sampling import Chosen, Sampler, choose
from tunesmith.errors import ModelError


@pytest.mark.parametrize("width", [1, 7, 1024, 5000])
def test_it_is_what_pytorch_says(width: int) -> None:
    logits = torch.randn(5, width, generator=torch.Generator().manual_seed(width)) * 4
    best, totals = np.empty(5, np.int64), np.empty(5, np.float64)
    summarize(logits.numpy(), best, totals)
    assert best.tolist() == logits.argmax(-1).tolist()
    assert totals == pytest.approx(logits.double().logsumexp(-1).tolist(), abs=2e-6)


def test_the_first_of_those_alike_and_rows_that_say_nothing() -> None:
    logits = np.array([[1, 3, 3, -np.inf], [0, np.nan, 5, 1], [np.nan, 0, 0, 0]], np.float32)
    best, totals = np.empty(3, np.int64), np.empty(3, np.float64)
    summarize(logits, best, totals)
    assert best[0] == 1
    assert totals[0] == pytest.approx(3 + math.log(2 + math.exp(-2)), abs=1e-6)
    assert np.isnan(totals[1:]).all()


def test_large_vocabularies_choose_as_small_ones() -> None:
    logits = torch.randn(3, 8192, generator=torch.Generator().manual_seed(3)) * 3
    logits[2, 17] = float("nan")
    samplers = [Sampler(Sampling(temperature=0)), Sampler(Sampling(temperature=0, logit_bias=((5, 100.0),)))] * 2
    first, biased, broken = choose(logits, samplers[:3], [2, 0, 0], compiled=True)
    assert isinstance(first, Chosen)
    assert isinstance(biased, Chosen)
    expected = logits[:2].log_softmax(-1)
    assert first.token == int(logits[0].argmax())
    assert first.logprob == pytest.approx(float(expected[0].max()), abs=1e-5)
    assert [token for token, _ in first.alternatives] == logits[0].topk(2).indices.tolist()
    assert (biased.token, biased.logprob) == (5, pytest.approx(float(expected[1, 5]), abs=1e-5))
    assert isinstance(broken, ModelError)


@pytest.mark.parametrize(("width", "count"), [(1, 1), (70, 64), (5000, 64), (64, 64)])
def test_the_likeliest_are_those_of_a_sort(width: int, count: int) -> None:
    logits = torch.randn(4, width, generator=torch.Generator().manual_seed(width)).mul(8).round().div(4)  # many alike
    temperatures = np.array([1, 0.5, 2, 1e-6], np.float32)
    values, tokens = np.empty((4, count), np.float32), np.empty((4, count), np.int64)
    masses = np.empty(4, np.float64)
    likeliest(logits.numpy(), temperatures, values, tokens, masses)
    order = torch.sort(logits, dim=-1, descending=True, stable=True)
    assert tokens.tolist() == order.indices[:, :count].tolist()
    assert values.tolist() == order.values[:, :count].tolist()
    expected = ((logits - order.values[:, :1]).double() / torch.from_numpy(temperatures)[:, None]).exp().sum(-1)
    assert masses == pytest.approx(expected.tolist(), rel=1e-5)


def test_draws_are_the_same_by_compiled_code_and_by_pytorch() -> None:
    logits = torch.randn(6, 6000, generator=torch.Generator().manual_seed(1)) * 4

    def drawn(compiled: bool) -> list[int]:
        samplers = [Sampler(Sampling(seed=seed, temperature=0.9, top_p=0.9)) for seed in range(6)]
        chosen = choose(logits, samplers, compiled=compiled)
        return [one.token for one in chosen if isinstance(one, Chosen)]

    assert drawn(True) == drawn(False)
    assert len(set(drawn(True))) > 1
