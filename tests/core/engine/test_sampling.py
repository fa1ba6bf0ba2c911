# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How the next token is chosen."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from tunesmith.engine.requests import Sampling
from tunesmith.engine.sampling import Sampler
from tunesmith.errors import ModelError

LOGITS = torch.tensor([2.0, 1.0, 0.5, -1.0, -3.0])


def draws(sampling: Sampling, count: int = 2000) -> Counter[int]:
    sampler = Sampler(sampling)
    return Counter(sampler.choose(LOGITS)[0] for _ in range(count))


def test_greedy_takes_the_likeliest_and_reports_its_logprob() -> None:
    token, logprob = Sampler(Sampling(temperature=0)).choose(LOGITS)
    assert token == 0
    assert logprob == pytest.approx(float(torch.log_softmax(LOGITS, 0)[0]))


def test_draws_follow_the_distribution() -> None:
    counts = draws(Sampling(seed=3), 4000)
    for token, probability in enumerate(torch.softmax(LOGITS, 0).tolist()):
        assert counts[token] / 4000 == pytest.approx(probability, abs=0.025)


def test_temperature_sharpens() -> None:
    assert draws(Sampling(temperature=0.3))[0] > draws(Sampling(temperature=1))[0] > draws(Sampling(temperature=3))[0]
    assert set(draws(Sampling(temperature=1e-9))) == {0}


def test_top_k_keeps_k() -> None:
    assert set(draws(Sampling(top_k=2, temperature=5))) == {0, 1}
    assert set(draws(Sampling(top_k=99, temperature=5))) == {0, 1, 2, 3, 4}


def test_top_k_keeps_k_even_among_ties() -> None:
    sampler = Sampler(Sampling(top_k=2))
    assert {sampler.choose(torch.zeros(6))[0] for _ in range(200)} == {0, 1}


def test_top_p_keeps_the_smallest_set_that_reaches_p() -> None:
    probabilities = torch.softmax(LOGITS, 0)  # 0.57, 0.21, 0.13, …
    assert set(draws(Sampling(top_p=0.5))) == {0}
    assert set(draws(Sampling(top_p=float(probabilities[0]) + 0.01))) == {0, 1}
    assert set(draws(Sampling(top_p=1e-9))) == {0}


def test_same_seed_same_tokens_without_the_global_generator() -> None:
    before = torch.get_rng_state()
    first, second, other = (
        [sampler.choose(LOGITS)[0] for _ in range(50)]
        for sampler in (Sampler(Sampling(seed=1)), Sampler(Sampling(seed=1)), Sampler(Sampling(seed=2)))
    )
    assert first == second != other
    assert torch.equal(before, torch.get_rng_state())


def test_half_precision_logits_are_read_as_float32() -> None:
    token, logprob = Sampler(Sampling(temperature=0)).choose(LOGITS.bfloat16())
    assert (token, logprob) == (0, pytest.approx(float(torch.log_softmax(LOGITS, 0)[0])))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_nan_is_an_error_that_says_what_to_do(temperature: float) -> None:
    with pytest.raises(ModelError, match="not a number") as caught:
        Sampler(Sampling(temperature=temperature)).choose(torch.tensor([0.0, float("nan")]))
    assert "fp32" in str(caught.value)
