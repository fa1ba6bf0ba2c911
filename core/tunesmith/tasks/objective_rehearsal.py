# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plugin's objective, tried out on a few rows before the first step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from tunesmith.machine.precision import autocast
from tunesmith.models.methods import evaluation_mode
from tunesmith.tasks.objectives import ChosenObjective

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.tasks.base import Encoded, Task

__all__ = ["rehearse_objective"]

ROWS = 8


def rehearse_objective(
    task: Task[Any, Any], model: nn.Module, items: Sequence[Encoded], *, device: torch.device, precision: str
) -> None:
    """Ask a plugin's objective for the losses of a few training rows, and for their gradients.

    Those of Tunesmith are not asked: their tests did. Draws no random numbers, and leaves no gradients.

    Args:
        task: ready to train.
        model: in place; it runs as in evaluation.
        items: of the training split.
        precision: of the model's forward pass.

    Raises:
        PluginError: it fails, gives something other than one finite loss a row, or nothing that could be learned from.
    """
    if task.default_objective is None or task.chosen.plugin == "tunesmith" or not items:
        return
    few = [items[place] for place in range(0, len(items), max(1, len(items) // ROWS))][:ROWS]
    batch = task.collate(few).to(device)
    devices = [device] if device.type == "cuda" else []
    with ExitStack() as stack:
        for needed in (torch.random.fork_rng(devices), evaluation_mode(model), torch.no_grad(), _rehearsed(task)):
            stack.enter_context(needed)
        stack.enter_context(autocast(precision, device))
        task.loss(model, batch)


@contextmanager
def _rehearsed(task: Task[Any, Any]) -> Iterator[None]:
    chosen = task.chosen
    values = {field.name: getattr(chosen, field.name) for field in dataclasses.fields(chosen)}
    task._chosen = _Rehearsal(**values)
    try:
        yield
    finally:
        task._chosen = chosen


class _Rehearsal(ChosenObjective):
    """Looks at the losses, and at the gradients that the terms would get."""

    __slots__ = ()

    def total(self, terms: Mapping[str, torch.Tensor], *, rows: int) -> torch.Tensor:
        with torch.enable_grad():
            learned = {
                name: tensor.detach().clone().requires_grad_()
                for name, tensor in terms.items()
                if tensor.is_floating_point()
            }
            losses = ChosenObjective.losses(self, {**terms, **learned}, rows=rows)
            total = ChosenObjective.total(self, {**terms, **learned}, rows=rows)
            self._look_at(losses.detach(), total, list(learned.values()))
        return total.detach()

    def _look_at(self, losses: torch.Tensor, total: torch.Tensor, learned: Sequence[torch.Tensor]) -> None:
        if not bool(losses.isfinite().all()):
            raise self.failed(f"it gave {_listed(losses)} for {len(losses)} rows")
        summed, whole = float(losses.sum()), float(total.detach())
        if not math.isclose(summed, whole, rel_tol=1e-3, abs_tol=1e-3):
            raise self.failed(f"its total is {whole:g}, and the sum of its losses {summed:g}")
        if not total.requires_grad:
            raise self.failed("its losses have no gradient, so that nothing can be learned from them")
        try:
            found = torch.autograd.grad(total, learned, allow_unused=True, materialize_grads=True)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise self.failed(f"the gradient of its losses cannot be computed: {error}") from error
        if not all(bool(one.isfinite().all()) for one in found):
            raise self.failed("the gradient of its losses is not finite")


def _listed(losses: torch.Tensor) -> str:
    return ", ".join(f"{loss:g}" for loss in losses.tolist())
