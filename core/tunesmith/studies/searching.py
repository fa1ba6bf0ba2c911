# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Search over values of a recipe: many runs, one best recipe.

::

    SEARCH/
      study.json  study.db  recipe.yaml     what was asked; every figure; the recipe that is varied
      trials/0001/ …                        ordinary run folders; the best keeps its model
      best.yaml                             the recipe with the best values, for `tunesmith train`
      report.html

What is compared is the deciding metric on the *validation* rows. Test rows choose nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any

from tunesmith.errors import RecipeError, RunError, StoppedError, TrainingError
from tunesmith.recipe import Recipe, dump_recipe
from tunesmith.registry import get_registry
from tunesmith.runs import Run, atomic_write
from tunesmith.studies.folder import StudyFolder
from tunesmith.studies.optimizer import PRUNERS, SAMPLERS, Optimizer, Told, check_grid, opened, require_optuna
from tunesmith.studies.report import write_search_report
from tunesmith.studies.space import Dimension, parse_space, with_values
from tunesmith.studies.trials import ENDED, remove_weights, run_trial
from tunesmith.tasks.base import Metric, Task
from tunesmith.training import Observer
from tunesmith.training.resolve import deciding_metric

__all__ = ["KEEP", "SearchResult", "Trial", "search"]

KEEP = ("best", "all", "none")
_ASKED = {"over", "trials", "seed", "sampler", "pruner", "keep"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a search.

    Attributes:
        number: 1-based.
        state: ``running``; ``complete``; ``pruned``: stopped early as hopeless; ``diverged``: its loss was not finite;
            ``too large``: it did not fit into memory.
        values: key of the recipe to the value that was tried.
        figure: the deciding metric on the validation rows; of a pruned trial the last one it reached.
        seconds: time in training steps.
        run: its run folder.
    """

    number: int
    state: str
    values: Mapping[str, Any]
    figure: float | None
    seconds: float
    run: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes:
        path: the folder of the search.
        metric: what was compared, on the validation rows.
        greater_is_better: which way is up.
        trials: all that have ended, in order.
        best: the best of those that ran to their end.
        recipe: the recipe with the best values; also the file ``best.yaml``.
        test: figures of the best trial's model on the test rows; they chose nothing. Empty without test rows.
    """

    path: Path
    metric: str
    greater_is_better: bool
    trials: tuple[Trial, ...]
    best: Trial
    recipe: Recipe
    test: Mapping[str, float]

    @property
    def best_file(self) -> Path:
        """The best recipe as a file."""
        return self.path / "best.yaml"

    @property
    def report_file(self) -> Path:
        """The report."""
        return self.path / "report.html"


def search(
    recipe: Recipe | None = None,
    over: Mapping[str, str | Sequence[Any]] | None = None,
    *,
    trials: int | None = None,
    timeout: float | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    keep: str | None = None,
    resume: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
    tell: Callable[[Trial], None] | None = None,
    stop: Flag | None = None,
) -> SearchResult:
    """Try values of a recipe's keys and find the best.

    Every trial is the recipe with some values replaced, and nothing else: same rows, same seed. The best recipe
    trained again on the same machine gives the best trial's weights, bit for bit.

    Args:
        recipe: what is varied; needs validation rows. Its ``output`` becomes the folder of the search.
        over: key to a range or values, ``{"train.learning_rate": "log:1e-5..1e-3", "method.rank": [8, 16, 32]}``;
            see :mod:`tunesmith.studies.space`.
        trials: how many in all. Default: 20; a grid: all of it; with ``resume``: as first asked.
        timeout: seconds; then the trial under way is saved and stopped, to be taken up with ``resume``.
        seed: of what is tried; the recipe's own seed is that of each trial's weights. Default: 0.
        sampler: ``tpe`` (Bergstra et al. 2011), ``random``, or ``grid``: every combination, in the order written.
            Default: ``tpe``.
        pruner: which trials are stopped early after an evaluation: ``median`` (worse than the median of earlier trials
            at the same evaluation, from the sixth trial on), ``hyperband`` (Li et al. 2018, arXiv:1603.06560) or
            ``none``. Default: ``median``.
        keep: whose model stays on the disk: ``best``, ``all`` or ``none``; recipes, figures and reports always stay.
            Default: ``best``; with ``resume``: as first asked.
        resume: folder of a search that was stopped or killed, or that shall have more ``trials``. A trial that was
            under way goes on from its last checkpoint. What was asked first stays; only ``trials``, ``timeout`` and
            ``keep`` may be given anew.
        observers: told every event of every run.
        tell: called with each trial when it begins (``running``) and when it has ended.
        stop: set it to save the trial under way and stop.

    Raises:
        RecipeError: an unknown key, an impossible value, no validation rows.
        PluginError: Optuna is not installed.
        StoppedError: after ``stop``, or where ``timeout`` came before any trial had ended.
        TrainingError: no trial ran to its end.
        TunesmithError: whatever would end every trial: rows, model, disk.
    """
    require_optuna()
    if resume is not None:
        given = {"recipe": recipe, "over": over, "seed": seed, "sampler": sampler, "pruner": pruner}
        for name in (name for name, value in given.items() if value is not None):
            raise TypeError(f"a resumed search goes on with what was first asked: {name} cannot be given with resume")
        folder = StudyFolder.open(resume, "search")
        asked = _asked_again(folder, trials, keep)
        recipe = folder.recipe()
    else:
        if recipe is None:
            raise TypeError("search() needs a recipe and what to search over, or resume=FOLDER")
        asked = _asked(recipe, over or {}, trials, seed or 0, sampler or "tpe", pruner or "median", keep or "best")
        folder = StudyFolder.create(recipe, "search", asked)
    space = parse_space(recipe, asked["over"])
    metric = _metric(recipe)
    with (
        folder.locked(),
        opened(
            folder.path,
            space,
            seed=asked["seed"],
            sampler=asked["sampler"],
            pruner=asked["pruner"],
            greater_is_better=metric.greater_is_better,
        ) as optimizer,
    ):
        job = _Search(folder, recipe, space, metric, optimizer, asked, tell or (lambda trial: None))
        in_time = _Deadline(stop or Flag(), timeout)
        job.go_on(observers, in_time)
        return job.result(in_time)


class _Deadline(Flag):
    """A flag that somebody sets, or the clock."""

    def __init__(self, stop: Flag, seconds: float | None) -> None:
        super().__init__()
        self._stop, self._seconds = stop, seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def asked(self) -> bool:
        """Somebody set the flag, and not the clock."""
        return self._stop.is_set()

    def is_set(self) -> bool:
        return self.asked or (self._end is not None and time.monotonic() >= self._end)


class _Search:
    """The course of a search in an open study."""

    def __init__(
        self,
        folder: StudyFolder,
        recipe: Recipe,
        space: Sequence[Dimension],
        metric: Metric,
        optimizer: Optimizer,
        asked: Mapping[str, Any],
        tell: Callable[[Trial], None],
    ) -> None:
        self._folder, self._recipe, self._space, self._metric = folder, recipe, space, metric
        self._optimizer, self._asked, self._tell = optimizer, asked, tell

    def go_on(self, observers: Sequence[Observer], in_time: _Deadline) -> None:
        """Make trials until there are as many as were asked for, or the time is up."""
        self._write_down()  # also what a process that was killed had told and not written
        while len(self._optimizer.told()) < self._asked["trials"] and not in_time.is_set():
            proposal = self._optimizer.propose()
            if proposal is None:
                return
            run = self._run_folder(proposal.number)
            trial = Trial(
                number=proposal.number, state="running", values=proposal.values, figure=None, seconds=0.0, run=run
            )
            self._tell(trial)
            changed = {"output": str(run), "evaluate.before": False, **proposal.values}
            try:
                outcome = run_trial(
                    with_values(self._recipe, changed),
                    metric=self._metric.name,
                    judge=proposal,
                    observers=observers,
                    stop=in_time,
                )
            except StoppedError:
                return
            self._optimizer.tell(proposal, outcome)
            self._write_down()
            self._tell(self._trial(Told(proposal.number, proposal.values, outcome)))

    def result(self, in_time: _Deadline) -> SearchResult:
        """What there is now.

        Raises:
            StoppedError: somebody asked to stop, or the time was up before any trial had ended.
            TrainingError: no trial ran to its end.
        """
        trials, best = self._trials(), self._best()
        if in_time.asked or (best is None and in_time.is_set()):
            raise StoppedError(
                f"stopped after {len(trials)} of {self._asked['trials']} trials; everything is saved",
                fix=f"tunesmith search --resume {self._folder.path}",
            )
        if best is None:
            states = [trial.state for trial in trials]
            raise TrainingError(
                "no trial of the search ran to its end",
                given=", ".join(f"{states.count(state)} {state}" for state in ENDED if state in states),
                expected="at least one whose loss stays finite, and that fits into memory",
                fix=[
                    "search over smaller learning rates; the report of each trial shows where its loss left",
                    "or over smaller steps and models; `tunesmith plan` shows what they need",
                ],
            )
        manifest = Run.open(best.run).manifest
        return SearchResult(
            path=self._folder.path,
            metric=self._metric.name,
            greater_is_better=self._metric.greater_is_better,
            trials=tuple(trials),
            best=best,
            recipe=self._best_recipe(best),
            test=manifest["metrics"].get("test", {}),
        )

    # ---- what is written -----------------------------------------------------------------------

    def _write_down(self) -> None:
        """Results, best recipe and report, from the study; and the disk that losing trials hold is freed."""
        trials, best = self._trials(), self._best()
        for trial in trials:
            kept = self._asked["keep"] == "all" or (self._asked["keep"] == "best" and trial == best)
            if trial.run.is_dir():
                remove_weights(trial.run, model=not kept)
        if best is not None:
            atomic_write(self._folder.path / "best.yaml", dump_recipe(self._best_recipe(best)))
        self._folder.update(
            asked=dict(self._asked),
            metric={"name": self._metric.name, "greater_is_better": self._metric.greater_is_better},
            trials=[
                {
                    "number": trial.number,
                    "state": trial.state,
                    "values": dict(trial.values),
                    "figure": trial.figure,
                    "seconds": round(trial.seconds, 3),
                    "run": str(trial.run.relative_to(self._folder.path)),
                }
                for trial in trials
            ],
            best=None if best is None else best.number,
        )
        if trials:
            write_search_report(self._folder.path, self._recipe, self._space, self._metric, trials, best)

    def _trials(self) -> list[Trial]:
        return [self._trial(told) for told in self._optimizer.told()]

    def _trial(self, told: Told) -> Trial:
        return Trial(
            number=told.number,
            state=told.outcome.state,
            values=told.values,
            figure=told.outcome.value,
            seconds=told.outcome.seconds,
            run=self._run_folder(told.number),
        )

    def _best(self) -> Trial | None:
        """Of equals the first."""
        complete = [trial for trial in self._trials() if trial.state == "complete"]
        sign = -1 if self._metric.greater_is_better else 1
        return min(complete, key=lambda trial: (sign * (trial.figure or 0.0), trial.number), default=None)

    def _best_recipe(self, best: Trial) -> Recipe:
        return with_values(self._recipe, {**best.values, "output": str(self._folder.path / "best")})

    def _run_folder(self, number: int) -> Path:
        return self._folder.path / "trials" / f"{number:04d}"


def _asked(
    recipe: Recipe,
    over: Mapping[str, str | Sequence[Any]],
    trials: int | None,
    seed: int,
    sampler: str,
    pruner: str,
    keep: str,
) -> dict[str, Any]:
    """What was asked for, checked, as ``study.json`` holds it."""
    space = parse_space(recipe, over)
    for name, value, known in (("sampler", sampler, SAMPLERS), ("pruner", pruner, PRUNERS), ("keep", keep, KEEP)):
        _one_of(name, value, known)
    _metric(recipe)
    if not recipe.data.validation and not recipe.data.split.validation:
        raise RecipeError(
            "a search needs validation rows to compare trials by",
            given="neither data.validation nor data.split.validation",
            expected="rows that are not trained on, and are not the test rows",
            fix="--set data.split.validation=0.1 holds out a tenth of the training rows",
        )
    size = check_grid(space) if sampler == "grid" else None
    wanted = trials if trials is not None else size or 20
    _at_least_one(wanted)
    return {
        "over": {key: spec if isinstance(spec, str) else list(spec) for key, spec in over.items()},
        "trials": wanted if size is None else min(wanted, size),
        "seed": seed,
        "sampler": sampler,
        "pruner": pruner,
        "keep": keep,
    }


def _asked_again(folder: StudyFolder, trials: int | None, keep: str | None) -> dict[str, Any]:
    _one_of("keep", keep or "best", KEEP)
    asked = folder.manifest.get("asked")
    if not isinstance(asked, dict) or _ASKED - asked.keys():
        raise RunError(f"{folder.path}: study.json does not say what was asked", fix="bring it back from a copy")
    if trials is not None:
        _at_least_one(trials)
    return asked | {"trials": trials or asked["trials"], "keep": keep or asked["keep"]}


def _at_least_one(trials: int) -> None:
    if trials < 1:
        raise RecipeError("--trials is too small", given=trials, expected="a whole number of at least 1")


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise RecipeError(f"--{name} {value}: unknown", given=value, expected=" or ".join(known))


def _metric(recipe: Recipe) -> Metric:
    task: Task[Any, Any] = get_registry().load("task", recipe.task)(recipe.data)  # type: ignore[operator]
    return deciding_metric(recipe, task)
