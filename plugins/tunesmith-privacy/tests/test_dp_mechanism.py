# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Clipping, noise, sampling and the account: what the bound rests on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from opacus.accountants import RDPAccountant
from torch import nn

from tunesmith.errors import RecipeError
from tunesmith_privacy.dp.accounting import Budget, noise_for, spent
from tunesmith_privacy.dp.chance import Chance
from tunesmith_privacy.dp.clipping import ClippedSum
from tunesmith_privacy.dp.sampling import PoissonFeed
from tunesmith_privacy.dp.settings import PrivacySection

CHANCE = Chance.of(0, None)


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(30, 20)), nn.Parameter(torch.zeros(50))]


def rows(count: int, size: float) -> list[list[torch.Tensor]]:
    draw = torch.Generator().manual_seed(count)
    return [[size * torch.randn(one.shape, generator=draw) for one in parameters()] for _ in range(count)]


def feed(
    items: int, rows_per_batch: int, *, seed: int = 0, epochs: float = 1, at_once: int = 1, accumulate: int = 1
) -> PoissonFeed:
    return PoissonFeed(
        np.arange(1, items + 1),
        chance=Chance.of(seed, None),
        at_once=at_once,
        tokens=None,
        rows=rows_per_batch,
        epochs=epochs,
        max_steps=None,
        accumulate=accumulate,
        seed=seed,
    )


# ---- clipping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("clip", [0.1, 1.0, 7.0])
def test_without_a_row_the_sum_differs_by_at_most_the_clip(size: float, clip: float) -> None:
    gradients = rows(6, size)
    whole, less = ClippedSum(parameters(), clip), ClippedSum(parameters(), clip)
    for place, gradient in enumerate(gradients):
        whole.add_row(gradient)
        if place != 3:
            less.add_row(gradient)
    difference = torch.cat([(one - other).flatten() for one, other in zip(whole.sums, less.sums, strict=True)]).norm()
    own = torch.cat([one.flatten() for one in gradients[3]]).norm()
    assert difference <= clip * (1 + 1e-5)
    assert difference == pytest.approx(min(float(own), clip), rel=1e-3)


def test_rows_together_are_clipped_as_each_alone() -> None:
    gradients = rows(5, 0.05)
    scale = torch.tensor([1.0, 0.5, 2.0, 1.0, 0.25])
    alone, together = ClippedSum(parameters(), 1.0), ClippedSum(parameters(), 1.0)
    for gradient, factor in zip(gradients, scale, strict=True):
        alone.add_row([factor * one for one in gradient])
    together.add_rows([torch.stack(one) for one in zip(*gradients, strict=True)], scale)
    for one, other in zip(alone.sums, together.sums, strict=True):
        torch.testing.assert_close(one, other)


def test_the_noise_has_the_deviation_it_is_said_to_have_and_no_mean() -> None:
    drawn = []
    for step in range(200):
        empty = ClippedSum(parameters(), clip=2.0)
        drawn.append(torch.cat([one.flatten() for one in empty.noised(CHANCE.noise(step), 1.5, expected=10.0)]))
    table = torch.stack(drawn)  # (steps, numbers)
    assert table.std().item() == pytest.approx(1.5 * 2.0 / 10, rel=0.01)
    assert abs(table.mean().item()) < 4 * 0.3 / math.sqrt(table.numel())
    neighbors = (table[:-1] * table[1:]).mean() / table.var()
    assert abs(neighbors.item()) < 0.02, "the noise of a step must say nothing about that of the next"


def test_a_weight_that_no_row_touches_gets_noise_like_the_others() -> None:
    clipped = ClippedSum(parameters(), 1.0)
    clipped.add_row([torch.ones(30, 20), None])
    assert clipped.noised(CHANCE.noise(0), 1.0, 1.0)[1].std().item() == pytest.approx(1.0, rel=0.4)


def test_the_noise_of_a_step_is_the_same_again_and_follows_from_seed_and_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))

    def numbers(seed: int, file: Path | None, step: int) -> list[float]:
        return list(Chance.of(seed, None if file is None else str(file)).noise(step).standard_normal(4))

    assert numbers(0, None, 5) == numbers(0, None, 5)
    others = [numbers(0, None, 6), numbers(1, None, 5), numbers(0, secret, 5), numbers(1, secret, 5)]
    assert len({tuple(one) for one in [numbers(0, None, 5), *others]}) == 5
    assert list(CHANCE.sampling(5).standard_normal(4)) != numbers(0, None, 5)


def test_a_secret_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(RecipeError, match="too short to be one") as short:
        Chance.of(0, str(tmp_path / "short"))
    assert "3 bytes" in str(short.value)
    with pytest.raises(RecipeError, match="cannot be read") as missing:
        Chance.of(0, str(tmp_path / "none"))
    assert "/dev/urandom" in str(missing.value)


# ---- sampling --------------------------------------------------------------------------------------------------------


def test_each_row_is_drawn_at_the_rate_and_independently() -> None:
    batches = [batch for epoch in range(40) for batch in feed(200, 20, epochs=40).epoch(epoch)]
    assert len(batches) == 400
    drawn = np.zeros((400, 200))
    for step, batch in enumerate(batches):
        assert len(set(batch.tolist())) == len(batch)
        drawn[step, batch] = 1
    sizes = drawn.sum(1)
    assert sizes.mean() == pytest.approx(20, abs=4 * math.sqrt(18 / 400))
    assert sizes.var() == pytest.approx(18, rel=0.25)  # binomial: N q (1 - q); batches of one size would have none
    assert abs(drawn.mean(0) - 0.1).max() < 5 * math.sqrt(0.09 / 400)
    together = (drawn[:, 0] * drawn[:, 1]).mean()
    assert together == pytest.approx(0.01, abs=4 * math.sqrt(0.01 / 400))


def test_the_draw_is_a_function_of_seed_and_epoch() -> None:
    def shown(seed: int) -> list[list[int]]:
        return [batch.tolist() for batch in feed(100, 10, seed=seed, epochs=3).epoch(2)]

    assert shown(0) == shown(0)
    assert shown(0) != shown(1)
    made = feed(100, 10, epochs=3)
    assert made.total_steps == 30
    assert made.batch(0).tolist() != made.batch(10).tolist()


def test_parts_hold_every_drawn_row_once() -> None:
    made = feed(100, 30, at_once=4)
    batch = made.batch(0)
    parts = made.parts(batch)
    assert sorted(np.concatenate(parts).tolist()) == sorted(batch.tolist())
    assert max(map(len, parts)) <= 4
    assert [len(part) for part in feed(100, 30, at_once=1).parts(batch)] == [1] * len(batch)
    assert len(feed(100, 30, at_once=64, accumulate=3).parts(batch)) == 3


def test_a_step_without_a_row_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(RecipeError, match="no row was drawn for step") as caught:
        feed(100, 1, epochs=1)
    assert "chance of 0.01" in str(caught.value)
    assert "train.rows_per_batch" in str(caught.value)


# ---- the account -----------------------------------------------------------------------------------------------------


def account(**changes: Any) -> float:
    return spent(
        **{"noise_multiplier": 1.0, "rate": 0.01, "steps": 1000, "delta": 1e-5, "accountant": "rdp", **changes}
    )


def test_epsilon_is_what_the_accountant_of_opacus_counts_step_by_step() -> None:
    stepwise = RDPAccountant()
    for _ in range(50):
        stepwise.step(noise_multiplier=1.1, sample_rate=0.02)
    assert account(noise_multiplier=1.1, rate=0.02, steps=50) == pytest.approx(stepwise.get_epsilon(delta=1e-5))


def test_epsilon_of_a_sampled_job_agrees_with_its_formula() -> None:
    """Mironov, Talwar and Zhang 2019 (arXiv:1908.10530), for whole orders, and the conversion of Balle et al."""
    q, sigma, steps, delta = 0.01, 1.0, 1000, 1e-5

    def at(order: int) -> float:
        terms = [
            math.comb(order, k) * (1 - q) ** (order - k) * q**k * math.exp((k * k - k) / (2 * sigma**2))
            for k in range(order + 1)
        ]
        renyi = steps * math.log(math.fsum(terms)) / (order - 1)
        return renyi - (math.log(delta) + math.log(order)) / (order - 1) + math.log((order - 1) / order)

    by_hand = min(at(order) for order in range(2, 32))
    assert account() <= by_hand  # it also tries orders in between
    assert account() == pytest.approx(by_hand, rel=0.02)


def test_epsilon_without_sampling_is_a_close_bound_on_the_exact_one() -> None:
    """Of the Gaussian mechanism the exact relation is known: Balle and Wang 2018 (arXiv:1805.06530)."""
    sigma, steps, delta = 4.0, 9, 1e-5
    mu = math.sqrt(steps) / sigma

    def normal(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    low, high = 0.0, 50.0
    for _ in range(80):
        middle = (low + high) / 2
        leak = normal(mu / 2 - middle / mu) - math.exp(middle) * normal(-mu / 2 - middle / mu)
        low, high = (middle, high) if leak > delta else (low, middle)
    exact = high
    for accountant, slack in (("rdp", 1.15), ("prv", 1.02)):
        got = account(noise_multiplier=sigma, rate=1.0, steps=steps, accountant=accountant)
        assert exact * 0.999 <= got <= exact * slack, accountant


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
@pytest.mark.parametrize("epsilon", [0.5, 8.0])
def test_the_noise_for_a_budget_keeps_to_it_and_wastes_little(epsilon: float, accountant: Any) -> None:
    given: dict[str, Any] = {"rate": 0.02, "steps": 300, "delta": 1e-5, "accountant": accountant}
    noise = noise_for(epsilon=epsilon, **given)
    assert 0.98 * epsilon <= spent(noise_multiplier=noise, **given) <= epsilon


def test_a_budget_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(RecipeError, match="no amount of noise") as caught:
        noise_for(epsilon=1e-6, rate=1.0, steps=100_000, delta=1e-9, accountant="rdp")
    assert "epsilon: 1e-06 at delta 1e-09" in str(caught.value)


def test_the_sentence_never_says_less_than_was_spent() -> None:
    budget = Budget(7.981, 1e-5, 0.83, 0.02, 500, "rdp")
    assert budget.sentence(1.0) == (
        "differentially private training: epsilon 7.99 at delta 1e-05 (RDP accountant of Opacus 1.6.0), noise "
        "multiplier 0.83, per-row clipping at 1, Poisson sampling at rate 0.02 over 500 steps; one row is the unit"
    )
    assert "epsilon 0.0213 at" in Budget(0.02121, 1e-5, 0.83, 0.02, 500, "prv").sentence(1.0)


# ---- settings --------------------------------------------------------------------------------------------------------


def test_epsilon_is_eight_unless_something_is_said() -> None:
    assert PrivacySection().epsilon == 8.0
    assert PrivacySection(noise_multiplier=1.0).epsilon is None
    written_out = PrivacySection().model_dump(mode="json")
    assert PrivacySection.model_validate(written_out) == PrivacySection()
    with pytest.raises(ValueError, match="exclude each other"):
        PrivacySection(epsilon=3.0, noise_multiplier=1.0)
