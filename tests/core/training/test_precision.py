# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import torch
from torch import nn

from tunesmith.training import precision
from tunesmith.training.precision import choose_precision

CPU = torch.device("cpu")
MODEL = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 8))


def test_what_is_asked_for_is_taken():
    assert choose_precision("fp32", MODEL, CPU, rows=64).name == "fp32"
    assert choose_precision("bf16", MODEL, CPU, rows=64).name == "bf16"


def test_auto_follows_the_measurement(monkeypatch):
    for bf16_seconds, expected in ((0.1, "bf16"), (0.9, "fp32"), (3.0, "fp32")):
        monkeypatch.setattr(
            precision, "_seconds", lambda shape, rows, dtype, s=bf16_seconds: s if dtype == torch.bfloat16 else 1.0
        )
        choice = choose_precision("auto", MODEL, CPU, rows=64)
        assert choice.name == expected
        assert f"64×256 run at {1 / bf16_seconds:.1f}× the speed of fp32" in choice.reason


def test_the_probe_really_measures_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    choice = choose_precision("auto", MODEL, CPU, rows=64)
    assert choice.name in ("fp32", "bf16")
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_without_products_stays_in_fp32():
    assert choose_precision("auto", nn.Embedding(4, 4), CPU, rows=64).reason.startswith("the model has no linear")
