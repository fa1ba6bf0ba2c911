# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import math

import pytest
import torch
from torch import nn

from tunesmith.training.dropout import Dropout, use_cheap_dropout

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_statistics_are_those_of_dropout(p, dtype):
    x = torch.ones(1000, 401, dtype=dtype)
    out = Dropout(p)(x)
    kept = out != 0
    share = kept.double().mean().item()
    assert abs(share - (1 - p)) < 5 * math.sqrt(p * (1 - p) / x.numel()) + 1 / 131072
    assert out.shape == x.shape
    assert out.dtype == dtype
    assert out[kept].unique().tolist() == pytest.approx([1 / (1 - p)], rel=1e-2 if dtype == torch.bfloat16 else 1e-4)
    # Neither rows, columns, nor neighbours go together.
    for dim in (0, 1):
        means = kept.double().mean(dim)
        expected = math.sqrt(p * (1 - p) / kept.shape[dim])
        assert means.std().item() == pytest.approx(expected, rel=0.25)
    pairs = (kept[:, 1:] & kept[:, :-1]).double().mean().item()
    assert pairs == pytest.approx((1 - p) ** 2, abs=0.01)


def test_the_gradient_flows_where_values_were_kept():
    x = torch.randn(7, 5, requires_grad=True)
    out = Dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad != 0, out != 0)
    torch.testing.assert_close(x.grad[x.grad != 0], torch.full_like(x.grad[x.grad != 0], 2.0))


def test_the_global_generator_is_its_source():
    torch.manual_seed(3)
    one = Dropout(0.3)(torch.ones(64))
    torch.manual_seed(3)
    assert torch.equal(one, Dropout(0.3)(torch.ones(64)))
    assert not torch.equal(one, Dropout(0.3)(torch.ones(64)))


def test_nothing_happens_outside_training_or_without_dropout():
    x = torch.randn(9)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_it_takes_the_place_of_dropout_and_of_nothing_else():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.1), nn.Dropout1d(0.1)))
    names = list(model.state_dict())
    assert use_cheap_dropout(model, torch.device("cuda")) == 0
    assert use_cheap_dropout(model, CPU) == 2
    assert isinstance(model[1], Dropout)
    assert model[1].p == 0.2
    assert isinstance(model[2][1], nn.Dropout1d)
    assert list(model.state_dict()) == names
    assert not model.eval()[2][0].training
