# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One run of a study: begun, taken up, stopped early, and what is left of it on the disk."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Literal, Protocol

from tunesmith.errors import NonFiniteLossError, OutOfMemoryError, RunError, StoppedError, TooLargeError
from tunesmith.plugin import Evaluated, RunEvent, RunFinished, RunStarted, StepDone
from tunesmith.recipe import Recipe
from tunesmith.runs import Run
from tunesmith.training import Observer, train

__all__ = ["ENDED", "Judge", "Outcome", "begin_or_take_up", "remove_weights", "run_trial"]

ENDED = ("complete", "pruned", "diverged", "too large")
"""How a trial can end, best first."""


class Judge(Protocol):
    """Hears every validation figure of a trial and says when it is hopeless."""

    def hopeless(self, evaluation: int, value: float) -> bool:
        """True when the trial should stop.

        Args:
            evaluation: 1 for the trial's first evaluation, and so on: what trials are compared at.
            value: of the deciding metric.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: ``complete``; ``pruned``: stopped early as hopeless; ``diverged``: its loss was not finite;
            ``too large``: it did not fit into memory.
        value: of the deciding metric on the validation rows; of a pruned trial the last one it reached.
        seconds: time in training steps, over all sessions.
    """

    state: Literal["complete", "pruned", "diverged", "too large"]
    value: float | None
    seconds: float


def begin_or_take_up(recipe: Recipe, *, observers: Sequence[Observer], stop: Flag) -> Run:
    """Do a run of a study, or go on with what an earlier process left of it, or find it finished.

    Raises:
        TunesmithError: as :func:`tunesmith.training.train`.
    """
    folder = Path(recipe.output)
    run = _taken_up(folder)
    if run is not None and run.manifest["status"] == "finished":
        return run
    return train(recipe, resume=None if run is None else folder, observers=observers, stop=stop)


def run_trial(
    recipe: Recipe, *, metric: str, judge: Judge, observers: Sequence[Observer] = (), stop: Flag | None = None
) -> Outcome:
    """Train with a recipe, stop when it is hopeless, and say how it ended.

    Args:
        recipe: of the trial; ``output`` is its folder, empty or left by a process that was killed.
        metric: the deciding metric, on the validation rows.
        judge: asked after every evaluation.
        observers: told everything that happens in the run.
        stop: set it to save and stop.

    Raises:
        StoppedError: ``stop`` was set.
        TunesmithError: what would end every other trial as well: rows, model, disk.
    """
    watch = _Watch(metric, judge, stop or Flag())
    try:
        run = begin_or_take_up(recipe, observers=[watch, *observers], stop=watch.halt)
    except NonFiniteLossError:
        return Outcome("diverged", None, watch.seconds)
    except (TooLargeError, OutOfMemoryError):
        return Outcome("too large", None, watch.seconds)
    except StoppedError:
        if not watch.pruned:
            raise
        return Outcome("pruned", watch.last, watch.seconds)
    manifest = run.manifest
    value = float(manifest["metrics"]["validation"][metric])
    if not math.isfinite(value):
        return Outcome("diverged", None, float(manifest["seconds"]))
    return Outcome("complete", value, float(manifest["seconds"]))


class _Watch:
    """Hands evaluations to the judge; relays a stop that somebody else asked for."""

    def __init__(self, metric: str, judge: Judge, stop: Flag) -> None:
        self.halt, self.pruned = Flag(), False
        self.last: float | None = None
        self.seconds = 0.0
        self._metric, self._judge, self._stop = metric, judge, stop
        self._evaluations = 0

    def __call__(self, event: RunEvent) -> None:
        if self._stop.is_set():
            self.halt.set()
        if isinstance(event, StepDone):
            self.seconds += event.seconds
        elif isinstance(event, RunFinished):
            self.seconds = event.seconds  # with those of earlier sessions
        elif isinstance(event, RunStarted) and event.first_step:
            for record in Run.open(event.run).metrics():  # of the sessions before this one
                if record["kind"] == "evaluation" and record["split"] == "validation" and record["step"] > 0:
                    self._evaluated(float(record["metrics"][self._metric]))
        elif isinstance(event, Evaluated) and event.split == "validation" and event.step > 0:
            self._evaluated(event.metrics[self._metric])

    def _evaluated(self, value: float) -> None:
        self._evaluations += 1
        self.last = value
        if self._judge.hopeless(self._evaluations, value):
            self.pruned = True
            self.halt.set()


def remove_weights(folder: Path, *, model: bool) -> None:
    """Free the disk a run holds: its checkpoints and, if asked, its model. Recipe, metrics and report stay."""
    for name, gone in (("checkpoints", True), ("model", model)):
        if gone and (folder / name).is_dir():
            shutil.rmtree(folder / name)


def _taken_up(folder: Path) -> Run | None:
    """The run that a killed process left there; what it had not even begun is cleared away."""
    if not folder.exists():
        return None
    try:
        run = Run.open(folder)
        run.recipe()
    except RunError:
        shutil.rmtree(folder)  # it lies in the study's own folder, and holds no step
        return None
    if "data" not in run.manifest:  # killed between making the folder and writing down what went in
        shutil.rmtree(folder)
        return None
    return run
