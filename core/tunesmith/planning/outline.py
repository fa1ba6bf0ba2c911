# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A job prepared without the values of its weights: for machines other than this one, and models too large for it.

Weights, activations and gradients are PyTorch's fake tensors, which have a shape, a type and no memory. Rows are real.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tunesmith.errors import RecipeError, TunesmithError
from tunesmith.models.shapes import only_shapes
from tunesmith.recipe import Recipe
from tunesmith.registry import Registry
from tunesmith.training.prepare import Work, prepare
from tunesmith.training.resolve import with_values
from tunesmith.training.strategy import Single

__all__ = ["in_outline", "outlined"]


class _Outline(Single):
    """Leaves the model where it is."""

    def prepare(self, model: nn.Module) -> nn.Module:
        return model


def outlined(recipe: Recipe, registry: Registry) -> Work:
    """Prepare a job whose model has no values. Nothing of it can be computed, only counted: see :func:`in_outline`.

    Where ``train.precision`` and ``train.compile`` are open they become ``bf16`` and ``false``: what is best on the
    other machine is not known here.

    Raises:
        RecipeError: the task looks at values before the first step.
        TunesmithError: as :func:`tunesmith.training.prepare.prepare`.
    """
    section = recipe.train
    chosen = {
        "device": "cpu",
        "precision": "bf16" if section.precision == "auto" else section.precision,
        "compile": False if section.compile == "auto" else section.compile,
    }
    recipe = with_values(recipe, "train", **chosen)
    try:
        with only_shapes():
            return prepare(recipe, _Outline(recipe), registry)
    except TunesmithError:
        raise
    except Exception as error:
        raise RecipeError(
            "this job cannot be planned for another machine: it needs the values of its model before the first step",
            given=f"{recipe.task}: {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}",
            expected="a task that needs no more than the shapes",
            fix="plan it as on this machine: leave --gpu out",
        ) from error


@contextmanager
def in_outline() -> Iterator[None]:
    """Within it, forward and backward passes of outlined models can be counted; those of others run as ever."""
    with _KnownPlaces():  # type: ignore[no-untyped-call]
        yield


class _KnownPlaces(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Chooses by places in the stead of marks: how many marks are set is not known of a tensor without values.

    Which places carry a loss is known, as labels are real.
    """

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.ops.aten.index.Tensor:
            chosen: list[torch.Tensor | None] = []
            for one in args[1]:
                marks = one is not None and one.dtype == torch.bool
                chosen.extend(one.nonzero(as_tuple=True) if marks else [one])
            args = (args[0], chosen)
        return func(*args, **(kwargs or {}))
