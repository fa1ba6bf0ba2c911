# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What all strategies of several processes have in common: the group, its agreement, rows and answers that are shared.

The main process leads. Whatever the others have to take part in, it says one word before (``Group.say``), and
``following.py`` does the same there.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
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
from tunesmith_enterprise.distributed.agreement import refuse_differences, refuse_failure
from tunesmith_enterprise.distributed.answers import UnknownAnswerError, pack, unpack
from tunesmith_enterprise.distributed.group import Group, current
from tunesmith_enterprise.distributed.sharing import part_of
from tunesmith_enterprise.optimizations.float8.layers import Float8Layers, float8_of

__all__ = ["Together"]

Answers = dict[int, Sequence[Any]]
"""Of some batches, by their places."""


class Together(Single):
    """One of several processes that take the same steps.

    The loss of a part is divided by the targets of all parts, so the *sum* of the gradients is the gradient of the
    undivided step, whoever computed how much of it.

    Attributes:
        lane, lanes: which part of the rows this process computes, of how many parts.
    """

    in_step = False
    """Whether no process can run the model unless all of them do."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._group = _granted(recipe)
        self._name = recipe.train.strategy.rpartition("/")[2]
        self.is_main = self._group.is_main
        self.lane, self.lanes = self._group.rank, self._group.world
        if self.device.type == "cuda":
            torch.cuda.set_device(_gpu())
        if self.is_main:
            assert self._group.grant is not None
            self._group.say("granted", grant=self._group.grant.to_json())
        self._job_seed = recipe.train.seed
        self._statistics: list[torch.Tensor] = []
        self._lengths: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.divides = self._group.world > 1
        self._stepping = False
        self._begun = False
        self._float8 = float8_of(recipe, is_main=self.is_main)
        self._float8_layers: Float8Layers | None = None

    def prepare(self, model: nn.Module) -> nn.Module:
        self.convert(model)
        self._model = super().prepare(model)
        return self._model

    def convert(self, model: nn.Module) -> None:
        """Let its layers multiply in float8, where the recipe says so."""
        if self._float8 is not None:
            self._float8_layers = self._float8.convert(model, self.device)

    def share(self, batch: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return part_of(batch, self._lengths, rank=self.lane, world=self.lanes)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The loop asks twice in a step: for its targets, with which it begins, and for its loss."""
        self._stepping = not self._stepping
        if self._stepping:
            if self.is_main:
                self._group.say_step()
            if not self._begun:
                self._begun = True
                self.first_step()
            self._group.take_from_main(*self._statistics)
        summed = value.clone()
        if self.lanes > 1:
            self._group.sum(summed)
        if not self._stepping:
            self._group.between_steps()
        self._group.apart = self._stepping
        return summed

    def resume_command(self, run: str) -> str:
        return self._group.start_command(run)

    def first_step(self) -> None:
        """The first step of this process begins."""
        modules = [one for one in self._model.modules() if isinstance(one, _BatchNorm)]
        self._statistics = [buffer for one in modules for buffer in one.buffers()]

    def feed(
        self, recipe: Recipe, lengths: NDArray[np.int64], mixture: Mixture | None, rows: NDArray[np.int64]
    ) -> Feed:
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._meet("feed")
        digest = hashlib.sha256(self._lengths.tobytes()).hexdigest()[:16]
        found = {"the training rows, in tokens": f"{len(lengths)} rows, {self._lengths.sum()} tokens, sha256 {digest}"}
        refuse_differences(self._group.collect(found))
        return super().feed(recipe, lengths, mixture, rows)

    def divide(
        self, split: str, batches: Sequence[NDArray[np.int64]], compute: Callable[[NDArray[np.int64]], Sequence[Any]]
    ) -> Sequence[Sequence[Any]]:
        """Every batch is computed as it would be in one process, by one of the processes: the answers are equal to the
        last bit where the weights are.
        """
        if self.is_main:
            self._group.say("evaluate", split=split)

        def watched(batch: NDArray[np.int64]) -> Sequence[Any]:
            self._group.evaluating()
            return compute(batch)

        self._group.evaluating()
        self._group.take_from_main(*self._statistics)
        self._group.apart = self.in_step
        answers = self._gathered(partial(self._computed, batches, watched))
        if answers is None:  # they hold something that cannot be sent: then the main process needs them all
            mine = batches if self.in_step or self.is_main else ()
            answers = {place: watched(batch) for place, batch in enumerate(mine)}
        self._group.between_steps()
        self._group.apart = False
        if not self.is_main:
            return [[None] * len(batch) for batch in batches]
        return [answers[place] for place in range(len(batches))]

    def _computed(
        self, batches: Sequence[NDArray[np.int64]], compute: Callable[[NDArray[np.int64]], Sequence[Any]]
    ) -> Answers:
        """Of this process's batches. They come longest first, so dealing them out in turn is fair."""
        answers: Answers = {}
        for first in range(0, len(batches), self.lanes):
            place = first + self.lane
            if place < len(batches):
                answers[place] = compute(batches[place])
            elif self.in_step:
                compute(batches[-1])  # for the others' sake
        return answers

    def _gathered(self, compute: Callable[[], Answers]) -> Answers | None:
        """Those of all processes, on the main one; None: they cannot be sent.

        Raises:
            TrainingError: another process could not compute its own.
        """
        if self.lanes == 1:
            return compute()
        packed, failed = b"", None
        try:
            answers = compute()
            packed = pack(list(answers.items()))
        except UnknownAnswerError:
            pass
        except Exception as error:
            if self.in_step or self._group.lost:
                raise
            failed = error
        said = self._group.collect(["" if failed is None else f"{type(failed).__name__}: {failed}", bool(packed)])
        if failed is not None:
            raise failed
        refuse_failure([problem for problem, _ in said])
        if not all(sent for _, sent in said):
            return None
        parts = self._group.gather(packed)
        return answers if parts is None else answers | dict(one for part in parts[1:] for one in unpack(part))

    def refuse_coupled(self, task: Task[Any, Any]) -> None:
        """A loss that is no sum over rows cannot be divided.

        Raises:
            RecipeError: the task has one.
        """
        if self.lanes > 1 and isinstance(task, CoupledTask) and task.couples:
            self._group.apart = False  # every process finds this, and the main one tells
            raise RecipeError(
                "the loss of this task looks at all rows of a step together, and "
                f"{self._name} divides them among processes",
                given=f"train.strategy: {self._name}",
                expected="a task whose loss is a sum over rows",
                fix="train it in one process: --set train.strategy=single",
            )

    def seed_step(self, step: int) -> None:
        """What dropout leaves out is another thing in every process, and the same when the job is resumed."""
        if self.lane:
            torch.manual_seed(_seed(self._job_seed, self.lane, step))

    def notes(self, feed: Feed) -> Sequence[str]:
        world, nodes = self._group.world, self._group.nodes
        where = "one machine" if nodes == 1 else f"{nodes} machines"
        told = [f"trained by {world} {'process' if world == 1 else 'processes'} on {where}"]
        if any(isinstance(one, _BatchNorm) for one in self._model.modules()):
            told.append("batch normalization takes its statistics of each process's rows, and keeps those of the first")
        if self._float8_layers is not None:
            told.append(self._float8_layers.note())
        return told

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        self.refuse_coupled(task)
        self.seed_step(step)
        return super().backward(task, model, parts, targets, precision, step)

    def _meet(self, word: str) -> None:
        """All processes are at this place; the main one says so."""
        if self.is_main:
            self._group.say(word)
        else:
            self._group.hear(word)


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
                "in one process: a new run with --set train.strategy=single; "
                "one that was stopped: tunesmith train --resume RUN --strategy single",
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


def _gpu() -> int:
    """The GPU of this process: each of a machine has its own.

    Raises:
        RecipeError: there are too few.
    """
    mine, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if mine >= there:
        raise RecipeError(
            f"this machine ({socket.gethostname()}) has fewer GPUs than processes",
            given=f"{os.environ.get('LOCAL_WORLD_SIZE', 'more')} processes, {there} visible to PyTorch",
            expected="a GPU for each process",
            fix=[f"--nproc {there}", "or compute on the processor: --set train.device=cpu"],
        )
    return mine


def _seed(job: int, lane: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{job} {lane} {step}".encode()).digest()[:4], "big")
