# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Losses in which the rows of a step meet each other, as with in-batch negatives.

Such a loss is no sum over rows: a row's share of it depends on which other rows are in the step. Computing a step in
parts and adding the parts' losses would change what is learned. So the contract has two halves: what the model makes
of the rows (large, computed part by part), and the loss of that (small, computed once over the whole step). The loop
joins them by caching gradients (Gao et al. 2021, arXiv:2101.06983); see :mod:`tunesmith.training.coupled`.

Shapes: S representations of a part, D numbers each.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from tunesmith.tasks.base import Batch, Task

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["CoupledTask"]

E = TypeVar("E")
O = TypeVar("O")


class CoupledTask(Task[E, O]):
    """A task whose loss is a function of all rows of a step together.

    The rows of a step are those one process sees: with several processes, each couples its own share.
    """

    @property
    def couples(self) -> bool:
        """Whether the objective in use couples rows; False lets the loop add up ``loss`` part by part."""
        return True

    @abstractmethod
    def represent(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """What the loss needs of a part's rows: float32 (S, D). Called twice per part, the second time for gradients,
        and then with the same random numbers (dropout) as the first time."""

    @abstractmethod
    def coupled_loss(self, representations: Sequence[torch.Tensor], batches: Sequence[Batch]) -> torch.Tensor:
        """The *sum* of the losses over the targets of a step: a float32 scalar.

        Args:
            representations: of each part of the step.
            batches: the parts; their tensors may be on another device than the representations.
        """

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return self.coupled_loss([self.represent(model, batch)], [batch])
