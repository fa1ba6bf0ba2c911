# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention by plain matrix products where rows are short and the processor computes.

The fused kernel (``sdpa``) never holds the L × L weights, which is what long rows need. For short ones its backward
pass on a processor is the largest cost of a step. Both compute the same function; a test holds their gradients equal.
What it gives is in docs/benchmarks.md.

The products are ours (``plain_attention.py``) where a trial shows that the model computes with them what it computed
before; else the model's own (``eager``).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tunesmith.models.later import later_weights
from tunesmith.models.methods import evaluation_mode
from tunesmith.models.shapes import shapes_suffice
from tunesmith.tasks.base import Encoded, Task
from tunesmith.training import plain_attention

__all__ = ["fit_attention"]

SHORT = 320
"""Tokens. Up to here forward and backward take half to nine tenths of the fused kernel's time (docs/benchmarks.md);
beyond, the L × L weights begin to cost memory."""


def fit_attention(
    model: nn.Module,
    items: Sequence[Encoded],
    lengths: Sequence[int] | NDArray[np.int64],
    device: torch.device,
    task: Task[Any, Any],
) -> str | None:
    """Set how ``model`` computes attention while it trains.

    A function of its arguments alone, so that a repeated or resumed job computes in the same way.

    Args:
        model: a transformers model, or a PEFT model over one.
        items: of the training split; two of them are tried.
        lengths: of all of them, tokens.
        device: plain products are chosen on processors only.
        task: makes a batch of items, and of it what the model is given.

    Returns:
        A sentence for people, or None where nothing was changed: without values there is nothing to compare either.
    """
    adapted: Any = model
    base = adapted.get_base_model() if hasattr(model, "get_base_model") else adapted
    if device.type != "cpu" or getattr(base.config, "_attn_implementation", None) != "sdpa" or shapes_suffice():
        return None
    sizes = np.asarray(lengths, dtype=np.float64)
    typical = float((sizes**2).sum() / sizes.sum())  # the length of the row that a typical token stands in
    if typical > SHORT:
        return None
    order = np.argsort(sizes, kind="stable")
    tried = task.collate([items[int(order[place])] for place in {0, int(np.searchsorted(sizes[order], typical))}])
    plain_attention.register()
    inputs = task.model_inputs(model, tried)
    before = _said(base, inputs)
    base.set_attn_implementation(plain_attention.NAME)
    if not _same(_said(base, inputs), before):
        base.set_attn_implementation("eager")
    return f"plain products, faster than the fused kernel at {typical:.0f} tokens a row"


def _said(base: nn.Module, inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """What a forward pass answers, in evaluation mode; nothing where it cannot be done this way."""
    known = inspect.signature(base.forward).parameters
    later = later_weights(base)
    values = nullcontext() if later is None else later.while_computing(base)
    with values, evaluation_mode(base), torch.no_grad(), suppress(NotImplementedError, KeyError):
        said: Any = base(**{name: value for name, value in inputs.items() if name in known})
        return [value for value in said.values() if isinstance(value, torch.Tensor) and value.is_floating_point()]
    return []


def _same(got: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> bool:
    """To rounding; another order of the sums is all that may differ."""
    return bool(got) and all(
        one.shape == two.shape and bool((one - two).norm() <= 1e-4 * two.norm() + 1e-7)
        for one, two in zip(got, expected, strict=True)
    )
