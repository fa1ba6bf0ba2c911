# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Layers that stay as they are, by pattern.

The backward pass ends by itself below the lowest layer that moves: nothing there asks PyTorch for a gradient. Freezing
layers from the bottom up therefore saves their backward pass, their gradients and their moments.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from tunesmith.errors import ModelError
from tunesmith.models.fresh import new_parameters

__all__ = ["freeze", "frozen_counts"]


def freeze(model: Any, patterns: Sequence[str]) -> None:
    """Let the parameters that the patterns name stay as they are.

    Args:
        model: a transformers model; changed in place.
        patterns: as of a shell (``*``, ``?``, ``[0-3]``), each over the whole name of a layer or parameter as
            ``model.named_parameters`` gives it, with or without the name of the base model in front
            (``bert.encoder.layer.0`` is ``encoder.layer.0``). A layer stands for everything in it.

    Raises:
        ModelError: a pattern names nothing, nothing would be left to train, or a layer that starts at random would
            stay so.
    """
    frozen = {name for names in _matches(model, patterns).values() for name in names}
    new = sorted(frozen & set(new_parameters(model)))
    if new:
        raise ModelError(
            "method.freeze would leave layers at random values: the model's files do not hold them",
            given=f"method.freeze: {', '.join(patterns)}, which names {', '.join(new[:4])}",
            expected="patterns of layers that come with the model",
            fix="narrow the patterns",
        )
    kept = {id(parameter) for name, parameter in _parameters(model) if name in frozen}
    if kept and all(id(parameter) in kept for parameter in model.parameters()):
        raise ModelError(
            "method.freeze leaves nothing to train",
            given=f"method.freeze: {', '.join(patterns)}",
            expected="patterns that name a part of the model",
            fix="narrow the patterns, or use method: head or lora",
        )
    for parameter in model.parameters():
        if id(parameter) in kept:
            parameter.requires_grad = False


def frozen_counts(model: Any, patterns: Sequence[str]) -> dict[str, int]:
    """How many numbers each pattern keeps as they are; one that two patterns name counts for the first."""
    counts: dict[str, int] = {}
    seen: set[int] = set()
    parameters = dict(_parameters(model))
    for pattern, names in _matches(model, patterns).items():
        fresh = {id(parameters[name]): parameters[name] for name in names if id(parameters[name]) not in seen}
        seen |= fresh.keys()
        counts[pattern] = sum(parameter.numel() for parameter in fresh.values())
    return counts


def _parameters(model: Any) -> list[tuple[str, Any]]:
    """With every name of a shared one: tied embeddings are frozen by either of their names."""
    return list(model.named_parameters(remove_duplicate=False))


def _matches(model: Any, patterns: Sequence[str]) -> dict[str, list[str]]:
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    names = [name for name, _ in _parameters(model)]
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        found[pattern] = [
            name
            for name in names
            if any(fnmatchcase(part, pattern) for form in (name, name.removeprefix(prefix)) for part in _above(form))
        ]
        if not found[pattern]:
            raise _names_nothing(pattern, [form for name in names for form in _above(name.removeprefix(prefix))])
    return found


def _above(name: str) -> list[str]:
    """A parameter's name and those of the layers it is in: ``a``, ``a.b``, ``a.b.weight``."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _names_nothing(pattern: str, names: Sequence[str]) -> ModelError:
    known = list(dict.fromkeys(names))
    near = difflib.get_close_matches(pattern.rstrip("*").rstrip("."), known, n=3, cutoff=0.5)
    tops = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in known if name.count(".") >= 1))
    return ModelError(
        "the model has no layer of this name",
        given=f"method.freeze: {pattern}",
        expected=f"a pattern over names such as {', '.join(tops[:6])}",
        fix=f"did you mean {' or '.join(repr(name) for name in near)}?" if near else "correct method.freeze",
    )
