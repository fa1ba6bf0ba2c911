# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Weights in bf16 for the model, and in fp32 for the optimizer.

Under autocast every weight is cast to bf16 in every forward pass and its gradient cast back, and what flows between
the layers is fp32. With weights in bf16 both are gone, and activations take half the memory. A step is mostly smaller
than the last bit of a bf16 weight, so the optimizer keeps every weight in fp32 as well, moves that, and rounds it for
the model (Micikevicius et al. 2018, arXiv:1710.03740, section 3.1). Gradients are summed in fp32.

What is saved, in checkpoints and as the model, are the fp32 weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tunesmith.errors import RecipeError
from tunesmith.models.adapters import is_adapted

__all__ = ["MasterAdamW", "full_precision", "halve_weights"]


_GRADIENTS_HAVE_A_TYPE = hasattr(torch.Tensor, "grad_dtype")


def halve_weights(model: nn.Module) -> dict[nn.Parameter, nn.Parameter]:
    """Put bf16 in the place of the fp32 weights that train.

    Frozen weights stay as they are, for they are saved with the model; those under an adapter are not, and become
    bf16 too.

    Returns:
        Every parameter that was changed and trains, and its fp32 values.

    Raises:
        RecipeError: this PyTorch cannot sum the gradients of bf16 weights in fp32.
    """
    if not _GRADIENTS_HAVE_A_TYPE:
        raise RecipeError(
            "weights in bf16 need a newer PyTorch",
            given=f"train.precision: bf16-weights, and PyTorch {torch.__version__}",
            expected="a version whose tensors have grad_dtype, to sum gradients in fp32",
            fix="--set train.precision=bf16",
        )
    masters = {}
    adapted = is_adapted(model)
    for parameter in model.parameters():
        if parameter.dtype != torch.float32 or not (parameter.requires_grad or adapted):
            continue
        if parameter.requires_grad:
            masters[parameter] = nn.Parameter(parameter.data)
        parameter.data = parameter.data.bfloat16()
        if parameter.requires_grad:
            parameter.grad_dtype = torch.float32
    return masters


class MasterAdamW(torch.optim.AdamW):
    """AdamW over the fp32 values of a model's weights; the model's own follow, rounded to bf16.

    Args:
        masters: from :func:`halve_weights`; parameters that are not in it are moved themselves.
        groups: of the model's parameters, as for ``torch.optim.AdamW``.
        options: of ``torch.optim.AdamW``.
    """

    def __init__(self, masters: dict[nn.Parameter, nn.Parameter], groups: list[dict[str, Any]], **options: Any) -> None:
        self.masters = masters
        super().__init__(
            [{**group, "params": [masters.get(one, one) for one in group["params"]]} for group in groups], **options
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; the masters borrow the gradients of the weights they stand for."""
        for parameter, master in self.masters.items():
            master.grad = parameter.grad
        result = super().step(closure)
        self.round()
        return result

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for parameter in self.masters:
            parameter.grad = None

    @torch.no_grad()
    def round(self) -> None:
        """Let the model's weights follow."""
        if self.masters:
            torch._foreach_copy_(list(self.masters), list(self.masters.values()))


@contextmanager
def full_precision(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Within the block the model holds the fp32 values of its weights; for saving. Nothing is copied."""
    masters: dict[nn.Parameter, nn.Parameter] = getattr(optimizer, "masters", {})
    rounded = {parameter: parameter.data for parameter in masters}
    for parameter, master in masters.items():
        parameter.data = master.data
    try:
        yield
    finally:
        for parameter, data in rounded.items():
            parameter.data = data
