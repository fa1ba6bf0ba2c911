# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The gradient of a loss that couples rows, part by part (GradCache, Gao et al. 2021, arXiv:2101.06983).

The chain rule is cut at the representations: they are computed without a graph, the loss of the whole step gives the
gradient of each, and every part is computed again to take its share of it to the weights. Memory is that of one part,
time that of one more forward pass; the gradient is that of the undivided step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tunesmith.machine.precision import autocast
from tunesmith.tasks.base import Batch
from tunesmith.tasks.coupled import CoupledTask

__all__ = ["coupled_backward"]


def coupled_backward(
    task: CoupledTask[Any, Any],
    model: nn.Module,
    parts: Sequence[Batch],
    *,
    targets: torch.Tensor,
    device: torch.device,
    precision: str,
) -> torch.Tensor:
    """Add the gradient of a step's loss to the weights' ``grad``.

    Args:
        parts: of one step, at least one.
        targets: what the summed loss is divided by, a scalar.
        device: where the model is.
        precision: of the forward passes.

    Returns:
        The loss divided by ``targets``: a float32 scalar without a graph.
    """
    states, cached = [], []
    for part in parts:
        states.append(_random_state(device))
        with torch.no_grad(), autocast(precision, device):
            cached.append(task.represent(model, part.to(device)).requires_grad_())
    loss = task.coupled_loss(cached, parts) / targets
    loss.backward()  # type: ignore[no-untyped-call]
    for part, state, whole in zip(parts, states, cached, strict=True):
        _set_random_state(state, device)  # the same dropout: a gradient belongs to the values it was computed for
        with autocast(precision, device):
            again = task.represent(model, part.to(device))
        again.backward(whole.grad)  # type: ignore[no-untyped-call]
    return loss.detach()


def _random_state(device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[torch.Tensor, torch.Tensor | None], device: torch.device) -> None:
    processor, accelerator = state
    torch.set_rng_state(processor)
    if accelerator is not None:
        torch.cuda.set_rng_state(accelerator, device)
