# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a recipe to a run: read and check everything, train, keep the best, say what came out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Any

import torch
from torch import nn

from tunesmith._plugins import get_host
from tunesmith.data import Splits, read_examples
from tunesmith.errors import OutputError, RunError, StoppedError
from tunesmith.models import apply_method, count_parameters, find_model
from tunesmith.models.source import ModelSource
from tunesmith.plugin import RunFinished, RunNote, RunStarted
from tunesmith.recipe import Recipe
from tunesmith.registry import Registry, get_registry
from tunesmith.runs import Run, environment
from tunesmith.tasks.base import Encoded, Task
from tunesmith.training.attention import fit_attention
from tunesmith.training.checkpoint import Progress, latest_checkpoint, load_checkpoint
from tunesmith.training.dropout import use_cheap_dropout
from tunesmith.training.feed import Feed
from tunesmith.training.finish import finish
from tunesmith.training.heap import kept_memory
from tunesmith.training.keeper import Keeper
from tunesmith.training.loop import Job, run_steps
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.precision import choose_precision
from tunesmith.training.resolve import (
    refuse_changes,
    resolve_batch,
    resolve_evaluation,
    resolve_rate,
    with_values,
)
from tunesmith.training.strategy import Strategy
from tunesmith.training.telling import Observer, Teller

__all__ = ["train"]

logger = logging.getLogger(__name__)


def train(
    recipe: Recipe | None = None,
    *,
    resume: str | Path | None = None,
    observers: Sequence[Observer] = (),
    stop: Flag | None = None,
) -> Run:
    """Do the job a recipe describes.

    Everything is read, checked and encoded before the run folder appears; a mistake in the last row costs no
    training time and leaves nothing behind. The caller's random state is left as it was.

    Args:
        recipe: what to do. With ``resume`` it may be left out; given, it must agree with the run's own.
        resume: folder of a run that was interrupted or killed; goes on from its last checkpoint, and ends with
            the same weights, bit for bit, as if it had never stopped.
        observers: called with every :class:`tunesmith.plugin.Event`, between steps.
        stop: set it (from a signal handler, another thread) to save a checkpoint and stop after the step.

    Returns:
        The finished run.

    Raises:
        TunesmithError: see :mod:`tunesmith.errors`; ``StoppedError`` after ``stop``, with the work saved.
    """
    if resume is not None:
        run = Run.open(resume)
        stored = run.recipe()
        if recipe is not None:
            refuse_changes(recipe, stored, str(run.path))
        _refuse_finished(run)
        recipe = stored
    elif recipe is None:
        raise TypeError("train() needs a recipe, or resume=RUN")
    else:
        Run.check_free(recipe.output)
        run = None
    return _Training(recipe, run, observers, stop or Flag()).go()


def _refuse_finished(run: Run) -> None:
    if run.manifest.get("status") == "finished":
        raise RunError(
            f"{run.path} is finished: there is nothing to resume",
            given="status finished",
            expected="a run that was interrupted, failed or killed",
            fix="start a new run with another output, e.g. --set train.epochs=… --set output=…",
        )


@dataclass(slots=True)
class _Training:
    """One call of :func:`train`: its parts, as they come to be."""

    recipe: Recipe
    run: Run | None
    observers: Sequence[Observer]
    stop: Flag
    registry: Registry = field(default_factory=get_registry)

    def go(self) -> Run:
        strategy: Strategy = self.registry.load("strategy", self.recipe.train.strategy)(self.recipe.train)  # type: ignore[operator]
        task: Task[Any, Any] = self.registry.load("task", self.recipe.task)(self.recipe.data)  # type: ignore[operator]
        source = find_model(self.recipe.model, self.registry, seed=self.recipe.train.seed)
        self.recipe = resolve_rate(resolve_batch(self.recipe, task), source)
        splits = read_examples(self.recipe.data, task, self.registry)
        task.fit(splits.train)
        for name in ("validation", "test"):
            task.check(getattr(splits, name), name)
        self.recipe = resolve_evaluation(self.recipe, task, validation_rows=len(splits.validation))
        with _own_random_state(self.recipe.train.seed, strategy.device), kept_memory():
            model = strategy.prepare(apply_method(task.build(source), self.recipe.method))
            items = {name: task.encode_all(getattr(splits, name)) for name in ("train", "validation", "test")}
            feed = self._feed(items["train"])
            facts = self._decide(model, strategy, feed, items["train"])
            resumed = self.run is not None
            run = self._open(task, source, model, splits, feed)
            with run.locked():
                return self._train(run, task, model, strategy, splits, items, feed, facts, resumed)

    def _feed(self, items: Sequence[Encoded]) -> Feed:
        section = self.recipe.train
        return Feed(
            [item.length for item in items],
            tokens=section.tokens_per_batch,
            rows=section.rows_per_batch,
            epochs=section.epochs,
            max_steps=section.max_steps,
            accumulate=section.accumulate,
            seed=section.seed,
        )

    def _decide(self, model: nn.Module, strategy: Strategy, feed: Feed, items: Sequence[Encoded]) -> dict[str, str]:
        """Settle what is left open; the reasons come back as facts to print."""
        section = self.recipe.train
        precision = choose_precision(section.precision, model, strategy.device)
        warmup = round(0.05 * feed.total_steps) if section.warmup_steps is None else section.warmup_steps
        self.recipe = with_values(
            self.recipe, "train", precision=precision.name, warmup_steps=warmup, device=strategy.device.type
        )
        use_cheap_dropout(model, strategy.device)
        attention = fit_attention(model, [item.length for item in items], strategy.device)
        moving, every = count_parameters(model)
        return {
            "parameters": f"{every:,}, of which {moving:,} train ({self.recipe.method.name})",
            "precision": f"{precision.name}: {precision.reason}",
            **({} if attention is None else {"attention": attention}),
            "device": f"{strategy.device.type}, {torch.get_num_threads()} threads",
        }

    def _open(
        self, task: Task[Any, Any], source: ModelSource, model: nn.Module, splits: Splits[Any], feed: Feed
    ) -> Run:
        moving, every = count_parameters(model)
        facts = {
            "task": self.recipe.task,
            "method": self.recipe.method.name,
            "model": {
                "name": source.name,
                "digest": source.digest,
                "revision": source.revision,
                "parameters": every,
                "trainable": moving,
            },
            "data": {
                "files": [asdict(file) for file in splits.files],
                **{name: len(getattr(splits, name)) for name in ("train", "validation", "test")},
            },
            "precision": self.recipe.train.precision,
            "device": self.recipe.train.device,
            "threads": torch.get_num_threads(),
            "seed": self.recipe.train.seed,
            "total_steps": feed.total_steps,
            "environment": environment(),
        }
        if self.run is None:
            run = Run.create(self.recipe.output, self.recipe)
            run.update(**facts)
            return run
        _refuse_other_inputs(self.run, facts)
        return self.run

    def _train(
        self,
        run: Run,
        task: Task[Any, Any],
        model: nn.Module,
        strategy: Strategy,
        splits: Splits[Any],
        items: dict[str, list[Encoded]],
        feed: Feed,
        facts: dict[str, str],
        resumed: bool,
    ) -> Run:
        tell = Teller(run, self.observers, get_host(), log_every=self.recipe.train.log_every)
        optimizer = make_optimizer(model, self.recipe.train)
        torch.manual_seed(self.recipe.train.seed)  # whatever building drew, training starts from the seed
        progress = Progress()
        checkpoint = latest_checkpoint(run.checkpoint_folder) if resumed else None
        if checkpoint is not None:
            progress = load_checkpoint(checkpoint, model=model, optimizer=optimizer)
        job = Job(
            self.recipe,
            task,
            model,
            optimizer,
            strategy,
            items["train"],
            feed,
            progress,
            lambda rows: [splits.train[row].origin for row in rows],
        )
        keeper = Keeper(run, job, splits, items, tell, self.stop)
        try:
            if resumed:
                run.truncate_metrics(progress.step)
            run.update(status="running", error=None)
            tell(
                RunStarted(
                    run=str(run.path),
                    recipe=self.recipe.model_dump(),
                    total_steps=feed.total_steps,
                    first_step=progress.step,
                    facts=_row_facts(splits, items) | facts,
                    unit="tokens" if task.default_rows_per_batch is None else "rows",
                )
            )
            if not resumed:
                for note in (*splits.notes, *task.notes):
                    tell(RunNote(run=str(run.path), message=note))
                keeper.before()
            if not run_steps(job, keeper.edges()):
                run.update(status="interrupted", steps=progress.step)
                tell(
                    RunFinished(
                        run=str(run.path),
                        status="interrupted",
                        steps=progress.step,
                        metrics={},
                        seconds=progress.seconds,
                    )
                )
                raise StoppedError(
                    f"stopped at step {progress.step} of {feed.total_steps}; everything is saved",
                    fix=f"tunesmith train --resume {run.path}",
                )
            keeper.settle()
            finish(run, self.recipe, progress, before=keeper.before_metrics(), splits=splits, tell=tell)
        except StoppedError:
            raise
        except BaseException as error:
            logger.debug("the job failed", exc_info=True)
            with suppress(OutputError):  # the disk that failed the job may refuse this as well
                run.update(status="failed", error=str(error) or type(error).__name__, steps=progress.step)
            raise
        return run


@contextmanager
def _own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout and initial weights draw from PyTorch's global generator: seed it, and give it back as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _row_facts(splits: Splits[Any], items: dict[str, list[Encoded]]) -> dict[str, str]:
    counts = {name: len(getattr(splits, name)) for name in ("train", "validation", "test")}
    rows = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    tokens = sum(item.length for item in items["train"])
    return {"rows": rows, "to learn from": f"{tokens:,} tokens"} if tokens > counts["train"] else {"rows": rows}


def _refuse_other_inputs(run: Run, facts: dict[str, Any]) -> None:
    """Resuming on other data or another base model would end in weights that no recipe describes."""
    stored = run.manifest
    changes = []
    before = {file["name"]: file["sha256"] for file in stored["data"]["files"]}
    now = {file["name"]: file["sha256"] for file in facts["data"]["files"]}
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            changes.append(
                f"{name} " + ("is new" if name not in before else "is gone" if name not in now else "changed")
            )
    if stored["model"]["digest"] != facts["model"]["digest"]:
        changes.append(f"the weights of {facts['model']['name']} changed")
    if changes:
        raise RunError(
            f"{run.path} cannot be resumed: its inputs are not what they were",
            given="; ".join(changes),
            expected="the files the run was started with",
            fix="bring them back, or start a new run with another output",
        )
