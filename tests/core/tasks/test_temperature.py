# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The temperature that is fitted is the one at which the labels are the most likely."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunesmith.tasks import temperature
from tunesmith.tasks.temperature import COLDEST, HOTTEST, fit_temperature


def drawn(rows, labels, *, sureness, several=False, seed=0):
    """Logits ``sureness`` times as large as those that the labels were drawn by."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(scale=1.5, size=(rows, labels)).astype(np.float32)
    if several:
        truth = chance.random(logits.shape) < 1 / (1 + np.exp(-logits))
    else:
        truth = np.eye(labels, dtype=bool)[(logits + chance.gumbel(size=logits.shape)).argmax(1)]
    return sureness * logits, truth


def loss(logits, truth, temperature, several):
    scaled, wanted = torch.from_numpy(logits).double() / temperature, torch.from_numpy(truth).double()
    if several:
        return functional.binary_cross_entropy_with_logits(scaled, wanted).item()
    return functional.cross_entropy(scaled, wanted).item()


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("sureness", [0.2, 1.0, 3.0])
def test_the_true_temperature_is_found(sureness, several):
    logits, truth = drawn(20_000, 5, sureness=sureness, several=several)
    assert fit_temperature(logits, truth, several=several) == pytest.approx(sureness, rel=0.03)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_temperature_has_a_smaller_loss(seed, several):
    logits, truth = drawn(40, 3, sureness=4.0, several=several, seed=seed)
    found = fit_temperature(logits, truth, several=several)
    others = np.geomspace(COLDEST, HOTTEST, 400)
    least = loss(logits, truth, found, several)
    assert all(least <= loss(logits, truth, other, several) + 1e-9 for other in others)


@pytest.mark.parametrize("several", [False, True])
def test_rows_are_summed_in_parts(monkeypatch, several):
    logits, truth = drawn(100, 4, sureness=2.0, several=several)
    whole = fit_temperature(logits, truth, several=several)
    monkeypatch.setattr(temperature, "_PART", 12)
    assert fit_temperature(logits, truth, several=several) == whole


def test_large_logits_overflow_nowhere():
    logits, truth = drawn(2_000, 3, sureness=1.0)
    with np.errstate(over="raise", invalid="raise"):
        found = fit_temperature(logits * 15, truth, several=False)
        assert fit_temperature(logits * 1e30, truth, several=False) is None
        assert fit_temperature(logits * 1e30, truth, several=True) is None
    assert found == pytest.approx(15, rel=0.1)


@pytest.mark.parametrize("several", [False, True])
def test_where_there_is_no_end_to_it_there_is_none(several):
    logits = np.array([[1.0, -1.0], [-2.0, 2.0]])
    right = logits > 0
    assert fit_temperature(logits, right, several=several) is None, "the surer the better"
    assert fit_temperature(logits, ~right, several=several) is None, "the less sure the better"
    assert fit_temperature(logits[:0], right[:0], several=several) is None
    assert fit_temperature(np.full((2, 2), np.nan), right, several=several) is None
    assert fit_temperature(np.zeros((2, 2)), np.eye(2, dtype=bool), several=several) is None, "no temperature matters"
