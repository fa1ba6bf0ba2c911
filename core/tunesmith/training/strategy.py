# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where a job runs, and how a step's gradient comes to be. The core has one answer, ``single``; others are plugins'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tunesmith.data.mixing import Mixture
from tunesmith.errors import RecipeError
from tunesmith.machine.precision import autocast
from tunesmith.recipe import Recipe
from tunesmith.tasks.base import Batch, Task
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.coupled import coupled_backward
from tunesmith.training.feed import Feed, feed_of

__all__ = ["Single", "Strategy", "choose_device"]


class Strategy(Protocol):
    """What the loop asks of the place it runs in. Made once per job, as ``Strategy(recipe)``: a plugin's strategy finds
    its own settings with :func:`tunesmith.recipe.plugin_settings`. To change one answer only, subclass :class:`Single`.

    Attributes:
        device: where this process computes.
        is_main: this process writes the run folder.
        divides: held-out rows are to go through :meth:`divide`.
        portable: what it computes is what one process computes, but for rounding: a job that was begun here may go on
            with another strategy that says so too.
        fills: ``begin`` puts the weights in place (:mod:`tunesmith.models.later`), so that no process needs the memory
            of a whole model. Left out: they are there before.
        compiles: every process computes whole layers in its own forward and backward pass, so that they may be compiled
            (``train.compile``). Left out: they may not.
    """

    device: torch.device
    is_main: bool

    @property
    def divides(self) -> bool: ...

    @property
    def portable(self) -> bool: ...

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

    def feed(
        self, recipe: Recipe, lengths: NDArray[np.int64], mixture: Mixture | None, rows: NDArray[np.int64]
    ) -> Feed:
        """Which items each step sees.

        Args:
            recipe: with ``train`` resolved as far as batches go.
            lengths: cost of every training item in tokens.
            mixture: how often each epoch sees each item; None: once.
            rows: index of the example that each item came from; a long text may have given several.
        """
        ...

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        """Add the step's gradient to the weights' ``grad``.

        Args:
            parts: the step's batch, in the parts that it is computed in, on the processor.
            targets: places that carry a loss, over all parts and processes: a float scalar to divide by.
            precision: of ``train.precision``, resolved.
            step: 0-based, of the whole job.

        Returns:
            The step's loss here, divided by ``targets``: a float32 scalar without a graph.
        """
        ...

    def begin(self, model: nn.Module, recipe: Recipe, sample: Callable[[], Batch]) -> None:
        """The job is prepared, and its optimizer about to be made. Whoever divides the weights among processes does so
        here, in place: everything before has seen the whole model, or, where the strategy ``fills``, its shapes.

        Args:
            model: what ``prepare`` gave, with the weights that train marked so.
            recipe: resolved: no value is left to choose.
            sample: makes a batch of one training item, on the processor.
        """
        ...

    def gradient_norm(self, moving: Sequence[nn.Parameter]) -> torch.Tensor:
        """The norm of the whole step's gradient: a float scalar. Every parameter of ``moving`` has a ``grad``."""
        ...

    def clip(self, moving: Sequence[nn.Parameter], limit: float, norm: torch.Tensor) -> None:
        """Shorten a gradient of ``norm`` to the norm ``limit``."""
        ...

    def divide(
        self, split: str, batches: Sequence[NDArray[np.int64]], compute: Callable[[NDArray[np.int64]], Sequence[Any]]
    ) -> Sequence[Sequence[Any]]:
        """What the model says of the batches of a split, in their order: ``compute(batch)`` of every one, wherever that
        is done. Only the main process needs the answers of all.
        """
        ...

    def whole_state(self, model: nn.Module) -> Mapping[str, torch.Tensor]:
        """The model's ``state_dict`` with every tensor whole, to be saved. Tensors that were one, as tied weights, are
        one here too.
        """
        ...

    def checkpoints(
        self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: int
    ) -> Checkpoints:
        """What writes and reads the job's checkpoints."""
        ...

    def notes(self, feed: Feed) -> Sequence[str]:
        """What people must know of a job that runs this way: sentences without a full stop, for report and card."""
        ...

    def resume_command(self, run: str) -> str:
        """What people type to go on with a run that was stopped."""
        ...


class Single:
    """One process on one device."""

    is_main = True
    divides: bool = False
    fills: bool = False

    portable = True
    compiles = True

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass may compute something else: unless it says that it does not, its jobs stay with it, and its layers
        are not compiled.
        """
        super().__init_subclass__(**options)
        cls.portable = cls.__dict__.get("portable", False)
        cls.compiles = cls.__dict__.get("compiles", False)

    def __init__(self, recipe: Recipe) -> None:
        self.device = choose_device(recipe.train.device)

    def prepare(self, model: nn.Module) -> nn.Module:
        return model.to(self.device)

    def share(self, batch: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return batch

    def total(self, value: torch.Tensor) -> torch.Tensor:
        return value

    def feed(
        self, recipe: Recipe, lengths: NDArray[np.int64], mixture: Mixture | None, rows: NDArray[np.int64]
    ) -> Feed:
        return feed_of(recipe, lengths, mixture)

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        if len(parts) > 1 and isinstance(task, CoupledTask) and task.couples:
            return coupled_backward(task, model, parts, targets=targets, device=self.device, precision=precision)
        loss = torch.zeros((), device=self.device)
        for part in parts:
            part = part.to(self.device)
            with autocast(precision, self.device):
                share = task.loss(model, part) / targets
            share.backward()  # type: ignore[no-untyped-call]
            loss += share.detach()
        return loss

    def begin(self, model: nn.Module, recipe: Recipe, sample: Callable[[], Batch]) -> None:
        return

    def gradient_norm(self, moving: Sequence[nn.Parameter]) -> torch.Tensor:
        gradients = [parameter.grad for parameter in moving]
        return nn.utils.get_total_norm(gradients, foreach=True)  # type: ignore[arg-type]

    def clip(self, moving: Sequence[nn.Parameter], limit: float, norm: torch.Tensor) -> None:
        nn.utils.clip_grads_with_norm_(moving, limit, norm, foreach=True)

    def divide(
        self, split: str, batches: Sequence[NDArray[np.int64]], compute: Callable[[NDArray[np.int64]], Sequence[Any]]
    ) -> Sequence[Sequence[Any]]:
        return [compute(batch) for batch in batches]

    def whole_state(self, model: nn.Module) -> Mapping[str, torch.Tensor]:
        return model.state_dict()

    def checkpoints(
        self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: int
    ) -> Checkpoints:
        return Checkpoints(folder, model, optimizer, keep)

    def notes(self, feed: Feed) -> Sequence[str]:
        return ()

    def resume_command(self, run: str) -> str:
        return f"tunesmith train --resume {run}"


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
