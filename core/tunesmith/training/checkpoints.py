# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A job's checkpoints, as the place it runs in writes and reads them (``Strategy.checkpoints``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from tunesmith.training.checkpoint import Progress, load_newest, load_tensors, save_checkpoint

__all__ = ["Checkpoints"]


@dataclass(slots=True)
class Checkpoints:
    """One process that writes a checkpoint before the next step begins. Made once a job, when there is an optimizer.

    A subclass may write beside the next steps: :meth:`save` then comes back at once, and :meth:`whole` says later what
    has become of it. Whoever writes it, a checkpoint is the folder that ``training/checkpoint.py`` describes: a job can
    go on in another place, or in the core alone.

    Attributes:
        folder: of the run, for checkpoints.
        model, optimizer: of the job.
        keep: how many are kept.
    """

    folder: Path
    model: nn.Module
    optimizer: torch.optim.Optimizer
    keep: int
    _whole: list[Path] = field(default_factory=list, init=False)

    def save(self, progress: Progress) -> None:
        """Write the job as it is now. ``progress`` changes afterwards: whoever writes later, copies it.

        Raises:
            OutputError: the disk is full or read-only. Earlier checkpoints are untouched.
        """
        self._whole.append(
            save_checkpoint(self.folder, model=self.model, optimizer=self.optimizer, progress=progress, keep=self.keep)
        )

    def whole(self, *, wait: bool = False) -> list[Path]:
        """Those that have become whole since this was asked last, oldest first. Asked between steps: it is cheap.

        Args:
            wait: until nothing is being written any more.

        Raises:
            OutputError: one could not be written, now or earlier.
        """
        told, self._whole = self._whole, []
        return told

    def close(self) -> None:
        """The job has come to its end, good or bad: let go of everything. Never raises."""

    def load(self) -> tuple[Progress | None, tuple[str, ...]]:
        """Go back to the newest whole one.

        Returns:
            How far the job was, or None where there is none yet; and what people must know, as sentences.

        Raises:
            RunError: none is whole, or they are of another model.
        """
        return load_newest(self.folder, self.put_back)

    def put_back(self, path: Path) -> Progress:
        """What the checkpoint in a folder holds, into model, optimizer and random states; gives how far the job was.

        Raises:
            RunError: it is of another model.
        """
        return load_tensors(path, self.model, self.optimizer)
