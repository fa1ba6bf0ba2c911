# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``train.strategy: fsdp`` and ``hsdp``: every process holds a part of the weights, gradients and moments.

The layers are those of PyTorch's ``fully_shard`` (FSDP2; Zhao et al. 2023, arXiv:2304.11277): a layer's weights are
brought together when it computes, and given back after. What lies outside the repeated layers (embedding, output
layer) stays together from the forward pass to the end of the backward pass.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)
from torch.distributed.tensor import DTensor

from tunesmith.errors import RecipeError
from tunesmith.machine.precision import autocast
from tunesmith.recipe import Recipe, plugin_settings
from tunesmith.tasks.base import Batch, Task
from tunesmith.tasks.supervised import plain_model
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.compile_choice import repeated_layers
from tunesmith_enterprise.distributed.agreement import refuse_differences
from tunesmith_enterprise.distributed.sharded_checkpoints import ShardedCheckpoints
from tunesmith_enterprise.distributed.sharded_gradients import clip_sharded, sharded_norm
from tunesmith_enterprise.distributed.together import Together
from tunesmith_enterprise.distributed.weights import Weights
from tunesmith_enterprise.recipe import EnterpriseSection

__all__ = ["FullySharded", "HybridSharded", "Parted", "shard"]

_log = logging.getLogger("tunesmith.enterprise.distributed")


class Parted(Together, ABC):
    """A model of which every process holds a part, so that none can run, save or load it alone."""

    in_step = True
    fills = True

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._settings = plugin_settings(recipe, "enterprise", EnterpriseSection)
        self._beside: dist.ProcessGroup | None = None
        self._refuse(recipe)

    def _refuse(self, recipe: Recipe) -> None:
        """What a job cannot do whose model is in parts.

        Raises:
            RecipeError: this one asks for it.
        """
        if recipe.evaluate.generate:
            raise self._cannot(
                "no process holds the whole model, which could answer prompts while it trains",
                f"evaluate.generate: {recipe.evaluate.generate}",
                "evaluate.generate: 0, and `tunesmith evaluate --generate` when the run is finished",
                "--set evaluate.generate=0",
            )
        if recipe.method.quantize is not None:
            raise self._cannot(
                "weights in few bits cannot be divided among processes",
                f"method.quantize: {recipe.method.quantize}",
                "weights as they are",
                "leave method.quantize out",
            )
        if recipe.train.precision == "bf16-weights":
            raise self._cannot(
                "weights in bf16 beside those in fp32 are what precision: bf16 means here already",
                "train.precision: bf16-weights",
                "train.precision: bf16: every process keeps its part in fp32 and computes in bf16",
                "--set train.precision=bf16",
            )

    def _cannot(self, what: str, given: str, expected: str, fix: str) -> RecipeError:
        return RecipeError(
            what,
            given=f"train.strategy: {self._name}, {given}",
            expected=expected,
            fix=[fix, "or hold the whole model in every process: --set train.strategy=ddp"],
        )

    def prepare(self, model: nn.Module) -> nn.Module:
        self.convert(model)
        self._model = model  # it goes to its place in parts
        return model

    def begin(self, model: nn.Module, recipe: Recipe, sample: Callable[[], Batch]) -> None:
        self._meet("divide")
        weights = Weights(model)
        refuse_differences(self._group.collect(weights.there() | {"the precision": recipe.train.precision}))
        self._group.apart = True
        self._sample = sample()
        self._beside = self._group.beside()
        self.part(model, recipe, weights)
        self._group.apart = False
        refuse_differences(self._group.collect(weights.found))
        _log.info("%s weights were put in place a layer at a time", len(weights.found))

    @abstractmethod
    def part(self, model: nn.Module, recipe: Recipe, weights: Weights) -> None:
        """Leave this process its part of the model, in place.

        Args:
            weights: puts those of a layer in place, before it is divided.
        """

    def gradient_norm(self, moving: Sequence[nn.Parameter]) -> torch.Tensor:
        return sharded_norm(moving, self._group)

    def clip(self, moving: Sequence[nn.Parameter], limit: float, norm: torch.Tensor) -> None:
        clip_sharded(moving, limit, norm)

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
        loss = torch.zeros((), device=self.device)
        for place in range(self._group.largest(len(parts))):
            counts = place < len(parts)
            batch = (parts[place] if counts else self._sample).to(self.device)  # else for the others' sake
            with autocast(precision, self.device):
                part = self._group.talking(partial(task.loss, model, batch), "a forward pass") / targets
            if not counts:
                part = part * 0.0
            self._group.talking(part.backward, "a backward pass")
            loss += part.detach()
        return loss

    def whole_state(self, model: nn.Module) -> Mapping[str, torch.Tensor]:
        """On the main process; the others bring their parts, and keep nothing."""
        if self.is_main:
            self._group.say("save")
        self._group.apart = True
        found: dict[str, torch.Tensor] = {}
        seen: dict[int, torch.Tensor] = {}
        for name, tensor in model.state_dict(keep_vars=True).items():
            if id(tensor) not in seen:
                whole = self._group.talking(partial(self._whole, tensor), "a tensor of all")
                seen[id(tensor)] = whole if self.is_main else whole[:0] if whole.ndim else whole
            found[name] = seen[id(tensor)]
        self._group.apart = False
        return found

    @torch.no_grad()
    def _whole(self, tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, DTensor):
            return tensor.detach()
        part = cast("DTensor", tensor.detach().to(self.device))
        return part.full_tensor().cpu()

    def checkpoints(
        self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: int
    ) -> Checkpoints:
        assert self._beside is not None
        return ShardedCheckpoints(folder, model, optimizer, keep, group=self._group, beside=self._beside)


class FullySharded(Parted):
    """All processes share one copy of the model."""

    portable = True

    def _refuse(self, recipe: Recipe) -> None:
        super()._refuse(recipe)
        if self._settings.fsdp.offload and self.device.type == "cpu":
            raise RecipeError(
                "what is computed on the processor is in its memory already",
                given="plugins.enterprise.fsdp.offload: true, and train.device: cpu",
                expected="offload with GPUs",
                fix="leave plugins.enterprise.fsdp.offload out",
            )

    def mesh(self) -> DeviceMesh:
        """The processes that share a copy, on the last axis."""
        return self._group.mesh(self._group.world, names=["shard"])

    def part(self, model: nn.Module, recipe: Recipe, weights: Weights) -> None:
        settings, half = self._settings.fsdp, recipe.train.precision == "bf16"
        mesh = self.mesh()
        shard(model, mesh, half=half, reshard=settings.reshard, offload=settings.offload, fill=weights.fill)

    def divide(
        self, split: str, batches: Sequence[NDArray[np.int64]], compute: Callable[[NDArray[np.int64]], Sequence[Any]]
    ) -> Sequence[Sequence[Any]]:
        try:
            talking = self._group.talking
            return super().divide(split, batches, lambda batch: talking(partial(compute, batch), "an evaluation"))
        finally:
            for module in _shards(self._model):
                module.reshard()  # without a backward pass, nothing else does


class HybridSharded(FullySharded):
    """Processes of a machine share a copy of the model; every machine has one."""

    portable = True

    def _refuse(self, recipe: Recipe) -> None:
        super()._refuse(recipe)
        world, size = self._group.world, self._share
        if size < 2 or world % size:
            raise RecipeError(
                "the processes cannot be divided into equal groups that share a copy of the model",
                given=f"{world} processes, {size} of them for a copy",
                expected="a number above 1 that divides the processes",
                fix=f"--set plugins.enterprise.hsdp.share={_divisor(world)}, or --set train.strategy=fsdp",
            )

    @property
    def _share(self) -> int:
        """How many processes share a copy."""
        return self._settings.hsdp.share or self._group.world // self._group.nodes

    def mesh(self) -> DeviceMesh:
        return self._group.mesh(self._group.world // self._share, self._share, names=["copy", "shard"])


def shard(
    model: nn.Module,
    mesh: DeviceMesh,
    *,
    half: bool = False,
    reshard: bool = True,
    offload: bool = False,
    fill: Callable[[nn.Module], None] = lambda _: None,
) -> None:
    """Divide every weight among the processes of the mesh's last axis, in place.

    Args:
        half: compute in bf16; weights, the sums of gradients and moments stay in fp32.
        reshard: give the weights of a layer back after its forward pass.
        offload: keep this process's part in the machine's memory.
        fill: puts the weights of a layer in place; one layer is whole at a time.
    """
    precision = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if half else None,
        reduce_dtype=torch.float32 if half else None,
        cast_forward_inputs=False,
    )
    place = CPUOffloadPolicy() if offload else OffloadPolicy()
    for layer in repeated_layers(model):
        fill(layer)
        fully_shard(layer, mesh=mesh, reshard_after_forward=reshard, mp_policy=precision, offload_policy=place)
    fill(model)
    fully_shard(plain_model(model), mesh=mesh, mp_policy=precision, offload_policy=place)
    for module in _shards(model):
        module.set_gradient_divide_factor(1.0)  # the sum, not the mean
        module.set_force_sum_reduction_for_comms(True)


def _shards(model: nn.Module) -> list[FSDPModule]:
    return [one for one in model.modules() if isinstance(one, FSDPModule)]


def _divisor(world: int) -> int:
    """The smallest that is more than 1."""
    return next(one for one in range(2, world + 1) if world % one == 0) if world > 1 else 1
