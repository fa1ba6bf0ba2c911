# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""AdamW, set up once, with a state that can be saved by parameter name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tunesmith.recipe.schema import TrainSection
from tunesmith.training.masters import MasterAdamW, halve_weights

__all__ = ["make_optimizer", "optimizer_tensors", "restore_optimizer"]

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def make_optimizer(model: nn.Module, section: TrainSection) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov and Hutter 2017, arXiv:1711.05101) over the parameters that move.

    Weight decay acts on matrices only: decaying biases, norms and other one-dimensional parameters pulls
    activations, not weights, towards 0. With ``precision: bf16-weights`` the model's weights become bf16 here, and
    the optimizer keeps them in fp32 (``masters.py``).
    """
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # A fused step takes tensors of one kind: those that are in parts on several processes are a group of their own.
    kinds = list(dict.fromkeys(type(parameter.data) for parameter in moving)) or [torch.Tensor]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in moving if type(p.data) is kind and (p.ndim >= 2) is decays], "weight_decay": decay}
        for kind in kinds
        for decays, decay in ((True, section.weight_decay), (False, 0.0))
    ]
    options: dict[str, Any] = {
        "lr": 0.0,  # set at every step from the schedule
        "betas": section.betas,
        "eps": section.epsilon,
        "fused": True,
    }
    if section.precision == "bf16-weights":
        return MasterAdamW(halve_weights(model), groups, **options)
    return torch.optim.AdamW(groups, **options)


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's state as named tensors: ``exp_avg/<parameter>`` and so on."""
    tensors = {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(_held_as(optimizer, parameter), {}).items():
            tensors[f"{key}/{name}"] = value
    return tensors


def _held_as(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> nn.Parameter:
    """The parameter as the optimizer knows it."""
    masters: Mapping[nn.Parameter, nn.Parameter] = getattr(optimizer, "masters", {})
    return masters.get(parameter, parameter)


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """The counterpart of :func:`optimizer_tensors`; every moving parameter that had a state gets it back."""
    for name, parameter in model.named_parameters():
        state = {key: tensors[f"{key}/{name}"] for key in _MOMENTS if f"{key}/{name}" in tensors}
        if state:
            optimizer.state[_held_as(optimizer, parameter)] = {
                key: value.clone() if key == "step" else value.to(parameter.device, copy=True)
                for key, value in state.items()
            }
