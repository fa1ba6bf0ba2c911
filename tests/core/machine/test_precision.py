# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import pytest
import torch
from torch import nn

from tunesmith.machine import precision
from tunesmith.machine.precision import choose_precision

CPU = torch.device("cpu")
MODEL = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 8))


def test_what_is_asked_for_is_taken():
    assert choose_precision("fp32", MODEL, CPU).name == "fp32"
    assert choose_precision("bf16", MODEL, CPU).name == "bf16"


@pytest.mark.parametrize(("ratio", "expected"), [(5.2, "bf16"), (1.2, "fp32"), (0.3, "fp32"), (0.013, "fp32")])
def test_auto_follows_the_measurement(monkeypatch, ratio, expected):
    monkeypatch.setattr(precision, "bf16_speedup", lambda: ratio)
    choice = choose_precision("auto", MODEL, CPU)
    assert choice.name == expected
    assert f"bf16 products run at {ratio}× the speed of fp32" in choice.reason


def test_the_probe_really_measures_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    precision.bf16_speedup.cache_clear()
    assert precision.bf16_speedup() > 0
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("model", [nn.Embedding(4, 4), nn.Linear(4096, 64)])
def test_small_products_stay_in_fp32(monkeypatch, model):
    monkeypatch.setattr(precision, "bf16_speedup", lambda: 9.0)
    choice = choose_precision("auto", model, CPU)
    assert choice.name == "fp32"
    assert "no linear layer is 128 wide" in choice.reason
