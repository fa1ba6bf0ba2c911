# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where a job runs. The core has one answer, ``single``; others come from plugins."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from tunesmith.errors import RecipeError
from tunesmith.recipe.schema import TrainSection

__all__ = ["Single", "Strategy", "choose_device"]


class Strategy(Protocol):
    """What the loop asks of the place it runs in. Made once per job, as ``Strategy(train_section)``.

    Attributes:
        device: where this process computes.
        is_main: this process writes the run folder.
    """

    device: torch.device
    is_main: bool

    def prepare(self, model: nn.Module) -> nn.Module:
        """Put the model in place; what comes back is what the loop calls.

        With several processes, its backward pass leaves the *sum* of their gradients: the loop divides each part of
        the loss by the targets of all of them.
        """
        ...

    def share(self, batch: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """This process's part of a step's batch."""
        ...

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of ``value`` over all processes."""
        ...


class Single:
    """One process on one device."""

    is_main = True

    def __init__(self, section: TrainSection) -> None:
        self.device = choose_device(section.device)

    def prepare(self, model: nn.Module) -> nn.Module:
        return model.to(self.device)

    def share(self, batch: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return batch

    def total(self, value: torch.Tensor) -> torch.Tensor:
        return value


def choose_device(wanted: str) -> torch.device:
    """``auto`` is the first GPU where there is one, else the processor.

    Raises:
        RecipeError: ``cuda`` was asked for and is not there.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RecipeError(
            "no CUDA device is available to PyTorch",
            given="train.device: cuda",
            expected=f"a CUDA build of PyTorch and a visible GPU; this is PyTorch {torch.__version__}",
            fix="use train.device: cpu (or leave it out), or check `tunesmith doctor`",
        )
    return torch.device(wanted)
