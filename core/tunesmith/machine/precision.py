# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""fp32 or bf16: measured on this machine, once a process.

Processors with bf16 instructions multiply bf16 matrices several times faster than fp32 ones; without them the
same code is several times *slower* (pytorch issues 86270 and 118499). A name or a flag does not tell; a probe of
a few milliseconds does. Weights, optimizer state, softmax and loss stay in fp32 either way (autocast).

The probe multiplies matrices of one size, not of the model's: at small sizes the ratio is near 1 and drowns in noise,
and a choice that flips from run to run would break the promise of equal weights. Small models are in fp32 by rule.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import nn

__all__ = ["Precision", "autocast", "bf16_speedup", "choose_precision"]

WORTH_IT = 1.5
"""bf16 products must be this much faster than fp32: casts eat the rest. Measured ratios are far to either side of it:
about 5 with avx512_bf16, about 0.3 without."""

SMALLEST = 128
"""Least width of the largest linear layer for which the casts are worth it."""

_PROBED, _TURNS, _CLEAR_AFTER = 384, 40, 4


@dataclass(frozen=True, slots=True)
class Precision:
    """The choice and the sentence that explains it."""

    name: Literal["fp32", "bf16", "bf16-weights"]
    reason: str


def choose_precision(wanted: str, model: nn.Module, device: torch.device) -> Precision:
    """Decide what ``train.precision`` means here.

    Args:
        wanted: ``auto``, ``fp32``, ``bf16`` or ``bf16-weights``.
        model: the width of its largest linear layer says whether there is something to gain.
    """
    if wanted == "fp32":
        return Precision("fp32", "as asked")
    if wanted in ("bf16", "bf16-weights"):
        return Precision(wanted, "as asked")  # type: ignore[arg-type]
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", "this GPU has bf16 units")
        return Precision("fp32", "this GPU has no bf16 units")
    if _width(model) < SMALLEST:
        return Precision("fp32", f"no linear layer is {SMALLEST} wide, and smaller products gain nothing from bf16")
    ratio = bf16_speedup()
    measured = f"bf16 products run at {ratio:.2g}× the speed of fp32 on this processor"
    return Precision("bf16" if ratio >= WORTH_IT else "fp32", measured)


@lru_cache(maxsize=1)
def bf16_speedup() -> float:
    """How many times faster this processor multiplies bf16 matrices than fp32 ones; takes a tenth of a second.

    The two take turns, and the least time of each counts: whatever else the machine does only ever adds. One thread,
    because two that wait for each other on a busy machine measure its other work.
    """
    generator = torch.Generator().manual_seed(0)
    single = torch.randn(_PROBED, _PROBED, generator=generator)
    half = single.bfloat16()
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for turn in range(_TURNS):
                for matrix in (single, half):
                    start = time.perf_counter()
                    torch.mm(matrix, matrix)
                    best[matrix.dtype] = min(best[matrix.dtype], time.perf_counter() - start)
                if turn >= _CLEAR_AFTER and best[torch.bfloat16] > 2 * best[torch.float32]:
                    break  # emulated: 40 turns would take seconds, and not bring it near to `WORTH_IT`
    finally:
        torch.set_num_threads(threads)
    return best[torch.float32] / best[torch.bfloat16]


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which the forward pass runs."""
    if precision in ("bf16", "bf16-weights"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _width(model: nn.Module) -> int:
    """Smaller side of the largest linear layer; output layers are left out, for theirs is the vocabulary's."""
    sides = [
        (module.in_features * module.out_features, min(module.in_features, module.out_features))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.endswith(("lm_head", "classifier", "score"))
    ]
    return max(sides, default=(0, 0))[1]
