# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Output layer and cross-entropy in one, a part of the places at a time.

Logits, their softmax and its gradient are three tables of S × V numbers. Here each part of the places makes its own,
turns it into its gradient in place and forgets it: memory no longer grows with vocabulary × tokens. The gradients are
ready when the forward pass ends (the loss is a sum, so the backward pass only scales them), and nothing is computed
twice. The idea is Liger Kernel's (Hsu et al. 2024, arXiv:2410.10989); what it gives is in docs/benchmarks.md.

Shapes: S labelled places, D width of the model, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

__all__ = ["linear_cross_entropy", "passing_through", "plain_output_layer"]

_NUMBERS = 2**23
"""Of float32 logits in memory at once: 32 MB."""

_FEWEST_ROWS = 128
"""Fewer rows make slow matrix products; a vocabulary of 150,000 then takes 77 MB."""

_verdicts: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def linear_cross_entropy(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """``cross_entropy(linear(hidden, weight, bias).float(), targets, reduction="sum")``, with less memory.

    Args:
        hidden: (S, D), of any floating type. Under autocast products are computed in its type.
        weight: (V, D).
        bias: (V,) or None.
        targets: int64 (S,), each in [0, V).

    Returns:
        A float32 scalar, nats. It can be differentiated once.
    """
    kind = hidden.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
    loss: torch.Tensor = _LinearCrossEntropy.apply(hidden, weight, bias, targets, dtype)  # type: ignore[no-untyped-call]
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        dtype: torch.dtype,
    ) -> torch.Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            x, w = hidden.to(dtype), weight.to(dtype)
            b = None if bias is None else bias.to(dtype)
            for_x, for_w, for_b = ctx.needs_input_grad[:3]
            grad_x = torch.empty_like(x) if for_x else None
            # Summed over the parts in fp32, whatever the weights are in.
            grad_w = torch.zeros(w.shape, dtype=torch.float32, device=w.device) if for_w else None
            grad_b = torch.zeros(b.shape, dtype=torch.float32, device=b.device) if b is not None and for_b else None
            loss = torch.zeros((), dtype=torch.float32, device=x.device)
            rows = max(_FEWEST_ROWS, _NUMBERS // w.shape[0])
            for part in (slice(start, start + rows) for start in range(0, x.shape[0], rows)):
                logits = nn.functional.linear(x[part], w, b).float()
                normalizer = logits.logsumexp(1, keepdim=True)
                right = targets[part, None]
                loss += (normalizer - logits.gather(1, right)).sum()
                if not (for_x or for_w or grad_b is not None):
                    continue
                # From here on the table holds d loss / d logits: softmax, less 1 at the right place.
                errors = logits.sub_(normalizer).exp_()
                errors.scatter_add_(1, right, errors.new_full((1, 1), -1.0).expand_as(right))
                small = errors.to(dtype)
                if grad_x is not None:
                    torch.mm(small, w, out=grad_x[part])
                if grad_w is not None and grad_w.dtype == dtype:
                    grad_w.addmm_(small.t(), x[part])
                elif grad_w is not None:
                    grad_w += small.t() @ x[part]
                if grad_b is not None:
                    grad_b += errors.sum(0)
        ctx.save_for_backward(None if grad_x is None else grad_x.to(hidden.dtype), grad_w, grad_b)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # In place: the tables are this graph's own, and a graph is gone through once.
        scaled = [None if table is None else table.mul_(gradients[0]) for table in ctx.saved_tensors]
        return (*scaled, None, None)


def plain_output_layer(model: nn.Module, inputs: dict[str, torch.Tensor]) -> nn.Linear | None:
    """The linear layer that ends a language model, where its output is the logits as they are.

    A model may do more to its logits (Gemma 2 caps them, Cohere scales them); then there is no such layer. Whether it
    does is seen in a trial: its first row goes through the model with the output layer doing nothing, and what went
    into the layer must come out of the model untouched. Once per model, without a gradient and without moving any
    random state.

    Args:
        model: of transformers, without wrappers.
        inputs: keyword arguments of its forward, tensors with the rows first.
    """
    find = getattr(model, "get_output_embeddings", None)
    layer = find() if callable(find) else None
    if type(layer) is not nn.Linear:
        return None
    if model not in _verdicts:
        _verdicts[model] = _leaves_logits_alone(model, layer, {name: value[:1] for name, value in inputs.items()})
    return layer if _verdicts[model] else None


def _leaves_logits_alone(model: nn.Module, layer: nn.Linear, row: dict[str, torch.Tensor]) -> bool:
    seen: list[torch.Tensor] = []
    device = layer.weight.device
    watch = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []), passing_through(layer):
            logits = model(**row).logits
    except RuntimeError:  # something as wide as the vocabulary is added to the logits (BART), and these are not
        return False
    finally:
        watch.remove()
    return len(seen) == 1 and logits is seen[0]


@contextmanager
def passing_through(layer: nn.Linear) -> Iterator[None]:
    """Within the block the layer hands on what it is given; its hooks run as ever."""
    layer.forward = _unchanged  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        del layer.forward  # the class's own is seen again


def _unchanged(x: torch.Tensor) -> torch.Tensor:
    return x
