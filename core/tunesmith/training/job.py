# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a recipe to a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

from tunesmith._plugins import authorize, get_host
from tunesmith.data.cache import noting_entries
from tunesmith.errors import OutputError, RunError, StoppedError
from tunesmith.models.addressed import closing_addresses
from tunesmith.plugin import Action, RunFinished, RunNote, RunStarted
from tunesmith.recipe import Recipe
from tunesmith.registry import get_registry, noting_use
from tunesmith.runs import Run
from tunesmith.training.checkpoint import Progress, checkpoint_path, prune_checkpoints
from tunesmith.training.compiling import compiled
from tunesmith.training.conditions import (
    changed_conditions,
    plugin_versions,
    refuse_missing_plugins,
    refuse_other_inputs,
    refuse_other_recipe,
    same_threads,
)
from tunesmith.training.finish import finish
from tunesmith.training.heap import kept_memory
from tunesmith.training.keeper import Keeper
from tunesmith.training.loop import Job, run_steps
from tunesmith.training.moving import move_run
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.outlook import look_ahead, memory_explained, refuse_too_large, settle_activations
from tunesmith.training.prepare import Work, prepare
from tunesmith.training.randomness import own_random_state, seed_all
from tunesmith.training.resolve import refuse_changes
from tunesmith.training.strategy import Strategy
from tunesmith.training.telling import Observer, Teller
from tunesmith.training.tracker import Trackers
from tunesmith.training.vocabulary import has_occurring_rows

__all__ = ["start", "train"]

logger = logging.getLogger(__name__)
_OF_STRATEGIES = ("strategy", "recipe_section")


def train(
    recipe: Recipe | None = None,
    *,
    resume: str | Path | None = None,
    strategy: str | None = None,
    observers: Sequence[Observer] = (),
    stop: Flag | None = None,
    force: bool = False,
) -> Run:
    """Do the job a recipe describes.

    Everything is read, checked and encoded before the run folder appears; a mistake in the last row costs no
    training time and leaves nothing behind. The caller's random state is left as it was.

    Args:
        recipe: what to do. With ``resume`` it may be left out; given, it must agree with the run's own.
        resume: folder of a run that was interrupted or killed; goes on from its last checkpoint, and ends with
            the same weights, bit for bit, as if it had never stopped.
        strategy: with ``resume``: where the run goes on, if not where it began: its ``train.strategy`` becomes this.
            Both must compute what one process computes; the weights are then equal but for rounding.
        observers: called with every :class:`tunesmith.plugin.Event`, between steps.
        stop: set it (from a signal handler, another thread) to save a checkpoint and stop after the step.
        force: start although the job is estimated to need more memory than there is.

    Returns:
        The finished run.

    Raises:
        TunesmithError: see :mod:`tunesmith.errors`; ``StoppedError`` after ``stop``, with the work saved;
            ``TooLargeError`` before anything was written.
    """
    if resume is not None:
        run, stored = _take_up(resume, recipe, strategy)
        return start(stored, run=run, observers=observers, stop=stop, force=force)
    if recipe is None or strategy is not None:
        raise TypeError("train() needs a recipe, or resume=RUN; strategy=NAME goes with resume")
    if not isinstance(recipe, Recipe):
        raise TypeError(
            f"train() takes a Recipe, given {type(recipe).__name__}: "
            "read_recipe(path) makes one of a file, parse_recipe(mapping) of plain data"
        )
    return start(recipe, observers=observers, stop=stop, force=force)


def start(
    recipe: Recipe,
    *,
    run: Run | None = None,
    like: Run | None = None,
    observers: Sequence[Observer] = (),
    stop: Flag | None = None,
    force: bool = False,
) -> Run:
    """What :func:`train` does once it is known what to do.

    Args:
        recipe: of ``run``, where one is resumed.
        run: go on with this one.
        like: do what this one did: its inputs must be what they were.
        observers: as of ``train``.
        stop: as of ``train``.
        force: as of ``train``.
    """
    if run is None:
        Run.check_free(recipe.output)
    allowed = _authorized(recipe, run)
    registry, earlier = get_registry(), run or like
    if earlier is not None:
        refuse_missing_plugins(earlier, get_host().records)
    place = registry.load("strategy", recipe.train.strategy)
    with ExitStack() as stack:
        used = stack.enter_context(noting_use())
        kept = stack.enter_context(noting_entries())
        stack.enter_context(closing_addresses())
        strategy: Strategy = place(recipe)  # type: ignore[operator]
        for needed in (own_random_state(recipe.train.seed, strategy.device), kept_memory(), same_threads(earlier)):
            stack.enter_context(needed)
        with memory_explained():
            moved = run is not None and run.manifest.get("moved") is True
            work = prepare(recipe, strategy, registry, whole_vocabulary=moved)
            work, outlook = settle_activations(work, look_ahead(work))
        if outlook is not None:
            work = replace(work, facts={**work.facts, "memory": outlook.sentence})
            if not force:
                refuse_too_large(outlook)
        home = registry.find("strategy", recipe.train.strategy)
        plugins = plugin_versions({home.plugin: home, **used}.values())
        # A run may leave the plugin of its strategy behind, where nothing else of it is used (`moving.py`).
        # Settings in the recipe are no use of their own.
        only = home.plugin if used.get(home.plugin, home).spec.kind in _OF_STRATEGIES else None
        portable = strategy.portable and not has_occurring_rows(work.model)  # of which no other strategy knows
        told = {"plugins": plugins, "portable": portable, "only_strategy_of": only}
        now = {**work.manifest(), **told, "cache": sorted(kept)}
        if earlier is not None:
            refuse_other_inputs(earlier, now, doing="resumed" if earlier is run else "repeated")
        resumed = run is not None
        if run is None:
            run = Run.create(recipe.output, work.recipe, now | allowed)
        with run.locked(), _outcome_in_manifest(run), memory_explained(work, outlook, run.path):
            if resumed and allowed:
                run.update(**allowed)
            _carry_out(work, run, _other_conditions(run, now) if resumed else None, observers, stop or Flag())
    return run


def _authorized(recipe: Recipe, run: Run | None) -> dict[str, Any]:
    """Ask the gates; gives ``allowed`` of the manifest where one of them, now or before, has something recorded."""
    stored = {} if run is None else run.manifest.get("allowed")
    earlier = stored if isinstance(stored, dict) else {}  # runs of before gates could record something have none
    details = {"recipe": recipe.model_dump(), "resume": run is not None, "allowed": earlier}
    records = authorize(Action(name="train", subject=recipe.output, details=details))
    return {"allowed": {**earlier, **records}} if earlier or records else {}


def _take_up(folder: str | Path, recipe: Recipe | None, strategy: str | None) -> tuple[Run, Recipe]:
    run = Run.open(folder)
    stored = run.recipe()
    with run.locked():
        pass  # refused before minutes are spent on reading, where another process works on the run
    refuse_other_recipe(run, stored)
    if recipe is not None:
        refuse_changes(recipe, stored, str(run.path))
    if run.manifest.get("status") == "finished":
        raise RunError(
            f"{run.path} is finished: there is nothing to resume",
            given="status finished",
            expected="a run that was interrupted, failed or killed",
            fix="start a new run with another output, e.g. --set train.epochs=… --set output=…",
        )
    return run, stored if strategy is None else move_run(run, strategy, get_registry())


def _other_conditions(run: Run, now: Mapping[str, Any]) -> tuple[str, ...]:
    changed = changed_conditions(run.manifest, now)
    if not changed:
        return ()
    listed = ", ".join(f"{name} {before} → {after}" for name, (before, after) in changed.items())
    return (
        f"resumed under other conditions than the run was started under ({listed}); "
        "the weights will be close to those of a job that never stopped, not equal bit for bit",
    )


def _carry_out(
    work: Work, run: Run, resumed: tuple[str, ...] | None, observers: Sequence[Observer], stop: Flag
) -> None:
    """Train, from the start (``resumed`` is None) or from the newest whole checkpoint, and finish."""
    recipe, path = work.recipe, str(run.path)
    work.begin()
    optimizer = make_optimizer(work.model, recipe.train)
    checkpoints = work.strategy.checkpoints(
        run.checkpoint_folder, work.model, optimizer, keep=recipe.train.keep_checkpoints
    )
    seed_all(recipe.train.seed)  # whatever building drew, training starts from the seed
    progress, notes = Progress(), resumed or ()
    if resumed is not None:
        found, damage = checkpoints.load()
        notes += damage
        progress = found or progress  # none: an earlier session died before its first checkpoint
        run.truncate_metrics(progress.logged)
        prune_checkpoints(run.checkpoint_folder, recipe.train.keep_checkpoints)
        run.update(status="running", error=None)
    trackers = Trackers(recipe.trackers, get_registry())
    tell = Teller(run, observers, trackers, get_host(), log_every=recipe.train.log_every)
    job = Job(work, optimizer, progress)
    keeper = Keeper(run, job, tell, stop, checkpoints)
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
    with closing(checkpoints), _failure_told(tell, path, progress):
        if progress.step:
            keeper.saved(checkpoint_path(run.checkpoint_folder, progress.step))
        for note in notes:
            tell(RunNote(run=path, message=note))
        if not progress.step:
            for note in (*work.splits.notes, *work.task.notes, *work.strategy.notes(work.feed)):
                tell(RunNote(run=path, message=note))
            keeper.before()
        whole = _take_steps(job, keeper, tell, path)
        keeper.written()
        if not whole:
            run.update(status="interrupted", steps=progress.step)
            tell(RunFinished(run=path, status="interrupted", steps=progress.step, metrics={}, seconds=progress.seconds))
            raise StoppedError(
                f"stopped at step {progress.step} of {work.feed.total_steps}; everything is saved",
                fix=work.strategy.resume_command(path),
            )
        keeper.settle()
        optimizer.state.clear()  # twice the weights' memory, which the saved model's copy is about to need
        finish(run, work, progress, before=keeper.before_metrics(), tell=tell)


def _take_steps(job: Job, keeper: Keeper, tell: Teller, run: str) -> bool:
    """``run_steps``, over compiled layers where the recipe says so."""
    with compiled(job) as compilation:
        if compilation is not None:
            tell(RunNote(run=run, message=compilation.note()))
        whole = run_steps(job, keeper.edges())
    if compilation is not None and compilation.plain:
        tell(RunNote(run=run, message=compilation.afterword()))
    return whole


@contextmanager
def _failure_told(tell: Teller, run: str, progress: Progress) -> Iterator[None]:
    """Whoever watches a run hears of every end, so that nothing is held open for a job that failed."""
    try:
        yield
    except StoppedError:
        raise
    except BaseException:
        with suppress(Exception):
            tell(RunFinished(run=run, status="failed", steps=progress.step, metrics={}, seconds=progress.seconds))
        raise


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
