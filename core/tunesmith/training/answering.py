# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Generated answers in a job: what the recipe asks for, tried out before the first step, and measured at the edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tunesmith.data import Splits
from tunesmith.errors import RecipeError
from tunesmith.evaluate.answers import AnswerScores, Examiner, resolve_metrics
from tunesmith.recipe import Recipe
from tunesmith.registry import Registry, get_registry
from tunesmith.tasks.base import Encoded, Task

__all__ = ["Answering", "rehearse_answers", "resolve_answers"]

HELD_OUT = ("validation", "test")


def resolve_answers(recipe: Recipe, task: Task[Any, Any], registry: Registry) -> Recipe:
    """``evaluate.metrics`` written out.

    Raises:
        RecipeError: an unknown metric, metrics without ``evaluate.generate``, or a task that writes no answers.
    """
    return recipe.model_copy(update={"evaluate": resolve_metrics(recipe.evaluate, task, registry)})


class Answering:
    """The answers that a job's recipe asks for.

    Args:
        recipe: resolved, with ``evaluate.generate`` above 0.
        task: whose rows they are.
        splits, items: of the job; which rows are answered depends on them alone.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: Task[Any, Any],
        splits: Splits[Any],
        items: Mapping[str, Sequence[Encoded]],
        registry: Registry | None = None,
    ) -> None:
        self.examiner = Examiner(recipe.evaluate, task, registry or get_registry())
        self.rows = {split: self.examiner.choose(task, items[split], getattr(splits, split)) for split in HELD_OUT}

    @classmethod
    def of(
        cls, recipe: Recipe, task: Task[Any, Any], splits: Splits[Any], items: Mapping[str, Sequence[Encoded]]
    ) -> Answering | None:
        """What a recipe asks for; ``None`` where it asks for no answers."""
        return cls(recipe, task, splits, items) if recipe.evaluate.generate else None

    def measure(
        self, split: str, task: Task[Any, Any], model: nn.Module, *, device: torch.device, precision: str = "fp32"
    ) -> AnswerScores | None:
        """Answer the split's chosen rows; ``None`` where it has none."""
        rows = self.rows[split]
        return self.examiner.measure(task, model, rows, device=device, precision=precision) if rows else None

    def measure_all(self, task: Task[Any, Any], model: nn.Module, *, device: torch.device) -> dict[str, AnswerScores]:
        """The same for every split that has such rows."""
        scores = {split: self.measure(split, task, model, device=device) for split in self.rows}
        return {split: found for split, found in scores.items() if found is not None}


def rehearse_answers(
    recipe: Recipe,
    task: Task[Any, Any],
    splits: Splits[Any],
    items: Mapping[str, Sequence[Encoded]],
    registry: Registry,
) -> None:
    """Try out the figures of answers on the references. What people should know becomes a note of the task.

    Raises:
        RecipeError: no row has a reference, or a figure cannot be computed on them.
        PluginError: a plugin's metric fails.
    """
    if not recipe.evaluate.generate:
        return
    answering = Answering(recipe, task, splits, items, registry)
    chosen = {split: rows for split, rows in answering.rows.items() if rows}
    if not chosen:
        held_out = sum(len(getattr(splits, split)) for split in HELD_OUT)
        raise RecipeError(
            "evaluate.generate needs held-out rows whose answers are known",
            given=f"{held_out:,} held-out rows" + (", none with a reference answer" if held_out else ""),
            expected="validation or test rows that end with an answer",
            fix="leave evaluate.generate out: rows of this task have no answers"
            if held_out
            else "--set data.split.validation=0.1 holds out a tenth of the training rows",
        )
    for split, rows in chosen.items():
        for note in answering.examiner.rehearse(task, rows):
            task.note(f"{split}: {note}")
