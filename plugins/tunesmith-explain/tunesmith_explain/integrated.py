# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Integrated gradients of one answer (Sundararajan et al. 2017, arXiv:1703.01365), computed by captum.

The gradient of the answer is averaged along the straight line from a baseline, an input that says nothing, to the
row, and multiplied by the way from one to the other. What comes out adds up to the difference of the two answers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Question", "checked_steps", "integrate", "total", "undisturbed"]

UNITS_AT_ONCE = 4096
"""Tokens, rows of a table, or images' shares of one pass: steps are computed in parts of about so many."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is divided, and among what.

    Attributes:
        answer: the model's answers to inputs, float (R, K), or (R,) for a number.
        inputs: of one row: tensors (1, ...).
        baselines: of the same shapes.
        layers: the modules whose outputs are divided, one for each of the first inputs; empty: the inputs themselves
            are. Tokens and categories have no way from one to another, their vectors have.
        width: cost of a row, such as its tokens.
    """

    answer: Callable[..., torch.Tensor]
    inputs: tuple[torch.Tensor, ...]
    baselines: tuple[torch.Tensor, ...]
    layers: tuple[nn.Module, ...] = ()
    width: int = 1


def integrate(question: Question, target: int | None, steps: int) -> tuple[list[torch.Tensor], float, float]:
    """The amounts of one answer.

    Args:
        question: of one row.
        target: which of the K answers; ``None`` for a number.
        steps: points of the integral, from 1 (Gauss-Legendre).

    Returns:
        Float tensors, of the shapes of the layers' outputs or of the inputs, without their first axis; the answer to
        the row; the answer to the baseline.

    Raises:
        ModelError: the answer is no finite number.
    """
    from captum.attr import IntegratedGradients, LayerIntegratedGradients

    settings: dict[str, Any] = {
        "target": target,
        "n_steps": steps,
        "internal_batch_size": max(1, UNITS_AT_ONCE // question.width),
    }
    if question.layers:
        with warnings.catch_warnings():
            # That no layer may read from another: those of a question read the row's inputs, side by side.
            warnings.filterwarnings("ignore", message="Multiple layers provided", category=UserWarning)
            method = LayerIntegratedGradients(question.answer, list(question.layers))
        found = method.attribute(question.inputs, baselines=question.baselines, **settings)
        parts = [one[0] if isinstance(one, tuple) else one for one in found]
    else:
        parts = list(IntegratedGradients(question.answer).attribute(question.inputs, question.baselines, **settings))
    value, start = _pick(question.answer(*question.inputs), target), _pick(_at_baseline(question), target)
    if not (math.isfinite(value) and math.isfinite(start)):
        raise ModelError(
            "the model's answer cannot be divided",
            given=f"{value} for the row, {start} for the baseline",
            expected="finite numbers",
            fix="look at the model's weights: training may have diverged",
        )
    return [part.detach()[0].float().cpu() for part in parts], value, start


def _pick(answers: torch.Tensor, target: int | None) -> float:
    return float(answers[0] if target is None else answers[0, target])


def _at_baseline(question: Question) -> torch.Tensor:
    """The answer at the start of the line.

    Only the layers' outputs are those of the baseline. Other things that a model reads from its inputs, such as which
    token is the last that is no padding, stay as in the row, as they do along the line.
    """
    if not question.layers:
        return question.answer(*question.baselines)
    taken = [layer(baseline) for layer, baseline in zip(question.layers, question.baselines, strict=False)]
    handles = [
        layer.register_forward_hook(lambda *_, output=output: output)
        for layer, output in zip(question.layers, taken, strict=True)
    ]
    try:
        return question.answer(*question.inputs)
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode and its parameters want no gradient; afterwards all is as it was."""
    import torch

    from tunesmith.models.methods import evaluation_mode

    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        for parameter, _ in wanted:
            parameter.requires_grad_(False)
        with torch.inference_mode(False), torch.enable_grad(), evaluation_mode(model):
            yield
    finally:
        for parameter, want in wanted:
            parameter.requires_grad_(want)


def checked_steps(steps: int) -> int:
    """The same.

    Raises:
        ModelError: no number of steps.
    """
    if type(steps) is int and 1 <= steps <= 10_000:
        return steps
    raise ModelError("no such number of steps", given=repr(steps), expected="1 to 10,000", fix="32 is usual")


def total(parts: Sequence[torch.Tensor]) -> float:
    """The sum of all amounts, in float64."""
    return float(sum(float(part.double().sum()) for part in parts))
