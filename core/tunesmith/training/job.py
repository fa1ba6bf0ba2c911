# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a recipe to a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

import torch

from tunesmith._plugins import get_host
from tunesmith.errors import OutputError, RunError, StoppedError
from tunesmith.plugin import RunFinished, RunNote, RunStarted
from tunesmith.recipe import Recipe
from tunesmith.registry import get_registry
from tunesmith.runs import Run
from tunesmith.training.checkpoint import Progress, latest_checkpoint, load_checkpoint
from tunesmith.training.finish import finish
from tunesmith.training.heap import kept_memory
from tunesmith.training.keeper import Keeper
from tunesmith.training.loop import Job, run_steps
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.prepare import Work, prepare
from tunesmith.training.resolve import refuse_changes
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
    run = None
    if resume is not None:
        run, recipe = _take_up(resume, recipe)
    elif recipe is None:
        raise TypeError("train() needs a recipe, or resume=RUN")
    elif not isinstance(recipe, Recipe):
        raise TypeError(
            f"train() takes a Recipe, given {type(recipe).__name__}: "
            "read_recipe(path) makes one of a file, parse_recipe(mapping) of plain data"
        )
    else:
        Run.check_free(recipe.output)
    registry = get_registry()
    strategy: Strategy = registry.load("strategy", recipe.train.strategy)(recipe.train)  # type: ignore[operator]
    with _own_random_state(recipe.train.seed, strategy.device), kept_memory():
        work = prepare(recipe, strategy, registry)
        resumed = run is not None
        if run is None:
            run = Run.create(recipe.output, work.recipe)
            run.update(**work.manifest())
        else:
            _refuse_other_inputs(run, work.manifest())
        with run.locked(), _outcome_in_manifest(run):
            _carry_out(work, run, resumed, observers, stop or Flag())
    return run


def _take_up(folder: str | Path, recipe: Recipe | None) -> tuple[Run, Recipe]:
    run = Run.open(folder)
    stored = run.recipe()
    if recipe is not None:
        refuse_changes(recipe, stored, str(run.path))
    if run.manifest.get("status") == "finished":
        raise RunError(
            f"{run.path} is finished: there is nothing to resume",
            given="status finished",
            expected="a run that was interrupted, failed or killed",
            fix="start a new run with another output, e.g. --set train.epochs=… --set output=…",
        )
    return run, stored


def _carry_out(work: Work, run: Run, resumed: bool, observers: Sequence[Observer], stop: Flag) -> None:
    """Train, from the start or from the last checkpoint, and finish."""
    recipe, path = work.recipe, str(run.path)
    optimizer = make_optimizer(work.model, recipe.train)
    torch.manual_seed(recipe.train.seed)  # whatever building drew, training starts from the seed
    checkpoint = latest_checkpoint(run.checkpoint_folder) if resumed else None
    progress = Progress()
    if checkpoint is not None:
        progress = load_checkpoint(checkpoint, model=work.model, optimizer=optimizer)
    if resumed:
        run.truncate_metrics(progress.step)
        run.update(status="running", error=None)
    tell = Teller(run, observers, get_host(), log_every=recipe.train.log_every)
    job = Job(work, optimizer, progress)
    keeper = Keeper(run, job, tell, stop)
    tell(
        RunStarted(
            run=path,
            recipe=recipe.model_dump(),
            total_steps=work.feed.total_steps,
            first_step=progress.step,
            facts=work.facts,
            unit="tokens" if work.task.default_rows_per_batch is None else "rows",
        )
    )
    if not run.metrics():  # also when an earlier session of the job died before it came this far
        for note in (*work.splits.notes, *work.task.notes):
            tell(RunNote(run=path, message=note))
        keeper.before()
    if not run_steps(job, keeper.edges()):
        run.update(status="interrupted", steps=progress.step)
        tell(RunFinished(run=path, status="interrupted", steps=progress.step, metrics={}, seconds=progress.seconds))
        raise StoppedError(
            f"stopped at step {progress.step} of {work.feed.total_steps}; everything is saved",
            fix=f"tunesmith train --resume {path}",
        )
    keeper.settle()
    optimizer.state.clear()  # twice the weights' memory, which the saved model's copy is about to need
    finish(run, work, progress, before=keeper.before_metrics(), tell=tell)


@contextmanager
def _outcome_in_manifest(run: Run) -> Iterator[None]:
    """Whatever ends a job early is written into its manifest, as far as the disk still allows."""
    try:
        yield
    except StoppedError:
        raise
    except BaseException as error:
        with suppress(OutputError):  # the disk that failed the job may refuse this as well
            run.update(status="failed", error=str(error) or type(error).__name__)
        raise


@contextmanager
def _own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout and initial weights draw from PyTorch's global generator: seed it, and give it back as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _refuse_other_inputs(run: Run, now: dict[str, Any]) -> None:
    """Resuming on other data or another base model would end in weights that no recipe describes."""
    stored = run.manifest
    before, after = ({file["name"]: file["sha256"] for file in facts["data"]["files"]} for facts in (stored, now))
    changes = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            change = "is new" if name not in before else "is gone" if name not in after else "changed"
            changes.append(f"{name} {change}")
    if stored["model"]["digest"] != now["model"]["digest"]:
        changes.append(f"the weights of {now['model']['name']} changed")
    if changes:
        raise RunError(
            f"{run.path} cannot be resumed: its inputs are not what they were",
            given="; ".join(changes),
            expected="the files the run was started with",
            fix="bring them back, or start a new run with another output",
        )
