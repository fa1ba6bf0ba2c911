# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whether the repeated layers of a model are compiled; ``compiling.py`` does it.

``auto`` decides by arithmetic on the size of the job, not by timing: equal recipes then give equal weights on a busy
machine too. The figures it is based on are in docs/explanation/tried.md.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe
from tunesmith.tasks.base import Task
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.tasks.lengths import plural
from tunesmith.training.strategy import Strategy

__all__ = ["CompileChoice", "choose_compile", "repeated_layers"]

GAINS = {("cpu", "bf16-weights")}
"""Where compiled layers are known to be faster: by a fifth of a step, after 15 s of compilation. In fp32 on a processor
they are as fast as plain ones or slower, and under bf16 autocast and on a GPU it has not been measured."""

REPAID = 1e13
"""Weights of the layers, times tokens of the job: what two bf16 cores train in two minutes (6 operations for each, at
half a teraflop a second). A fifth of that is more than compiling takes; on a slower machine both take longer."""


@dataclass(frozen=True, slots=True)
class CompileChoice:
    """What was decided, and the sentence that explains it; empty where nobody asked."""

    on: bool
    fact: str = ""


def choose_compile(
    recipe: Recipe, task: Task[Any, Any], model: nn.Module, strategy: Strategy, *, precision: str, tokens: int
) -> CompileChoice:
    """Decide what ``train.compile`` means here.

    Args:
        model: in place, its method applied.
        precision: of training.
        tokens: of the whole job.

    Raises:
        RecipeError: it was asked for and cannot be done.
    """
    wanted = recipe.train.compile
    if wanted is False:
        return CompileChoice(False)
    layers = repeated_layers(model)
    obstacle = next(_obstacles(recipe, task, layers, strategy), None)
    if wanted is True:
        if obstacle is not None:
            raise RecipeError(
                "the layers of this job cannot be compiled",
                given=f"train.compile: true; {obstacle}",
                expected="repeated layers that train in this process, and a compiler that PyTorch can use",
                fix="--set train.compile=false",
            )
        return CompileChoice(True, f"as asked: {_named(layers)}, before the first step; evaluation is not compiled")
    reason = obstacle or _no_gain(strategy.device, precision)
    if reason is not None:
        return CompileChoice(False, f"no: {reason}")
    weights = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    size = f"{tokens:,} tokens through {_named(layers)} of {weights:,} weights"
    if weights * tokens < REPAID:
        return CompileChoice(False, f"no: {size} would not repay it")
    return CompileChoice(True, f"{size} repay it; evaluation is not compiled")


def repeated_layers(model: nn.Module) -> list[nn.Module]:
    """The layers of which a model has several of a kind, one after another: the members of its outermost lists."""
    found: list[nn.Module] = []

    def walk(module: nn.Module) -> None:
        if isinstance(module, nn.ModuleList) and len(module) > 1 and len({type(member) for member in module}) == 1:
            found.extend(member for member in module if any(True for _ in member.parameters()))
            return
        for child in module.children():
            walk(child)

    walk(model)
    return found


def _named(layers: list[nn.Module]) -> str:
    return plural(len(layers), "layer")


def _obstacles(recipe: Recipe, task: Task[Any, Any], layers: list[nn.Module], strategy: Strategy) -> Iterator[str]:
    if not layers:
        yield "the model has no repeated layers"
    if recipe.method.name == "head":
        yield "with method: head the repeated layers do not train"
    if not getattr(strategy, "compiles", False):
        yield f"strategy {recipe.train.strategy!r} may divide the layers in ways only it knows"
    if recipe.train.accumulate > 1 and isinstance(task, CoupledTask) and task.couples:
        yield "the parts of a step of this task are computed twice, and dropout must be the same both times"
    missing = _missing(strategy.device)
    if missing is not None:
        yield missing


def _no_gain(device: torch.device, precision: str) -> str | None:
    if (device.type, precision) in GAINS:
        return None
    if (device.type, precision) == ("cpu", "fp32"):
        return "in fp32 a processor gains nothing by it"
    where = "on a GPU" if device.type == "cuda" else f"in {precision} on a processor"
    return f"what it gives {where} has not been measured"


def _missing(device: torch.device) -> str | None:
    """What PyTorch needs to compile for a device and does not find here."""
    from torch._dynamo.eval_frame import is_dynamo_supported

    if not is_dynamo_supported():
        return "this PyTorch cannot compile under this version of Python"
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "there is no Triton, with which PyTorch compiles for a GPU"
    from torch._inductor import cpp_builder

    try:
        cpp_builder.get_cpp_compiler()
    except RuntimeError:
        return "there is no C++ compiler (g++; the variable CXX names another)"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "there is no Python.h (of the package python3-dev, or the like)"
    return None
