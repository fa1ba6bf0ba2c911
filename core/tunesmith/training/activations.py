# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Activation checkpointing: of each layer only the input is kept, and the rest computed anew in the backward pass.

Memory for activations falls to that of one layer and the inputs of all (Chen et al. 2016, arXiv:1604.06174), for one
more forward pass of the layers. Random numbers are drawn from the same state again, so dropout is the same, and so is
every gradient, bit for bit.

Which layers these are, and how one is computed anew, is transformers' own business; no architecture is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from tunesmith.errors import RecipeError
from tunesmith.models.quiet import quiet_libraries
from tunesmith.recipe import Recipe
from tunesmith.tasks.supervised import plain_model

__all__ = [
    "EFFECT",
    "checkpoint_activations",
    "checkpointing",
    "computing_layers_with",
    "in_vain",
    "supports",
    "switch",
]

EFFECT = "the result is the same; a quarter slower"
"""Forward and backward took 1.25 times as long (docs/benchmarks.md)."""

IN_VAIN = "with method: head the layers below the output keep nothing for a backward pass"


def supports(model: nn.Module) -> bool:
    """Whether the layers of a model can be computed anew."""
    base: Any = plain_model(model)
    return bool(getattr(base, "supports_gradient_checkpointing", False)) and any(
        hasattr(module, "gradient_checkpointing") for module in base.modules()
    )


def in_vain(recipe: Recipe) -> bool:
    """Whether there is nothing to save."""
    return recipe.method.name == "head"


def checkpoint_activations(recipe: Recipe, model: nn.Module) -> str | None:
    """Do what ``train.activation_checkpointing: true`` asks for; ``auto`` waits for the estimate of memory.

    Returns:
        A sentence for people, or ``None`` where nothing was asked for.

    Raises:
        RecipeError: the model cannot do it.
    """
    if recipe.train.activation_checkpointing is not True:
        return None
    if in_vain(recipe):
        return f"without effect: {IN_VAIN}"
    if not supports(model):
        raise RecipeError(
            "the layers of this model cannot be computed anew",
            given=f"train.activation_checkpointing: true, and {type(plain_model(model)).__name__}",
            expected="a model of transformers with supports_gradient_checkpointing",
            fix=[
                "leave train.activation_checkpointing out",
                "train.accumulate=2 needs less memory as well, and the result is the same",
            ],
        )
    switch(model, on=True)
    return "as asked; each layer is computed anew in the backward pass"


def switch(model: nn.Module, *, on: bool) -> None:
    """Turn it on or off, in place."""
    base: Any = plain_model(model)
    with quiet_libraries():
        if not on:
            disable = getattr(base, "activation_checkpointing_disable", None) or base.gradient_checkpointing_disable
            disable()
            return
        enable = getattr(base, "activation_checkpointing_enable", None) or base.gradient_checkpointing_enable
        enable({"use_reentrant": False})
        # For the reentrant kind only; under adapters it would carry gradients down to the embedding, for nobody.
        base.disable_input_require_grads()


@contextmanager
def checkpointing(model: nn.Module) -> Iterator[None]:
    """Within the block it is on."""
    switch(model, on=True)
    try:
        yield
    finally:
        switch(model, on=False)


@contextmanager
def computing_layers_with(model: nn.Module, function: Callable[..., Any]) -> Iterator[None]:
    """Within the block, layers whose activations are checkpointed are computed by ``function(layer, *inputs)``.

    ``layer`` may be a partial: what it holds are inputs too.
    """
    holders: list[Any] = [module for module in model.modules() if getattr(module, "gradient_checkpointing", False)]
    before = [module._gradient_checkpointing_func for module in holders]
    for module in holders:
        module._gradient_checkpointing_func = function
    try:
        yield
    finally:
        for module, own in zip(holders, before, strict=True):
            module._gradient_checkpointing_func = own
