# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``train.strategy: tp``: every process computes a part of each layer, for all rows.

Linear layers come in pairs: the first is divided by its outputs, the second by its inputs, and what the parts of the
second give is added up (Shoeybi et al. 2019, arXiv:1909.08053). Which layers these are, transformers' models say
themselves (``base_model_tp_plan``); what is in no plan, every process holds whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import torch
from torch import nn
from torch.distributed.tensor.parallel import ColwiseParallel, ParallelStyle, RowwiseParallel, parallelize_module

from tunesmith.recipe import Recipe
from tunesmith.tasks.base import Batch, Task
from tunesmith.tasks.supervised import plain_model
from tunesmith_enterprise.distributed.group import Group
from tunesmith_enterprise.distributed.sharded import Parted
from tunesmith_enterprise.distributed.together import Together
from tunesmith_enterprise.distributed.weights import Weights

__all__ = ["TensorParallel", "divide_layers"]

_STYLES: Final[Mapping[str, type[ParallelStyle]]] = {"colwise": ColwiseParallel, "rowwise": RowwiseParallel}
_ON_PARTS: Final = "replicated_with_grad_allreduce"
"""A small weight that every process holds, and uses on its part: its gradient is the sum of theirs."""
_COUNTS: Final = ("num_attention_heads", "num_key_value_heads", "intermediate_size")
"""Of a configuration: what is divided."""


class TensorParallel(Parted):
    """All processes look at the same rows; together they hold one copy of what the plan divides."""

    portable = True

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.lane, self.lanes = 0, 1

    def _refuse(self, recipe: Recipe) -> None:
        super()._refuse(recipe)
        if recipe.method.name != "full":
            raise self._cannot(
                "a layer with an adapter, or one that is frozen, is not divided",
                f"method: {recipe.method.name}",
                "method: full",
                "divide the model by layers: --set train.strategy=fsdp",
            )

    def prepare(self, model: nn.Module) -> nn.Module:
        base: Any = plain_model(model)
        self._plan(base)
        self._refuse_uneven(base)
        return super().prepare(model)

    def part(self, model: nn.Module, recipe: Recipe, weights: Weights) -> None:
        def place(module: nn.Module) -> None:
            weights.fill(module)
            module.to(self.device)

        divide_layers(model, self._group, place=place)

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        compute = partial(Together.backward, self, task, model, parts, targets, precision, step)
        return self._group.talking(compute, "a step")

    def _plan(self, base: Any) -> Mapping[str, str]:
        """Of the model.

        Raises:
            RecipeError: it has none, or one with parts that are not known here.
        """
        plan = _plan_of(base)
        strange = sorted(set(plan.values()) - {*_STYLES, _ON_PARTS})
        if not plan or strange:
            raise self._cannot(
                "the layers of this model cannot be divided",
                f"{type(base).__name__}, " + (f"whose plan has {', '.join(strange)}" if strange else "without a plan"),
                "a model whose plan has " + ", ".join([*_STYLES, _ON_PARTS]) + ": Llama, Mistral, Qwen2, Qwen3 …",
                "divide it by layers: --set train.strategy=fsdp",
            )
        return plan

    def _refuse_uneven(self, base: Any) -> None:
        world = self._group.world
        counts = {name: getattr(base.config, name, None) or world for name in _COUNTS}
        odd = {name: count for name, count in counts.items() if count % world}
        if odd:
            raise self._cannot(
                "the layers of this model cannot be divided by the number of processes",
                ", ".join(f"{name} {count}" for name, count in odd.items()) + f", and {world} processes",
                "numbers that the processes divide",
                "start another number of processes: tunesmith launch --nproc 2",
            )


def divide_layers(model: nn.Module, group: Group, *, place: Callable[[nn.Module], object] = lambda _: None) -> None:
    """Leave this process its part of every layer in the model's plan, in place.

    Args:
        place: puts a layer where it computes, with its weights; one that is divided is whole only while it is.
    """
    base: Any = plain_model(model)
    body, plan = getattr(base, base.base_model_prefix, base), _plan_of(base)

    def summed(gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.contiguous().clone()
        group.sum(total)
        return total

    mesh = group.mesh(group.world, names=["part"])
    for name, module in list(body.named_modules()):
        style = next((style for pattern, style in plan.items() if _names(pattern, name)), None)
        if style is None:
            continue
        place(module)
        if style == _ON_PARTS:
            for weight in module.parameters(recurse=False):
                if weight.requires_grad:
                    weight.register_hook(summed)
        else:
            parallelize_module(module, mesh, _STYLES[style]())
    place(model)


def _plan_of(base: Any) -> Mapping[str, str]:
    return getattr(getattr(base, "config", None), "base_model_tp_plan", None) or {}


def _names(pattern: str, name: str) -> bool:
    """Whether a pattern of a plan names a module; ``*`` is any one part of a name."""
    wanted, parts = pattern.split("."), name.split(".")
    return len(parts) == len(wanted) and all(want in ("*", part) for want, part in zip(wanted, parts, strict=True))
