# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention by plain matrix products where rows are short and the processor computes.

The fused kernel (``sdpa``) never holds the L × L weights, which is what long rows need. For short ones its backward
pass on a processor is the largest cost of a step. Both compute the same function; a test holds their gradients equal.
What it gives is in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["fit_attention"]

SHORT = 320
"""Tokens. Up to here forward and backward take half to nine tenths of the fused kernel's time (docs/benchmarks.md);
beyond, the L × L weights begin to cost memory."""


def fit_attention(model: nn.Module, lengths: Sequence[int] | NDArray[np.int64], device: torch.device) -> str | None:
    """Set how ``model`` computes attention while it trains.

    A function of its arguments alone, so that a repeated or resumed job computes in the same way.

    Args:
        model: a transformers model, or a PEFT model over one.
        lengths: of all training items, tokens.
        device: plain products are chosen on processors only.

    Returns:
        A sentence for people, or None where nothing was changed.
    """
    adapted: Any = model
    base = adapted.get_base_model() if hasattr(model, "get_base_model") else adapted
    if device.type != "cpu" or getattr(base.config, "_attn_implementation", None) != "sdpa":
        return None
    sizes = np.asarray(lengths, dtype=np.float64)
    typical = float((sizes**2).sum() / sizes.sum())  # the length of the row that a typical token stands in
    if typical > SHORT:
        return None
    base.set_attn_implementation("eager")
    return f"plain products, faster than the fused kernel at {typical:.0f} tokens a row"
