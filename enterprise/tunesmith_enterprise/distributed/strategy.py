# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``train.strategy: ddp``: every process holds the model and computes a part of each step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tunesmith.data.mixing import Mixture
from tunesmith.errors import DeniedError, RecipeError
from tunesmith.recipe import Recipe
from tunesmith.tasks.base import Batch, Task
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.training.feed import Feed
from tunesmith.training.strategy import Single
from tunesmith_enterprise.distributed.agreement import refuse_differences
from tunesmith_enterprise.distributed.gradients import sum_gradients
from tunesmith_enterprise.distributed.group import Group, current
from tunesmith_enterprise.distributed.sharing import part_of

__all__ = ["DataParallel"]


class DataParallel(Single):
    """One of several processes that take the same steps.

    The loss of a part is divided by the targets of all parts, so the *sum* of the gradients is the gradient of the
    undivided step, whoever computed how much of it. Gradients are summed once a step, after the last part, and not
    while the backward pass runs: with ``train.accumulate`` nothing is sent twice.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._group = _granted(recipe)
        self.is_main = self._group.is_main
        if self.device.type == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if self.is_main:
            assert self._group.grant is not None
            self._group.say("granted", grant=self._group.grant.to_json())
        self._job_seed = recipe.train.seed
        self._parameters: list[nn.Parameter] = []
        self._statistics: list[torch.Tensor] = []
        self._lengths: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._compared = self._in_step = False

    def prepare(self, model: nn.Module) -> nn.Module:
        self._model = super().prepare(model)
        return self._model

    def share(self, batch: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return part_of(batch, self._lengths, rank=self._group.rank, world=self._group.world)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The loop asks twice in a step: for its targets, with which it begins, and for its loss."""
        self._in_step = not self._in_step
        if self._in_step:
            self._begin()
        summed = value.clone()
        self._group.sum(summed)
        return summed

    def feed(
        self, recipe: Recipe, lengths: NDArray[np.int64], mixture: Mixture | None, rows: NDArray[np.int64]
    ) -> Feed:
        self._lengths = np.asarray(lengths, dtype=np.int64)
        if self.is_main:
            self._group.say("feed")
        else:
            self._group.hear("feed")
        digest = hashlib.sha256(self._lengths.tobytes()).hexdigest()[:16]
        found = {"the training rows, in tokens": f"{len(lengths)} rows, {self._lengths.sum()} tokens, sha256 {digest}"}
        refuse_differences(self._group.collect(found))
        return super().feed(recipe, lengths, mixture, rows)

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        if self._group.world > 1 and isinstance(task, CoupledTask) and task.couples:
            raise _coupled()
        if not self.is_main:  # what dropout leaves out is another thing in every process, and the same when resumed
            torch.manual_seed(_seed(self._job_seed, self._group.rank, step))
        loss = super().backward(task, model, parts, targets, precision, step)
        sum_gradients(self._parameters, self._group)
        return loss

    def notes(self, feed: Feed) -> Sequence[str]:
        world, nodes = self._group.world, self._group.nodes
        where = "one machine" if nodes == 1 else f"{nodes} machines"
        told = [f"trained by {world} {'process' if world == 1 else 'processes'} on {where}"]
        if any(isinstance(one, _BatchNorm) for one in self._model.modules()):
            told.append("batch normalization takes its statistics of each process's rows, and keeps those of the first")
        return told

    def _begin(self) -> None:
        if self.is_main:
            self._group.say_step()
        if not self._compared:
            self._compared = True
            self._parameters = [one for one in self._model.parameters() if one.requires_grad]
            modules = [one for one in self._model.modules() if isinstance(one, _BatchNorm)]
            self._statistics = [buffer for one in modules for buffer in one.buffers()]
            refuse_differences(self._group.collect(_weights(self._model)))
        self._group.take_from_main(*self._statistics)


def _granted(recipe: Recipe) -> Group:
    """The group of this process, if the license was asked for it.

    Raises:
        DeniedError: it is no process of a group, or nobody has asked.
    """
    group = current()
    if group is None:
        raise DeniedError(
            "the processes of this job were not started",
            given=f"train.strategy: {recipe.train.strategy}",
            expected="several processes, as `tunesmith launch` starts them",
            fix=[
                "tunesmith launch --nproc 2 RECIPE; a run that was stopped: tunesmith launch --nproc 2 --resume RUN",
                "or a new run in one process: --set train.strategy=single",
            ],
        )
    if group.grant is None or not group.grant.covers("distributed", group.quantities):
        raise DeniedError(
            "nobody has asked the license for the processes of this job",
            given=", ".join(f"{name} {count}" for name, count in group.quantities.items()),
            expected="the gate of the enterprise package, before the job begins",
            fix="see `tunesmith plugins list`: the plugin enterprise must be in use",
        )
    return group


def _seed(job: int, rank: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{job} {rank} {step}".encode()).digest()[:4], "big")


def _weights(model: nn.Module) -> dict[str, str]:
    """Every parameter by its shape and the sum of its bits, which does not depend on the order of the sum."""
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    found = {}
    for name, one in model.named_parameters():
        bits = one.detach().contiguous().view(whole.get(one.element_size(), torch.uint8))
        found[f"the weights {name}"] = f"{tuple(one.shape)}, sum of bits {int(bits.sum(dtype=torch.int64))}"
    return found


def _coupled() -> RecipeError:
    return RecipeError(
        "the loss of this task looks at all rows of a step together, and ddp divides them among processes",
        given="train.strategy: ddp",
        expected="a task whose loss is a sum over rows",
        fix="train it in one process: --set train.strategy=single",
    )
