# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Cross-validation: a recipe trained k times, each time scored on the part of the rows it has not seen.

::

    STUDY/
      study.json  recipe.yaml     what was asked, the figures of each fold; the recipe
      folds/1/ …                  ordinary run folders
      report.html

A fold's rows are the *test* split of its run: they choose nothing, not even the step whose weights are kept. Where the
recipe has a validation split, it is cut off the other rows.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any

from tunesmith.errors import RecipeError, StoppedError
from tunesmith.recipe import Recipe
from tunesmith.runs import Run
from tunesmith.studies.folder import StudyFolder
from tunesmith.studies.report import write_crossval_report
from tunesmith.studies.space import with_values
from tunesmith.studies.trials import begin_or_take_up, remove_weights
from tunesmith.training import Observer

__all__ = ["CrossValidation", "Fold", "cross_validate", "left_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One run of a cross-validation.

    Attributes:
        number: 1-based.
        metrics: figures on the rows that were held out.
        rows: how many rows were held out.
        seconds: time in training steps.
        run: its run folder.
    """

    number: int
    metrics: Mapping[str, float]
    rows: int
    seconds: float
    run: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """The figures of all folds.

    Attributes:
        path: the folder of the study.
        folds: in order.
        mean: of each metric over the folds.
        deviation: of each metric: the sample standard deviation over the folds (divided by k - 1).
    """

    path: Path
    folds: tuple[Fold, ...]
    mean: Mapping[str, float]
    deviation: Mapping[str, float]

    @property
    def report_file(self) -> Path:
        """The report."""
        return self.path / "report.html"


def cross_validate(
    recipe: Recipe | None = None,
    *,
    folds: int | None = None,
    group: str | None = None,
    keep: bool | None = None,
    resume: str | os.PathLike[str] | None = None,
    observers: Sequence[Observer] = (),
    tell: Callable[[Fold], None] | None = None,
    stop: Flag | None = None,
) -> CrossValidation:
    """Train a recipe once for each fold and score every row once, by a model that has not seen it.

    Rows with the same label are spread evenly over the folds, drawn by ``data.split.seed``. Each fold is an ordinary
    run and can be repeated alone: its recipe holds ``data.split.folds`` and ``data.split.fold``.

    Args:
        recipe: what is trained. Its ``output`` becomes the folder of the study; its test rows, if any, are not read.
        folds: how many parts, at least 2. Default: 5.
        group: your column whose equal values stay in one fold (a writer, a patient), instead of spreading labels.
        keep: keep the models of the folds on the disk; recipes, figures and reports always stay.
        resume: folder of a cross-validation that was stopped or killed: finished folds are not made again, the one
            under way goes on from its last checkpoint. Everything else is as first asked.
        observers: told every event of every run.
        tell: called with each fold that is finished.
        stop: set it to save the run under way and stop.

    Raises:
        RecipeError: fewer than two folds, or a recipe that is one fold already.
        StoppedError: after ``stop``.
        TunesmithError: what ends a run: see :func:`tunesmith.train`.
    """
    if resume is not None:
        given = {"recipe": recipe, "folds": folds, "group": group, "keep": keep}
        for name in (name for name, value in given.items() if value is not None):
            raise TypeError(f"a resumed cross-validation goes on as first asked: {name} cannot be given with resume")
        folder = StudyFolder.open(resume, "crossval")
        asked = folder.manifest["asked"]
        recipe = folder.recipe()
        parts = _recipes(recipe, asked["folds"], asked["group"], folder.path)
    elif recipe is None:
        raise TypeError("cross_validate() needs a recipe, or resume=FOLDER")
    else:
        folds = 5 if folds is None else folds
        asked = {"folds": folds, "group": group, "keep": bool(keep)}
        parts = _recipes(recipe, folds, group, Path(recipe.output).expanduser())
        folder = StudyFolder.create(recipe, "crossval", asked)
    stop = stop or Flag()
    done: list[Fold] = []
    with folder.locked():
        for number, part in enumerate(parts, start=1):
            if stop.is_set():
                raise _stopped(folder, len(done), len(parts))
            try:
                run = begin_or_take_up(part, observers=observers, stop=stop)
            except StoppedError as error:
                raise _stopped(folder, len(done), len(parts)) from error
            remove_weights(run.path, model=not asked["keep"])
            done.append(_fold(number, run))
            _write_down(folder, recipe, done, len(parts))
            if tell is not None:
                tell(done[-1])
    mean, deviation = _figures(done)
    return CrossValidation(path=folder.path, folds=tuple(done), mean=mean, deviation=deviation)


def left_out(recipe: Recipe) -> str | None:
    """A sentence for people, where the recipe's own test rows are not used."""
    if recipe.data.test or recipe.data.split.test:
        return "the recipe's own test rows are left out: each fold is scored on the rows it holds out"
    return None


def _recipes(recipe: Recipe, folds: int, group: str | None, path: Path) -> list[Recipe]:
    if folds < 2:
        raise RecipeError("a cross-validation needs two folds", given=folds, expected="a whole number of at least 2")
    if recipe.data.split.folds is not None:
        raise RecipeError(
            "the recipe is one fold of a cross-validation already",
            given=f"data.split.folds: {recipe.data.split.folds}, data.split.fold: {recipe.data.split.fold}",
            expected="a recipe of all rows",
            fix="leave data.split.folds and data.split.fold out; --folds says how many",
        )
    split = recipe.data.split.model_dump(exclude={"test"})
    return [
        with_values(
            recipe,
            {
                "data.split": split | {"folds": folds, "fold": fold, "group": group},
                "data.test": [],
                "evaluate.before": False,
                "output": str(path / "folds" / str(fold)),
            },
        )
        for fold in range(1, folds + 1)
    ]


def _fold(number: int, run: Run) -> Fold:
    manifest = run.manifest
    return Fold(
        number=number,
        metrics=manifest["metrics"]["test"],
        rows=manifest["data"]["test"],
        seconds=manifest["seconds"],
        run=run.path,
    )


def _figures(folds: Sequence[Fold]) -> tuple[dict[str, float], dict[str, float]]:
    columns = {name: [fold.metrics[name] for fold in folds] for name in folds[0].metrics}
    mean = {name: statistics.fmean(values) for name, values in columns.items()}
    deviation = {name: statistics.stdev(values) if len(values) > 1 else 0.0 for name, values in columns.items()}
    return mean, deviation


def _write_down(folder: StudyFolder, recipe: Recipe, folds: Sequence[Fold], wanted: int) -> None:
    mean, deviation = _figures(folds)
    found: list[dict[str, Any]] = [
        {
            "number": fold.number,
            "metrics": dict(fold.metrics),
            "rows": fold.rows,
            "seconds": fold.seconds,
            "run": fold.run.relative_to(folder.path).as_posix(),
        }
        for fold in folds
    ]
    folder.update(folds=found, mean=mean, deviation=deviation)
    write_crossval_report(folder.path, recipe, folds, wanted, mean, deviation)


def _stopped(folder: StudyFolder, done: int, wanted: int) -> StoppedError:
    return StoppedError(
        f"stopped after {done} of {wanted} folds; everything is saved",
        fix=f"tunesmith crossval --resume {folder.path}",
    )
