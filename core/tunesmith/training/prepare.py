# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Everything before the first step: names to objects, rows to numbers, a model to train, and no value left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from tunesmith.data import Splits, read_examples
from tunesmith.data.mixing import Mixture
from tunesmith.machine.precision import choose_precision
from tunesmith.models import apply_method, count_parameters, find_model
from tunesmith.models.freezing import frozen_counts
from tunesmith.models.shapes import weights_later
from tunesmith.models.source import ModelSource
from tunesmith.recipe import Recipe
from tunesmith.recipe.plugins import resolve_plugins
from tunesmith.registry import Registry
from tunesmith.tasks.base import Batch, Encoded, Task
from tunesmith.tasks.encoded import item_lengths, item_rows
from tunesmith.tasks.encoding import encode_splits
from tunesmith.tasks.objective_rehearsal import rehearse_objective
from tunesmith.training.activations import checkpoint_activations
from tunesmith.training.answering import rehearse_answers, resolve_answers
from tunesmith.training.attention import fit_attention
from tunesmith.training.augmentation import Augmentation, resolve_augmentation
from tunesmith.training.compile_choice import choose_compile
from tunesmith.training.conditions import conditions
from tunesmith.training.dropout import use_cheap_dropout
from tunesmith.training.feed import Feed
from tunesmith.training.frozen import remember_frozen
from tunesmith.training.liger import use_liger
from tunesmith.training.resolve import (
    refuse_idle_keys,
    resolve_additions,
    resolve_batch,
    resolve_epochs,
    resolve_evaluation,
    resolve_pauses,
    resolve_rate,
    with_values,
)
from tunesmith.training.strategy import Single, Strategy
from tunesmith.training.vocabulary import train_occurring_rows

__all__ = ["SPLITS", "Work", "prepare"]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Work:
    """A job that can start.

    Attributes:
        recipe: resolved: no value is left to choose.
        source: where the model came from.
        model: in place, on the strategy's device.
        items: the examples of each split as numbers; where a frozen part need not run again, what it said of them.
        collate: makes a batch of items.
        feed: which items each step sees.
        counts: weights that train, and all.
        facts: short lines for people: rows, parameters, precision and why.
        augmentation: what becomes of the training items in an epoch; None: they stay as they are.
    """

    recipe: Recipe
    strategy: Strategy
    task: Task[Any, Any]
    source: ModelSource
    model: nn.Module
    splits: Splits[Any]
    items: Mapping[str, Sequence[Encoded]]
    collate: Callable[[Sequence[Encoded]], Batch]
    feed: Feed
    facts: Mapping[str, str]
    counts: tuple[int, int] = (0, 0)
    augmentation: Augmentation | None = None

    def seen_in(self, epoch: int) -> Sequence[Encoded]:
        """The training items as the 0-based epoch sees them."""
        return self.items["train"] if self.augmentation is None else self.augmentation.epoch(epoch)

    def begin(self) -> None:
        """Nothing is left to prepare: let the strategy do what it does before there is an optimizer."""
        train = self.items["train"]
        self.strategy.begin(self.model, self.recipe, lambda: self.collate([train[0]]))

    def manifest(self) -> dict[str, Any]:
        """What the run's manifest says about it."""
        moving, every = self.counts
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
            "seed": self.recipe.train.seed,
            "total_steps": self.feed.total_steps,
            "recipe": self.recipe.model_dump(mode="json"),
            **conditions(self.strategy.device),
        }


def prepare(recipe: Recipe, strategy: Strategy, registry: Registry, *, whole_vocabulary: bool = False) -> Work:
    """Read, check, build and encode. Writes nothing but what the cache keeps.

    Args:
        whole_vocabulary: train the vectors of all tokens, as a strategy of several processes does: a run that was begun
            with one has checkpoints of them.

    Raises:
        TunesmithError: whatever is wrong with names, rows, model or settings.
    """
    recipe = resolve_plugins(recipe, registry)
    task: Task[Any, Any] = registry.load("task", recipe.task)(recipe.data)  # type: ignore[operator]
    task.take_settings(recipe)
    recipe = recipe.model_copy(update={"objective": task.choose_objective(recipe.objective, registry)})
    refuse_idle_keys(recipe, task)
    recipe = resolve_augmentation(recipe, task, registry)
    recipe = resolve_additions(recipe, registry)
    recipe = resolve_answers(recipe, task, registry)
    source = find_model(recipe.model, registry, seed=recipe.train.seed)
    recipe = resolve_rate(resolve_batch(recipe, task), source, scale=task.rate_scale)
    splits = read_examples(recipe.data, task, registry)
    task.fit(splits.train)
    for split in ("validation", "test"):
        task.check(getattr(splits, split), split)
    recipe = resolve_evaluation(recipe, task, validation_rows=len(splits.validation))
    fills = getattr(strategy, "fills", False) and _values_can_wait(recipe, task)
    with weights_later() if fills else nullcontext():
        model = strategy.prepare(apply_method(task.build(source), recipe.method))
    items = encode_splits(task, splits, workers=torch.get_num_threads())
    rehearse_answers(recipe, task, splits, items, registry)
    lengths = item_lengths(items["train"])
    recipe = resolve_epochs(recipe, task, items=len(lengths))
    feed = strategy.feed(recipe, lengths, _mixture(recipe, splits, items["train"]), item_rows(items["train"]))
    recipe = resolve_pauses(recipe, task, total_steps=feed.total_steps, validation_rows=len(items["validation"]))
    counts = count_parameters(model)
    augmentation = Augmentation.of(recipe, task, splits.train, items["train"], registry)
    plain = augmentation is None and type(strategy) is Single  # only then every epoch sees the same items
    vocabulary = None
    if recipe.method.name == "full" and plain and not whole_vocabulary:
        vocabulary = train_occurring_rows(model, items["train"], task.token_feature)
    checkpointed = checkpoint_activations(recipe, model)
    precision = choose_precision(recipe.train.precision, model, strategy.device)
    tokens = round(lengths.sum() * feed.epochs_done(feed.total_steps))
    compiling = choose_compile(recipe, task, model, strategy, precision=precision.name, tokens=tokens)
    attention = kernels = None
    if not compiling.on:  # compiled, the model's own dropout and attention are made into something cheaper as they are
        use_cheap_dropout(model, strategy.device)
        attention = fit_attention(model, items["train"], lengths, strategy.device, task)
        kernels = use_liger(model, strategy.device)
    place = _where(model, strategy)
    task.before_training(model, items, device=place, precision=precision.name)
    rehearse_objective(task, model, items["train"], device=place, precision=precision.name)
    frozen = None
    if recipe.method.name == "head" and plain:
        # Test rows that are looked at only in the end go through the saved model, whole.
        seen = {split: rows for split, rows in items.items() if split != "test" or recipe.evaluate.before}
        frozen = remember_frozen(
            model, task, seen, digest=source.digest, device=strategy.device, precision=precision.name
        )
    warmup = recipe.train.warmup_steps
    recipe = with_values(
        recipe,
        "train",
        precision=precision.name,
        compile=compiling.on,
        device=strategy.device.type,
        warmup_steps=round(0.05 * feed.total_steps) if warmup is None else warmup,
    )
    moving, every = counts
    facts = {
        **_amounts(splits, items),
        **({} if augmentation is None else _augmented(augmentation, recipe, task)),
        "parameters": f"{every:,}, of which {moving:,} train ({recipe.method.name}{_frozen(recipe, model)})",
        **_minimized(task),
        "precision": f"{precision.name}: {precision.reason}",
        **({} if vocabulary is None else {"vocabulary": vocabulary}),
        **({} if attention is None else {"attention": attention}),
        **({} if kernels is None else {"kernels": kernels}),
        **({} if checkpointed is None else {"activation checkpointing": checkpointed}),
        **({"compilation": compiling.fact} if compiling.fact else {}),
        **({} if frozen is None else {"frozen layers": frozen.fact()}),
        "device": _place(strategy.device),
    }
    if frozen is not None:
        items = {**items, **frozen.items}
        return Work(recipe, strategy, task, source, model, splits, items, frozen.collate, feed, facts, counts)
    return Work(recipe, strategy, task, source, model, splits, items, task.collate, feed, facts, counts, augmentation)


def _values_can_wait(recipe: Recipe, task: Task[Any, Any]) -> bool:
    """Whether nobody looks at the values of weights before the first step: no reference that is learned before, no
    objective that is tried out, and no adapter that is made of what it adapts.
    """
    looks = type(task).before_training is not Task.before_training
    tried = task.default_objective is not None and task.chosen.plugin != "tunesmith"
    return not (looks or tried or recipe.method.dora or recipe.method.quantize)


def _augmented(augmentation: Augmentation, recipe: Recipe, task: Task[Any, Any]) -> dict[str, str]:
    """What is done to rows, and which fast path is not taken because of it."""
    facts = {"augmentation": augmentation.fact()}
    if recipe.method.name == "head":
        facts["frozen layers"] = "run for every row of every step: no two epochs see the same"
    if recipe.method.name == "full" and task.token_feature is not None:
        facts["vocabulary"] = "the vectors of all tokens train: a changed text may hold any of them"
    return facts


def _minimized(task: Task[Any, Any]) -> dict[str, str]:
    """An objective that is not simply the task's own."""
    if not task.objective_state():
        return {}
    values = ", ".join(f"{key} {value}" for key, value in task.objective.keys().items())
    return {"objective": f"{task.objective.name}{f' ({values})' if values else ''}"}


def _frozen(recipe: Recipe, model: nn.Module) -> str:
    counts = frozen_counts(model, recipe.method.freeze)
    return "".join(f"; {pattern}: {count:,} stay" for pattern, count in counts.items())


def _where(model: nn.Module, strategy: Strategy) -> torch.device:
    """Where the model is now: one that will be divided is not on the strategy's device before."""
    now = next(model.parameters()).device
    return strategy.device if now.type == strategy.device.type else now


def _place(device: torch.device) -> str:
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} {'thread' if threads == 1 else 'threads'}"


def _mixture(recipe: Recipe, splits: Splits[Any], items: Sequence[Encoded]) -> Mixture | None:
    if splits.sources is None:
        return None
    weights = [recipe.data.weights.get(entry, 1.0) for entry in recipe.data.train]
    return Mixture(weights, splits.sources, item_rows(items), seed=recipe.train.seed)


def _amounts(splits: Splits[Any], items: Mapping[str, Sequence[Encoded]]) -> dict[str, str]:
    counts = {split: len(getattr(splits, split)) for split in SPLITS}
    rows = ", ".join(f"{count:,} {split}" for split, count in counts.items() if count)
    tokens = int(item_lengths(items["train"]).sum())
    return {"rows": rows, "to learn from": f"{tokens:,} tokens"} if tokens > counts["train"] else {"rows": rows}
