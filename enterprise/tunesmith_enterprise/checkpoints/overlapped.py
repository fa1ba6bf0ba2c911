# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``train.strategy: overlapped``: one process, whose checkpoints are written while it takes the next steps.

The job waits for a copy of weights and moments in the machine's memory (on a GPU: in pinned memory, from which the
thread goes on), and not for the disk. The copy's memory is kept from checkpoint to checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from pathlib import Path

import torch
from torch import nn

from tunesmith.recipe import Recipe
from tunesmith.training.checkpoint import (
    Progress,
    checkpoint_path,
    checkpoint_tensors,
    write_checkpoint,
    write_tensors,
)
from tunesmith.training.checkpoints import Checkpoints
from tunesmith_enterprise.checkpoints.hooks import refuse_without_grant
from tunesmith_enterprise.checkpoints.writer import Writer
from tunesmith_enterprise.optimizations.float8.strategy import Float8Training

__all__ = ["Overlapped", "OverlappedCheckpoints"]


class Overlapped(Float8Training):
    """As ``single``, to the last bit, unless the recipe asks for float8; but for when a checkpoint is whole."""

    portable = True
    compiles = True

    def __init__(self, recipe: Recipe) -> None:
        refuse_without_grant()
        super().__init__(recipe)

    def checkpoints(
        self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: int
    ) -> Checkpoints:
        return OverlappedCheckpoints(folder, model, optimizer, keep)


class OverlappedCheckpoints(Checkpoints):
    """One is written at a time: the next waits for it."""

    def __init__(self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, keep: int) -> None:
        super().__init__(folder, model, optimizer, keep)
        self._writer = Writer()
        self._kept: dict[str, dict[str, torch.Tensor]] = {}

    def save(self, progress: Progress) -> None:
        path = checkpoint_path(self.folder, progress.step)
        if path.exists():
            self._whole.append(path)
            return
        self._writer.wait()
        current = checkpoint_tensors(self.model, self.optimizer)
        self._kept = {file: _copied(tensors, self._kept.get(file, {})) for file, tensors in current.items()}
        if any(tensor.device.type == "cuda" for tensors in current.values() for tensor in tensors.values()):
            torch.cuda.synchronize()
        then, kept = copy(progress), self._kept

        def fill(partial: Path) -> None:
            for file, tensors in kept.items():
                write_tensors(partial / file, tensors)

        self._writer.start(lambda: write_checkpoint(self.folder, then, fill, keep=self.keep))

    def whole(self, *, wait: bool = False) -> list[Path]:
        if wait:
            self._writer.wait()
        return [*super().whole(), *self._writer.written()]

    def close(self) -> None:
        self._writer.wait()
        self._kept = {}


def _copied(current: Mapping[str, torch.Tensor], kept: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies, in the memory of earlier ones where there are any."""
    copies = {}
    for name, tensor in current.items():
        place = kept.get(name)
        if place is None or place.shape != tensor.shape or place.dtype != tensor.dtype:
            place = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.device.type == "cuda")
        copies[name] = place.copy_(tensor.detach(), non_blocking=True)
    return copies
