# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import copy

import pytest
import torch
from torch import nn

from tunesmith.errors import RecipeError
from tunesmith.machine.precision import autocast
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tunesmith.training.masters import MasterAdamW, full_precision, halve_weights
from tunesmith.training.optimizer import make_optimizer

CPU = torch.device("cpu")


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 4))


def steps(model, optimizer, count, precision, rate=1e-3, seed=1):
    """Losses of a small regression."""
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for group in optimizer.param_groups:
        group["lr"] = rate
    for _ in range(count):
        x = torch.randn(64, 16, generator=generator)
        with autocast(precision, CPU):
            loss = (model(x).float() - x[:, :4]).square().mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    return losses


def made(precision):
    model = net()
    return model, make_optimizer(model, TrainSection(precision=precision))


def test_the_model_holds_bf16_and_gradients_are_summed_in_fp32():
    model, optimizer = made("bf16-weights")
    assert isinstance(optimizer, MasterAdamW)
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}
    with autocast("bf16-weights", CPU):
        for _ in range(2):
            model(torch.randn(3, 16)).float().sum().backward()
    assert {one.grad.dtype for one in model.parameters()} == {torch.float32}


def test_the_fp32_values_start_as_the_weights_were():
    before = copy.deepcopy(net().state_dict())
    model, optimizer = made("bf16-weights")
    with full_precision(optimizer):
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name].bfloat16())


def test_small_steps_are_not_lost():
    """A relative step of 1e-4 is far below bf16's last bit; hundreds of them move the weights all the same."""
    model = nn.Linear(4, 4)
    nn.init.ones_(model.weight)
    optimizer = make_optimizer(model, TrainSection(precision="bf16-weights", weight_decay=0.0))
    for group in optimizer.param_groups:
        group["lr"] = 1e-4
    for _ in range(400):
        model(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert model.weight.float().mean().item() == pytest.approx(0.96, abs=0.004)


def test_training_comes_to_the_same_loss_as_in_fp32():
    curves = {}
    for precision in ("fp32", "bf16", "bf16-weights"):
        curves[precision] = steps(*made(precision), 200, precision)
    end = {name: sum(curve[-20:]) / 20 for name, curve in curves.items()}
    assert end["fp32"] < 0.3 * curves["fp32"][0]
    assert end["bf16"] == pytest.approx(end["fp32"], rel=0.03)
    assert end["bf16-weights"] == pytest.approx(end["fp32"], rel=0.03)


def test_going_on_from_a_checkpoint_is_equal_bit_for_bit(tmp_path):
    model, optimizer = made("bf16-weights")
    steps(model, optimizer, 5, "bf16-weights")
    path = save_checkpoint(tmp_path, model=model, optimizer=optimizer, progress=Progress(step=5), keep=1)
    expected = steps(model, optimizer, 5, "bf16-weights", seed=2)

    other, other_optimizer = made("bf16-weights")
    load_checkpoint(path, model=other, optimizer=other_optimizer)
    assert steps(other, other_optimizer, 5, "bf16-weights", seed=2) == expected
    for one, two in zip(optimizer.masters.values(), other_optimizer.masters.values(), strict=True):
        assert torch.equal(one, two)


def test_frozen_weights_stay_as_they_will_be_saved():
    model = net()
    model[0].requires_grad_(False)
    masters = halve_weights(model)
    assert model[0].weight.dtype == torch.float32
    assert model[3].weight.dtype == torch.bfloat16
    assert len(masters) == 4


def test_weights_under_an_adapter_become_bf16_too(tmp_path):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(net(), LoraConfig(r=2, target_modules=["0", "3"]))
    masters = halve_weights(model)
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}
    assert len(masters) == 4  # two pairs of low-rank matrices


def test_shared_weights_stay_shared():
    model = net()
    model.twin = model[0]
    model, optimizer = model, make_optimizer(model, TrainSection(precision="bf16-weights"))
    with full_precision(optimizer):
        assert model.twin.weight.data_ptr() == model[0].weight.data_ptr()
    assert model.twin.weight is model[0].weight


def test_buffers_keep_their_precision():
    model = nn.Sequential(nn.Linear(2, 2))
    model.register_buffer("frequencies", torch.ones(3))
    halve_weights(model)
    assert model.frequencies.dtype == torch.float32


def test_an_older_pytorch_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr("tunesmith.training.masters._GRADIENTS_HAVE_A_TYPE", False)
    with pytest.raises(RecipeError, match="newer PyTorch") as caught:
        halve_weights(net())
    assert "--set train.precision=bf16" in str(caught.value)
