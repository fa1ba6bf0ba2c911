# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from tunesmith.tasks import linear_loss
from tunesmith.tasks.linear_loss import linear_cross_entropy, passing_through, plain_output_layer

S, D, V = 301, 16, 97
SMALL = {"vocab_size": V, "hidden_size": D, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture
def numbers():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(S, D, generator=generator).requires_grad_()
    weight = (torch.randn(V, D, generator=generator) * 0.3).requires_grad_()
    bias = torch.randn(V, generator=generator).requires_grad_()
    targets = torch.randint(0, V, (S,), generator=generator)
    return hidden, weight, bias, targets


def reference(hidden, weight, bias, targets):
    return functional.cross_entropy(functional.linear(hidden, weight, bias).float(), targets, reduction="sum")


def gradients(loss, *tensors):
    return torch.autograd.grad(loss / 7, tensors)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("rows", [1000, 301, 64])
def test_loss_and_gradients_equal_the_plain_ones_in_any_parts(numbers, monkeypatch, rows, with_bias):
    monkeypatch.setattr(linear_loss, "_NUMBERS", 0)
    monkeypatch.setattr(linear_loss, "_FEWEST_ROWS", rows)
    hidden, weight, bias, targets = numbers
    moving = (hidden, weight, bias) if with_bias else (hidden, weight)
    bias = bias if with_bias else None
    expected, ours = reference(hidden, weight, bias, targets), linear_cross_entropy(hidden, weight, bias, targets)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=0)
    for mine, theirs in zip(gradients(ours, *moving), gradients(expected, *moving), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_under_autocast_products_are_bf16_and_gradients_those_of_the_weights_type(numbers):
    hidden, weight, bias, targets = numbers
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, expected = (f(hidden, weight, bias, targets) for f in (linear_cross_entropy, reference))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=0)
    for mine, theirs in zip(
        gradients(ours, hidden, weight, bias), gradients(expected, hidden, weight, bias), strict=True
    ):
        assert mine.dtype == torch.float32
        assert (mine - theirs).norm() < 0.01 * theirs.norm()


def test_a_frozen_output_layer_gets_no_gradient_table(numbers):
    hidden, weight, _, targets = numbers
    weight.requires_grad_(False)
    loss = linear_cross_entropy(hidden, weight, None, targets)
    loss.backward()
    assert weight.grad is None
    expected = torch.autograd.grad(reference(hidden, weight, None, targets), hidden)[0]
    torch.testing.assert_close(hidden.grad, expected, rtol=1e-5, atol=1e-6)


def test_without_gradients_only_the_loss_is_computed(numbers):
    hidden, weight, bias, targets = numbers
    with torch.no_grad():
        loss = linear_cross_entropy(hidden, weight, bias, targets)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, reference(hidden, weight, bias, targets).detach(), rtol=1e-6, atol=0)


def test_no_places_are_a_loss_of_zero(numbers):
    hidden, weight, _, targets = numbers
    loss = linear_cross_entropy(hidden[:0], weight, None, targets[:0])
    loss.backward()
    assert loss.item() == 0
    assert not weight.grad.any()


def test_memory_is_that_of_one_part(numbers, monkeypatch):
    monkeypatch.setattr(linear_loss, "_NUMBERS", 0)
    monkeypatch.setattr(linear_loss, "_FEWEST_ROWS", 50)
    widest = []
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            widest.extend(one.numel() for one in [result] if isinstance(one, torch.Tensor))
            return result

    hidden, weight, bias, targets = numbers
    with Watch():
        linear_cross_entropy(hidden, weight, bias, targets).backward()
    assert max(widest) <= max(50 * V, S * D)


def test_the_trial_finds_models_that_change_their_logits_and_moves_no_random_state():
    torch.manual_seed(0)
    plain = LlamaForCausalLM(LlamaConfig(**SMALL, attention_dropout=0.5)).train()
    capped = Gemma2ForCausalLM(Gemma2Config(**SMALL, num_key_value_heads=1, head_dim=8, final_logit_softcapping=0.5))
    inputs = {"input_ids": torch.randint(3, V, (2, 5))}
    before = torch.get_rng_state()
    assert plain_output_layer(plain, inputs) is plain.lm_head
    assert plain_output_layer(capped, inputs) is None
    assert torch.equal(torch.get_rng_state(), before)
    assert "forward" not in vars(plain.lm_head)


def test_an_output_layer_that_is_more_than_linear_is_left_alone():
    class Scaled(nn.Linear):
        pass

    model = LlamaForCausalLM(LlamaConfig(**SMALL))
    model.set_output_embeddings(Scaled(D, V, bias=False))
    assert plain_output_layer(model, {"input_ids": torch.ones(1, 3, dtype=torch.long)}) is None


def test_a_layer_passes_through_within_the_block_only():
    layer, x = nn.Linear(2, 3), torch.ones(1, 2)
    with passing_through(layer):
        assert layer(x) is x
    assert layer(x).shape == (1, 3)
