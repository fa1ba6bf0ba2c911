# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``train.strategy: ddp``: every process holds the model and computes a part of each step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tunesmith.recipe import Recipe
from tunesmith.tasks.base import Batch, Task
from tunesmith.training.checkpoints import Checkpoints
from tunesmith_enterprise.checkpoints.overlapped import OverlappedCheckpoints
from tunesmith_enterprise.distributed.agreement import refuse_differences
from tunesmith_enterprise.distributed.gradients import sum_gradients
from tunesmith_enterprise.distributed.together import Together
from tunesmith_enterprise.distributed.weights import weights_of

__all__ = ["DataParallel"]


class DataParallel(Together):
    """Gradients are summed once a step, after the last part, and not while the backward pass runs: with
    ``train.accumulate`` nothing is sent twice.
    """

    portable = True

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._parameters: list[nn.Parameter] = []

    def first_step(self) -> None:
        super().first_step()
        self._parameters = [one for one in self._model.parameters() if one.requires_grad]
        refuse_differences(self._group.collect(weights_of(self._model)))

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        loss = super().backward(task, model, parts, targets, precision, step)
        sum_gradients(self._parameters, self._group)
        return loss

    def checkpoints(
        self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: int
    ) -> Checkpoints:
        """The main process writes, beside the next steps; the others only read."""
        kind = OverlappedCheckpoints if self.is_main else Checkpoints
        return kind(folder, model, optimizer, keep)
