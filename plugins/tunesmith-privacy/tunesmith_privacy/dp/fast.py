# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The gradients of many rows from one backward pass, by the hooks of Opacus.

A hook sees what goes into a layer and the gradient of what comes out of it, with the rows first; for layers whose
formula is known, the gradient of each row's share follows. It does not for everything a model may do with a weight, so
what a model is made of is looked at first (:func:`obstacle`), and after every backward pass the rows' gradients must
add up to the whole one.

Two layers need care. Opacus gives padding tokens a gradient, which PyTorch does not. And positions are often looked up
once, as (1, L), and added to every row: the gradient of the rows would arrive already summed. So they are looked up for
each row.

Shapes: R rows, L length, P one parameter's own shape.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tunesmith.errors import TrainingError
from tunesmith.recipe import Recipe
from tunesmith.registry import get_registry
from tunesmith.tasks.supervised import plain_model

__all__ = ["MOST_NUMBERS", "FastGradients", "obstacle", "rows_at_once", "targets_by_row"]

MOST_NUMBERS = 2**26
"""Of gradients by row in memory at once: 256 MB."""

_MOST_ROWS = 64

_TASKS = frozenset({"text-classification", "token-classification", "question-answering", "causal-lm", "chat"})
"""Of the core, whose batches have the rows first in everything that the model is given."""

# Summed by row, and then added up: what rounding may make of it.
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
_LOOSE = 5e-2


def rows_at_once(model: nn.Module) -> int:
    """Rows whose gradients fit into memory together; at least 1."""
    moving = sum(one.numel() for one in model.parameters() if one.requires_grad)
    return max(1, min(_MOST_ROWS, MOST_NUMBERS // max(1, moving)))


def obstacle(model: nn.Module, recipe: Recipe) -> str | None:
    """Why the fast way cannot be taken, in words; None: it can."""
    task = get_registry().find("task", recipe.task).full_name
    if task not in {f"tunesmith/{name}" for name in _TASKS}:
        return f"what {task} makes of its rows is not known to keep them apart"
    if recipe.train.activation_checkpointing is True:
        return "with train.activation_checkpointing layers run twice"
    base: Any = plain_model(model)
    output = base.get_output_embeddings() if hasattr(base, "get_output_embeddings") else None
    if output is not None and any(one.requires_grad for one in output.parameters()):
        return "the output layer trains, and sees labelled places without their rows"
    uses: Counter[nn.Parameter] = Counter()
    for name, module in model.named_modules():
        own = [one for one in module.parameters(recurse=False) if one.requires_grad]
        uses.update(own)
        if own and not _known(module):
            return f"{name} is a {type(module).__name__}"
    if any(count > 1 for count in uses.values()):
        return "two layers share a weight"
    if rows_at_once(model) < 2:
        return "the gradients of two rows would take too much memory"
    return None


def _known(module: nn.Module) -> bool:
    if type(module) is nn.LayerNorm:
        return module.elementwise_affine and module.bias is not None
    if type(module) is nn.Embedding:
        return module.max_norm is None and not module.scale_grad_by_freq and not module.sparse
    # Of the root mean square every family has a class of its own; functorch differentiates each.
    plain = not list(module.children()) and not list(module.buffers())
    on_processor = all(one.device.type == "cpu" for one in module.parameters())  # on a GPU a kernel may take its place
    return type(module) is nn.Linear or (plain and on_processor and type(module).__name__.endswith("RMSNorm"))


class FastGradients:
    """Hooks on a model; made once, when nothing will be put into its place any more."""

    def __init__(self, model: nn.Module) -> None:
        from opacus.grad_sample.grad_sample_module import GradSampleHooks

        self._model = model
        self._parameters = [one for one in model.parameters() if one.requires_grad]
        self._rows = 0
        # Not strict: that would refuse buffers, as those of rotary positions, in which no row leaves a trace.
        self._hooks = GradSampleHooks(model, batch_first=True, loss_reduction="sum", strict=False)
        self._hooks.disable_hooks()
        for module in model.modules():
            if type(module) is nn.Embedding and module.weight.requires_grad:
                # In front of Opacus' own hook it need not be: that one is called behind the layer.
                module.register_forward_pre_hook(self._for_each_row)

    @contextmanager
    def of(self, rows: int) -> Iterator[None]:
        """Within the block, forward and backward passes over so many rows keep what is needed."""
        self._rows = rows
        self._hooks.enable_hooks()
        try:
            with warnings.catch_warnings():
                # The first layers of an adapter get inputs without a gradient, which is as it should be.
                warnings.filterwarnings("ignore", message=".*[Ff]ull backward hook.*")
                yield
        finally:
            self._hooks.disable_hooks()
            self._rows = 0

    def taken(self, rows: int) -> list[torch.Tensor | None]:
        """The gradients of each row, (R, P) for every parameter that trains, or None; they are forgotten here.

        Raises:
            TrainingError: they do not add up to the gradient, so some of it is not accounted for.
        """
        padding = {
            module.weight: module.padding_idx
            for module in self._model.modules()
            if type(module) is nn.Embedding and module.padding_idx is not None
        }
        found: list[torch.Tensor | None] = []
        for parameter in self._parameters:
            gradients: Any = getattr(parameter, "grad_sample", None)
            if gradients is not None and parameter in padding:
                gradients[:, padding[parameter]] = 0
            found.append(gradients)
            _check(self._model, parameter, gradients, rows)
            parameter.grad_sample = None  # type: ignore[attr-defined]
            parameter.grad = None
        return found

    def _for_each_row(self, module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        places = given[0]
        if self._rows > 1 and places.dim() == 2 and places.shape[0] == 1:
            return (places.expand(self._rows, -1), *given[1:])
        return None


def _check(model: nn.Module, parameter: nn.Parameter, gradients: Any, rows: int) -> None:
    whole = parameter.grad
    if whole is None and gradients is None:
        return
    if isinstance(gradients, torch.Tensor) and gradients.shape[0] == rows and whole is not None:
        difference = (gradients.float().sum(0) - whole.float()).norm()
        allowed = _TOLERANCE.get(gradients.dtype, _LOOSE) * whole.float().norm() + 1e-6
        if not torch.isfinite(whole).all() or difference <= allowed:  # what is not finite, the loop tells
            return
    name = next(name for name, one in model.named_parameters() if one is parameter)
    raise TrainingError(
        "the gradients of the rows do not add up to the gradient of the step",
        given=f"plugins.privacy.gradients: fast, and {name}",
        expected="a model that uses each weight in a layer that Opacus knows, with the rows first",
        fix="--set plugins.privacy.gradients=plain",
    )


def targets_by_row(labels: torch.Tensor | None, rows: int, targets: int) -> torch.Tensor | None:
    """How many targets each row of a batch has, (R,) float32; None: the labels do not say."""
    if labels is not None and labels.shape[0] == rows and not labels.is_floating_point():
        counts = (labels != -100).reshape(rows, -1).sum(1)
        if int(counts.sum()) == targets:
            return counts.float().cpu()
    return torch.ones(rows) if targets == rows else None
