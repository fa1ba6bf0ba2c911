# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention by plain matrix products, as a function that transformers' models call by name.

What their own ``eager`` does in a dozen steps, a table of L × S numbers for each, is here two products and a softmax;
the backward pass keeps one such table (and a byte per number where there is dropout). A causal mask is no table that is
added, heads that share keys do not get copies of them, and dropout draws its numbers as ``dropout.py`` does.

Shapes: R rows, H heads of queries, K heads of keys (H is a multiple of K), L queries, S keys, D width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tunesmith.training.dropout import draw_dropped, kept_share

__all__ = ["NAME", "plain_attention", "register"]

NAME = "tunesmith_plain"


def register() -> None:
    """Make :data:`NAME` an attention that ``set_attn_implementation`` knows; masks come as for ``sdpa``."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, plain_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def plain_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """What ``sdpa`` computes, to rounding.

    Args:
        module: the attention layer; its ``is_causal`` counts where neither a mask nor ``is_causal`` is given.
        query: (R, H, L, D).
        key: (R, K, S, D).
        value: (R, K, S, D).
        attention_mask: bool, to (R, 1 or H, L, S): True where a query sees a key; or numbers to add; or None.
        dropout: probability at which a weight is zeroed; the others are scaled by 1 / (1 - dropout).
        scaling: of the products. Default: 1 / √D.
        is_causal: a query sees the keys up to its own place; only where there is no mask.
        others: what else a layer may ask for; what would change the result is refused.

    Returns:
        (R, L, H, D), and None for the weights.

    Raises:
        NotImplementedError: capped scores, sinks, biases by place.
    """
    asked = [name for name in ("softcap", "s_aux", "position_bias", "cache") if others.get(name) is not None]
    if asked:
        raise NotImplementedError(f"plain attention does not know {', '.join(asked)}")
    rows, heads, queries, width = query.shape
    shared, keys = key.shape[1], key.shape[2]
    device = query.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if attention_mask is None and causal and queries > 1:
        attention_mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril_(keys - queries)
    if attention_mask is not None:
        attention_mask = _by_shared_heads(attention_mask, shared)
    dropped = None
    if dropout > 0:
        dropped = draw_dropped((rows * shared, heads // shared * queries, keys), dropout, query.device)
    answer: torch.Tensor = _PlainAttention.apply(  # type: ignore[no-untyped-call]
        query.reshape(rows * shared, heads // shared * queries, width),
        key.reshape(rows * shared, keys, width),
        value.reshape(rows * shared, keys, value.shape[-1]),
        attention_mask,
        (rows, shared, heads // shared, queries, keys),
        width**-0.5 if scaling is None else scaling,
        dropped,
        1 / kept_share(dropout),
    )
    return answer.view(rows, heads, queries, -1).transpose(1, 2).contiguous(), None


def _by_shared_heads(mask: torch.Tensor, shared: int) -> torch.Tensor:
    """(…, 1 or H, L, S) to a shape that goes with (R, K, H / K, L, S)."""
    if mask.dim() < 4:
        return mask
    rows, heads = mask.shape[:2]
    return mask[:, :, None] if heads == 1 else mask.view(rows, shared, heads // shared, *mask.shape[2:])


class _PlainAttention(torch.autograd.Function):
    """N = R · K rows and heads of the keys; the H / K heads of the queries that share one stand below one another."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
        shape: tuple[int, ...],
        scaling: float,
        dropped: torch.Tensor | None,
        kept_scale: float,
    ) -> torch.Tensor:
        scores = _scaled_product(query, key.mT, scaling)
        if mask is not None:
            table = scores.view(shape)
            if mask.dtype == torch.bool:
                table.masked_fill_(~mask, torch.finfo(scores.dtype).min)
            else:
                table.add_(mask)
        weights = scores.softmax(-1)
        del scores
        ctx.save_for_backward(query, key, value, weights, dropped)
        ctx.scaling, ctx.kept_scale = scaling, kept_scale
        return _scaled_product(_thinned(weights, dropped), value, kept_scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, weights, dropped = ctx.saved_tensors
        gradient = gradients[0].to(weights.dtype)
        for_value = _scaled_product(_thinned(weights, dropped).mT, gradient, ctx.kept_scale)
        for_weights = torch.bmm(gradient, value.mT)
        if dropped is not None:
            for_weights.masked_fill_(dropped, 0)
        for_scores = torch.ops.aten._softmax_backward_data(for_weights, weights, -1, weights.dtype)
        # What dropout scales by is left to the products, which scale for nothing.
        for_query = _scaled_product(for_scores, key, ctx.scaling * ctx.kept_scale)
        for_key = _scaled_product(for_scores.mT, query, ctx.scaling * ctx.kept_scale)
        return for_query, for_key, for_value, None, None, None, None, None


def _scaled_product(one: torch.Tensor, two: torch.Tensor, scaling: float) -> torch.Tensor:
    """``scaling · one @ two`` in one go."""
    nothing = one.new_empty(()).expand(one.shape[0], one.shape[1], two.shape[2])
    return torch.baddbmm(nothing, one, two, beta=0, alpha=scaling)


def _thinned(weights: torch.Tensor, dropped: torch.Tensor | None) -> torch.Tensor:
    return weights if dropped is None else weights.masked_fill(dropped, 0)
