# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import pytest
import torch
from torch import nn
from torch.nn import functional

from tunesmith.training.dropout import kept_share
from tunesmith.training.plain_attention import plain_attention

R, L, S, D = 2, 7, 7, 4
LAYER = nn.Module()


def tensors(heads, shared, dtype=torch.float64, queries=L):
    draw = torch.Generator().manual_seed(0)
    shapes = ((R, heads, queries, D), (R, shared, S, D), (R, shared, S, D))
    # As layers hand them on: (rows, places, heads, width), turned.
    return [
        torch.randn(r, n, h, d, generator=draw, dtype=dtype).transpose(1, 2).requires_grad_() for r, h, n, d in shapes
    ]


def padding():
    mask = torch.ones(R, 1, L, S, dtype=torch.bool)
    mask[1, :, :, 5:] = False
    return mask


def by_head():
    return torch.rand(R, 4, L, S, generator=torch.Generator().manual_seed(1)) > 0.3


def added():
    return torch.randn(R, 1, L, S, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("shared", [4, 2, 1])
@pytest.mark.parametrize("mask", [None, padding, by_head, added])
@pytest.mark.parametrize("causal", [False, True])
def test_answer_and_gradients_are_those_of_the_fused_kernel(shared, mask, causal):
    table = mask and mask()
    plain, fused = tensors(4, shared), tensors(4, shared)
    got, weights = plain_attention(LAYER, *plain, table, is_causal=causal)
    expected = functional.scaled_dot_product_attention(
        *fused, attn_mask=table, is_causal=causal and table is None, enable_gqa=True
    ).transpose(1, 2)
    assert weights is None
    assert got.shape == (R, L, 4, D)
    assert got.is_contiguous()
    torch.testing.assert_close(got, expected)
    for one in (got, expected):
        (one * torch.arange(one.numel()).view(one.shape)).sum().backward()
    for one, two in zip(plain, fused, strict=True):
        torch.testing.assert_close(one.grad, two.grad)


def test_scaling_and_the_layers_own_word_on_causality():
    layer = nn.Module()
    layer.is_causal = False
    plain = tensors(2, 2)
    got, _ = plain_attention(layer, *plain, None, scaling=0.3)
    torch.testing.assert_close(got, functional.scaled_dot_product_attention(*plain, scale=0.3).transpose(1, 2))
    got, _ = plain_attention(LAYER, *plain, None)  # a layer that says nothing is one of a decoder, as for `sdpa`
    torch.testing.assert_close(got, functional.scaled_dot_product_attention(*plain, is_causal=True).transpose(1, 2))


def test_a_single_query_sees_every_key():
    plain = tensors(2, 1, queries=1)
    got, _ = plain_attention(LAYER, *plain, None)
    expected = functional.scaled_dot_product_attention(*plain, enable_gqa=True).transpose(1, 2)
    torch.testing.assert_close(got, expected)


def test_a_row_that_may_see_nothing_is_finite():
    """Left padding makes such rows; nobody reads them, and they must not poison the others."""
    plain = tensors(2, 2)
    mask = padding()
    mask[0, :, 3] = False
    got, _ = plain_attention(LAYER, *plain, mask)
    got.sum().backward()
    assert got.isfinite().all()
    assert all(one.grad.isfinite().all() for one in plain)


def test_dropout_keeps_the_expectation_and_the_backward_pass_uses_the_same_numbers():
    """Values of 1 make every answer the sum of its weights: 1 on average. The gradient is that of the same mask."""
    query, key, _ = (one.detach() for one in tensors(4, 2))
    value = torch.ones(R, 2, S, D, dtype=torch.float64, requires_grad=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sums = torch.stack([plain_attention(LAYER, query, key, value, None, dropout=0.25)[0] for _ in range(400)])
        assert sums.mean().item() == pytest.approx(1, abs=0.01)
        assert kept_share(0.25) == 0.75

        def again(*inputs):
            torch.manual_seed(3)
            return plain_attention(LAYER, *inputs, padding(), dropout=0.5)[0]

        assert torch.autograd.gradcheck(again, tensors(4, 2))


def test_autocast_computes_in_bf16_and_gives_gradients_of_the_inputs_type():
    plain, exact = tensors(4, 2, torch.float32), tensors(4, 2, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got, _ = plain_attention(LAYER, *plain, None)
    assert got.dtype == torch.bfloat16
    expected, _ = plain_attention(LAYER, *exact, None)
    for one in (got, expected):
        one.float().square().sum().backward()
    for one, two in zip(plain, exact, strict=True):
        assert one.grad.dtype == torch.float32
        assert (one.grad - two.grad).norm() < 0.03 * two.grad.norm()


@pytest.mark.parametrize("name", ["softcap", "s_aux", "position_bias", "cache"])
def test_what_it_does_not_know_is_refused(name):
    with pytest.raises(NotImplementedError, match=f"does not know {name}"):
        plain_attention(LAYER, *tensors(2, 2), None, **{name: 1.0})
