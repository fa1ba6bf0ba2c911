# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From the flags of ``tunesmith train`` to a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tunesmith.recipe.parse import parse_placed
from tunesmith.recipe.problems import Place
from tunesmith.recipe.schema import Recipe

__all__ = ["from_flags"]

_FLAGS: dict[Place, str] = {
    ("task",): "--task",
    ("model",): "--model",
    ("method",): "--method",
    ("data", "train"): "--train",
    ("data", "validation"): "--validation",
    ("data", "test"): "--test",
    ("data", "columns", "text"): "--text",
    ("data", "columns", "label"): "--label",
    ("output",): "--out",
}


def from_flags(
    *,
    task: str,
    model: str,
    train: str | Sequence[str],
    test: str | Sequence[str] | None = None,
    validation: str | Sequence[str] | None = None,
    text: str | None = None,
    label: str | None = None,
    out: str,
    method: str | None = None,
    sets: Iterable[str] = (),
) -> Recipe:
    """A recipe from flags; what is not given keeps its default.

    Args:
        task: name of a task.
        model: a folder, a hub id, a named model, ``scratch:ARCHITECTURE``.
        train: file, glob, folder or ``dataset:``/``hub:`` reference to learn from; or several.
        test: the same, for the final score.
        validation: the same, for evaluation during training.
        text: your column that holds the text.
        label: your column that holds the label.
        out: the run folder.
        method: ``full``, ``lora`` or ``head``.
        sets: overrides such as ``"train.epochs=3"``; they win over the flags.

    Raises:
        RecipeError: everything that is wrong, each with its flag.
    """
    columns = {"text": text, "label": label}
    data = {"train": _several(train), "validation": _several(validation), "test": _several(test)}
    recipe: dict[str, Any] = {
        "task": task,
        "model": model,
        "method": method,
        "data": {**data, "columns": {key: name for key, name in columns.items() if name is not None}},
        "output": out,
    }
    return parse_placed(recipe, overrides=sets, source="the command line", places=_FLAGS)


def _several(sources: str | Sequence[str] | None) -> str | list[str]:
    return sources if isinstance(sources, str) else list(sources or ())
