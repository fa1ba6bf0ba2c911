# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Everything before the first step: names to objects, rows to numbers, a model to train, and no value left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from tunesmith.data import Splits, read_examples
from tunesmith.models import apply_method, count_parameters, find_model
from tunesmith.models.source import ModelSource
from tunesmith.recipe import Recipe
from tunesmith.registry import Registry
from tunesmith.runs import environment
from tunesmith.tasks.base import Encoded, Task
from tunesmith.training.attention import fit_attention
from tunesmith.training.dropout import use_cheap_dropout
from tunesmith.training.feed import Feed
from tunesmith.training.precision import choose_precision
from tunesmith.training.resolve import resolve_batch, resolve_evaluation, resolve_rate, with_values
from tunesmith.training.strategy import Strategy

__all__ = ["SPLITS", "Work", "prepare"]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Work:
    """A job that can start.

    Attributes:
        recipe: resolved: no value is left to choose.
        source: where the model came from.
        model: in place, on the strategy's device.
        items: the examples of each split as numbers.
        feed: which items each step sees.
        facts: short lines for people: rows, parameters, precision and why.
    """

    recipe: Recipe
    strategy: Strategy
    task: Task[Any, Any]
    source: ModelSource
    model: nn.Module
    splits: Splits[Any]
    items: Mapping[str, list[Encoded]]
    feed: Feed
    facts: Mapping[str, str]

    def manifest(self) -> dict[str, Any]:
        """What the run's manifest says about it."""
        moving, every = count_parameters(self.model)
        return {
            "task": self.recipe.task,
            "method": self.recipe.method.name,
            "model": {
                "name": self.source.name,
                "digest": self.source.digest,
                "revision": self.source.revision,
                "parameters": every,
                "trainable": moving,
            },
            "data": {
                "files": [asdict(file) for file in self.splits.files],
                **{split: len(getattr(self.splits, split)) for split in SPLITS},
            },
            "precision": self.recipe.train.precision,
            "device": self.recipe.train.device,
            "threads": torch.get_num_threads(),
            "seed": self.recipe.train.seed,
            "total_steps": self.feed.total_steps,
            "environment": environment(),
        }


def prepare(recipe: Recipe, strategy: Strategy, registry: Registry) -> Work:
    """Read, check, build and encode. Writes nothing.

    Raises:
        TunesmithError: whatever is wrong with names, rows, model or settings.
    """
    task: Task[Any, Any] = registry.load("task", recipe.task)(recipe.data)  # type: ignore[operator]
    source = find_model(recipe.model, registry, seed=recipe.train.seed)
    recipe = resolve_rate(resolve_batch(recipe, task), source)
    splits = read_examples(recipe.data, task, registry)
    task.fit(splits.train)
    for split in ("validation", "test"):
        task.check(getattr(splits, split), split)
    recipe = resolve_evaluation(recipe, task, validation_rows=len(splits.validation))
    model = strategy.prepare(apply_method(task.build(source), recipe.method))
    items = {split: task.encode_all(getattr(splits, split)) for split in SPLITS}
    lengths = [item.length for item in items["train"]]
    feed = _feed(recipe, lengths)
    use_cheap_dropout(model, strategy.device)
    attention = fit_attention(model, lengths, strategy.device)
    precision = choose_precision(recipe.train.precision, model, strategy.device)
    warmup = recipe.train.warmup_steps
    recipe = with_values(
        recipe,
        "train",
        precision=precision.name,
        device=strategy.device.type,
        warmup_steps=round(0.05 * feed.total_steps) if warmup is None else warmup,
    )
    moving, every = count_parameters(model)
    facts = {
        **_amounts(splits, items),
        "parameters": f"{every:,}, of which {moving:,} train ({recipe.method.name})",
        "precision": f"{precision.name}: {precision.reason}",
        **({} if attention is None else {"attention": attention}),
        "device": _place(strategy.device),
    }
    return Work(recipe, strategy, task, source, model, splits, items, feed, facts)


def _place(device: torch.device) -> str:
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} {'thread' if threads == 1 else 'threads'}"


def _feed(recipe: Recipe, lengths: list[int]) -> Feed:
    section = recipe.train
    return Feed(
        lengths,
        tokens=section.tokens_per_batch,
        rows=section.rows_per_batch,
        epochs=section.epochs,
        max_steps=section.max_steps,
        accumulate=section.accumulate,
        seed=section.seed,
    )


def _amounts(splits: Splits[Any], items: Mapping[str, list[Encoded]]) -> dict[str, str]:
    counts = {split: len(getattr(splits, split)) for split in SPLITS}
    rows = ", ".join(f"{count:,} {split}" for split, count in counts.items() if count)
    tokens = sum(item.length for item in items["train"])
    return {"rows": rows, "to learn from": f"{tokens:,} tokens"} if tokens > counts["train"] else {"rows": rows}
