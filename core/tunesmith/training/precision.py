# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""fp32 or bf16: measured on this machine, at the shapes of this model.

Processors with bf16 instructions multiply bf16 matrices several times faster than fp32 ones; without them the
same code is several times *slower* (pytorch issues 86270 and 118499). A name or a flag does not tell; a probe of
a few milliseconds does. Weights, optimizer state, softmax and loss stay in fp32 either way (autocast).
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

__all__ = ["Precision", "autocast", "choose_precision"]

WORTH_IT = 1.5
"""bf16 products must be this much faster than fp32: casts eat the rest."""


@dataclass(frozen=True, slots=True)
class Precision:
    """The choice and the sentence that explains it."""

    name: Literal["fp32", "bf16"]
    reason: str


def choose_precision(wanted: str, model: nn.Module, device: torch.device, *, rows: int) -> Precision:
    """Decide what ``train.precision`` means here.

    Args:
        wanted: ``auto``, ``fp32`` or ``bf16``.
        model: its largest linear layer gives the shape to measure.
        rows: rows of that product, about the tokens of a batch.
    """
    if wanted == "fp32":
        return Precision("fp32", "as asked")
    if wanted == "bf16":
        return Precision("bf16", "as asked")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", "this GPU has bf16 units")
        return Precision("fp32", "this GPU has no bf16 units")
    shape = _largest_product(model)
    if shape is None:
        return Precision("fp32", "the model has no linear layer to gain from bf16")
    fp32, bf16 = (_seconds(shape, min(max(rows, 64), 2048), dtype) for dtype in (torch.float32, torch.bfloat16))
    ratio = fp32 / bf16
    measured = f"bf16 products of {shape[0]}×{shape[1]} run at {ratio:.1f}× the speed of fp32 here"
    return Precision("bf16" if ratio >= WORTH_IT else "fp32", measured)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which the forward pass runs."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _largest_product(model: nn.Module) -> tuple[int, int] | None:
    # The output layer of a language model is left out: its size is the vocabulary's, not the typical product's.
    shapes = [
        (module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.endswith(("lm_head", "classifier", "score"))
    ]
    return max(shapes, key=lambda shape: shape[0] * shape[1], default=None)


def _seconds(shape: tuple[int, int], rows: int, dtype: torch.dtype) -> float:
    """Median time of one product, after a warm-up."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(rows, shape[0], generator=generator).to(dtype)
    right = torch.randn(shape[0], shape[1], generator=generator).to(dtype)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            start = time.perf_counter()
            torch.mm(left, right)
            times.append(time.perf_counter() - start)
    return sorted(times[2:])[3]
