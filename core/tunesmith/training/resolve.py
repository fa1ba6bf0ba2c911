# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From "chosen for you" to values: every ``None`` of a recipe, decided once and written down."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeGuard

from pydantic import BaseModel

from tunesmith.data import RowTransform
from tunesmith.errors import RecipeError, RunError
from tunesmith.evaluate.answers import find_metric
from tunesmith.evaluate.report_sections import resolve_report_sections
from tunesmith.models.source import ModelSource
from tunesmith.recipe import Recipe
from tunesmith.recipe.chosen import resolve_chosen
from tunesmith.registry import Registry, get_registry
from tunesmith.tasks.base import Metric, Task
from tunesmith.training.feed import DEFAULT_EPOCHS
from tunesmith.training.tracker import Tracker

__all__ = [
    "deciding_metric",
    "refuse_changes",
    "refuse_idle_keys",
    "resolve_additions",
    "resolve_batch",
    "resolve_epochs",
    "resolve_evaluation",
    "resolve_pauses",
    "resolve_rate",
]

DEFAULT_RATES = {"full": 5e-5, "lora": 2e-4, "head": 1e-3}
SCRATCH_RATE = 1e-3
MOST_EPOCHS = 100
"""Of a job whose epochs follow from its steps: more passes over a handful of rows only learn them by heart."""
MOST_PAUSES = 20
"""Evaluations and checkpoints of such a job; an epoch of it may take milliseconds, and a checkpoint takes more."""


def with_values(recipe: Recipe, section: str, **values: Any) -> Recipe:
    """A copy of the recipe with values of one section replaced, validated again."""
    part = getattr(recipe, section).model_copy(update=values)
    return recipe.model_copy(update={section: type(part).model_validate(part.model_dump())})


SOME_TASKS_KEYS = ("prefix", "max_target_length")
"""Keys of ``data`` that only some tasks read (:attr:`tunesmith.tasks.Task.data_keys`)."""


def refuse_idle_keys(recipe: Recipe, task: Task[Any, Any]) -> None:
    """Keys of ``data`` that this task would not read.

    Raises:
        RecipeError: one is set.
    """
    for key in SOME_TASKS_KEYS:
        value = getattr(recipe.data, key)
        if value is not None and key not in task.data_keys:
            raise RecipeError(
                f"task {recipe.task!r} reads no data.{key}",
                given=f"data.{key}: {value!r}",
                expected=f"a task that does, or no data.{key}",
                fix=f"leave data.{key} out",
            )


def resolve_additions(recipe: Recipe, registry: Registry) -> Recipe:
    """Row transforms, trackers and sections of the report, with every value of each written out.

    Raises:
        NotFoundError, PluginError: nothing has that name, or nothing that can be used.
        RecipeError: keys or values that it does not take.
    """
    transforms = resolve_chosen(recipe.data.transform, "data.transform", "transform", RowTransform, registry)
    trackers = resolve_chosen(recipe.trackers, "trackers", "tracker", Tracker, registry)
    data = recipe.data.model_copy(update={"transform": transforms})
    return resolve_report_sections(recipe.model_copy(update={"data": data, "trackers": trackers}), registry)


def resolve_rate(recipe: Recipe, source: ModelSource, *, scale: float = 1.0) -> Recipe:
    """The peak learning rate: by method, higher for a model that starts from nothing; times ``scale`` (the task's)."""
    if recipe.train.learning_rate is not None:
        return recipe
    rate = SCRATCH_RATE if source.kind == "scratch" else DEFAULT_RATES[recipe.method.name]
    return with_values(recipe, "train", learning_rate=rate * scale)


def resolve_batch(recipe: Recipe, task: Task[Any, Any]) -> Recipe:
    """Tokens or rows per step.

    Raises:
        RecipeError: a token budget for a task without tokens.
    """
    section = recipe.train
    if section.tokens_per_batch is not None and task.default_rows_per_batch is not None:
        raise RecipeError(
            f"task {recipe.task!r} has no tokens to count",
            given=f"train.tokens_per_batch: {section.tokens_per_batch}",
            expected="train.rows_per_batch",
            fix="--set train.rows_per_batch=128",
        )
    if section.tokens_per_batch is not None or section.rows_per_batch is not None:
        return recipe
    if task.default_rows_per_batch is not None:
        return with_values(recipe, "train", rows_per_batch=task.default_rows_per_batch)
    return with_values(recipe, "train", tokens_per_batch=task.default_tokens_per_batch)


def resolve_epochs(recipe: Recipe, task: Task[Any, Any], *, items: int) -> Recipe:
    """Passes over the training items; of a task that counts steps, whole ones that make about ``default_steps``."""
    if recipe.train.epochs is not None:
        return recipe
    rows = recipe.train.rows_per_batch
    if task.default_steps is None or rows is None or not items:
        return with_values(recipe, "train", epochs=float(DEFAULT_EPOCHS))
    epochs = round(task.default_steps / -(-items // rows))
    return with_values(recipe, "train", epochs=float(min(MOST_EPOCHS, max(DEFAULT_EPOCHS, epochs))))


def resolve_pauses(recipe: Recipe, task: Task[Any, Any], *, total_steps: int, validation_rows: int) -> Recipe:
    """Steps between evaluations and between checkpoints, where epochs are too short to pause after each."""
    epochs = recipe.train.epochs or 1
    if task.default_steps is None or epochs <= MOST_PAUSES:
        return recipe
    pause = -(-total_steps // MOST_PAUSES)
    if recipe.evaluate.every is None and validation_rows:
        recipe = with_values(recipe, "evaluate", every=pause)
    if recipe.train.save_every is None:
        recipe = with_values(recipe, "train", save_every=recipe.evaluate.every or pause)
    return recipe


def resolve_evaluation(recipe: Recipe, task: Task[Any, Any], *, validation_rows: int) -> Recipe:
    """The deciding metric.

    Raises:
        RecipeError: an unknown metric, or settings that need validation rows where there are none.
    """
    section = recipe.evaluate
    if not validation_rows:
        idle = sorted(section.model_fields_set & {"every", "metric", "patience"})
        idle = [key for key in idle if getattr(section, key) is not None]
        if idle:
            raise RecipeError(
                f"evaluate.{idle[0]} needs rows to evaluate on during training",
                given=f"evaluate.{idle[0]}: {getattr(section, idle[0])}, and no validation rows",
                expected="data.validation or data.split.validation",
                fix="--set data.split.validation=0.1 holds out a tenth of the training rows",
            )
        return recipe  # with nothing to decide, nothing is written that a repeated job would have to refuse
    return with_values(recipe, "evaluate", metric=deciding_metric(recipe, task).name)


def deciding_metric(recipe: Recipe, task: Task[Any, Any]) -> Metric:
    """The metric that chooses the best checkpoint.

    Raises:
        RecipeError: the task has no metric of that name.
    """
    wanted = recipe.evaluate.metric
    if wanted is None:
        return task.metrics[0]
    known = {metric.name: metric for metric in task.metrics}
    if wanted in known:
        return known[wanted]
    if recipe.evaluate.generate:
        return find_metric(wanted, task, get_registry(), key="evaluate.metric")
    near = difflib.get_close_matches(wanted, known, n=1)
    raise RecipeError(
        f"task {recipe.task!r} has no metric {wanted!r}",
        given=f"evaluate.metric: {wanted}",
        expected=" or ".join(known),
        fix=f"did you mean {near[0]!r}?" if near else f"--set evaluate.metric={task.metrics[0].name}",
    )


def refuse_changes(given: Recipe, stored: Recipe, run: str) -> None:
    """A recipe given together with ``resume`` must say what the run's own says, where it says anything.

    Raises:
        RunError: with every value that differs.
    """
    changes = [
        f"{key}: {before!r} in the run, {now!r} given"
        for key, (before, now) in _differences(stored, given, prefix="").items()
        if key != "output"
    ]
    if changes:
        raise RunError(
            f"the recipe is not the one {run} was started with",
            given="; ".join(changes),
            expected="the same values: a resumed job must end as if it had never stopped",
            fix=["resume without a recipe", "or start a new run with another output"],
        )


def _differences(stored: BaseModel, given: BaseModel, prefix: str) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key in given.model_fields_set:
        before, now = getattr(stored, key, None), getattr(given, key)
        if isinstance(now, BaseModel) and isinstance(before, BaseModel):
            found |= _differences(before, now, f"{prefix}{key}.")
        elif key == "plugins":
            found |= _other_settings(before or {}, now, f"{key}.")
        elif _sections(now) and _sections(before) and len(now) == len(before):
            for place, (one, other) in enumerate(zip(before, now, strict=True)):
                found |= _differences(one, other, f"{prefix}{key}[{place}].")
        elif now is not None and now != "auto" and before != now:
            found[prefix + key] = (before, now)
    return found


def _other_settings(stored: Mapping[str, Any], given: Mapping[str, Any], prefix: str) -> dict[str, tuple[Any, Any]]:
    """Settings of plugins, and sections in them: a recipe may give fewer than the run wrote out."""
    found: dict[str, tuple[Any, Any]] = {}
    for key, now in given.items():
        before = stored.get(key, {} if isinstance(now, Mapping) else None)
        if isinstance(now, Mapping) and isinstance(before, Mapping):
            found |= _other_settings(before, now, f"{prefix}{key}.")
        elif before != now:
            found[prefix + key] = (before, now)
    return found


def _sections(value: Any) -> TypeGuard[list[BaseModel]]:
    return isinstance(value, list) and bool(value) and isinstance(value[0], BaseModel)
