# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The pages: facts of a study, handed to its template."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import __version__
from tunesmith.evaluate.facts import duration, figure_text
from tunesmith.evaluate.report.page import page_environment
from tunesmith.recipe import Recipe, dump_recipe
from tunesmith.recipe.dump import inline
from tunesmith.runs import atomic_write
from tunesmith.studies.report.scatter import Point, Scatter, scatter
from tunesmith.studies.space import Dimension
from tunesmith.studies.trials import ENDED
from tunesmith.tasks.base import Metric

if TYPE_CHECKING:
    from tunesmith.studies.crossval import Fold
    from tunesmith.studies.searching import Trial

__all__ = ["write_crossval_report", "write_page", "write_search_report"]


def write_page(folder: Path, template: str, recipe: Recipe, **facts: Any) -> None:
    """Draw a template of this package into ``folder/report.html``.

    Raises:
        OutputError: the folder cannot be written.
    """
    page = (
        page_environment("tunesmith.studies.report")
        .get_template(template)
        .render(
            name=folder.resolve().name,
            task=recipe.task,
            model=recipe.model.name,
            recipe=dump_recipe(recipe),
            made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            **facts,
        )
    )
    atomic_write(folder / "report.html", page.encode("utf-8", errors="replace"))


def write_search_report(
    folder: Path,
    recipe: Recipe,
    space: Sequence[Dimension],
    metric: Metric,
    trials: Sequence[Trial],
    best: Trial | None,
) -> None:
    """Write ``report.html`` of a search: the course, what each value gave, every trial.

    Raises:
        OutputError: the folder cannot be written.
    """
    states = [trial.state for trial in trials]
    ordered = sorted(trials, key=lambda trial: _rank(trial, metric))
    write_page(
        folder,
        "search.html.j2",
        recipe,
        metric=metric.name,
        summary=metric.summary,
        best=best,
        best_figure=None if best is None or best.figure is None else figure_text(metric.name, best.figure),
        counts={state: states.count(state) for state in dict.fromkeys(states)},
        seconds=duration(sum(trial.seconds for trial in trials)),
        course=_course(trials, metric, best),
        slices=[plot for one in space if (plot := _slice(one, trials, metric, best)) is not None],
        header=[one.key for one in space],
        rows=[
            {
                "number": trial.number,
                "run": trial.run.relative_to(folder).as_posix(),
                "state": trial.state,
                "values": [_shown(trial.values[one.key]) for one in space],
                "figure": "–" if trial.figure is None else figure_text(metric.name, trial.figure),
                "seconds": duration(trial.seconds),
                "best": best is not None and trial.number == best.number,
            }
            for trial in ordered
        ],
        commands=[
            ("Train with the best values", f"tunesmith train {shlex.quote(str(folder / 'best.yaml'))}"),
            ("More trials", f"tunesmith search --resume {shlex.quote(str(folder))} --trials {2 * len(trials)}"),
        ],
    )


def write_crossval_report(
    folder: Path,
    recipe: Recipe,
    folds: Sequence[Fold],
    wanted: int,
    mean: Mapping[str, float],
    deviation: Mapping[str, float],
) -> None:
    """Write ``report.html`` of a cross-validation: means and deviations, every fold.

    Raises:
        OutputError: the folder cannot be written.
    """
    plots = [
        scatter(
            name.replace("_", " "),
            [
                Point(fold.number, fold.metrics[name], "main", f"fold {fold.number}: {name} {_text(name, fold)}")
                for fold in folds
            ],
            low=1,
            high=wanted,
            whole=True,
            line=[(1, mean[name]), (wanted, mean[name])],
        )
        for name in mean
    ]
    write_page(
        folder,
        "crossval.html.j2",
        recipe,
        wanted=wanted,
        figures=[(name, figure_text(name, mean[name]), figure_text(name, deviation[name])) for name in mean],
        plots=[plot for plot in plots if plot is not None],
        seconds=duration(sum(fold.seconds for fold in folds)),
        rows=[
            {
                "number": fold.number,
                "values": [_text(name, fold) for name in mean],
                "rows": fold.rows,
                "seconds": duration(fold.seconds),
                "run": fold.run.relative_to(folder).as_posix(),
            }
            for fold in folds
        ],
        commands=[
            ("Train on all rows", f"tunesmith train {shlex.quote(str(folder / 'recipe.yaml'))} --set output=runs/all"),
            (
                "Repeat one fold",
                f"tunesmith train {shlex.quote(str(folder / 'folds/1/recipe.yaml'))} --set output=runs/again",
            ),
        ],
    )


def _text(name: str, fold: Fold) -> str:
    return figure_text(name, fold.metrics[name])


def _rank(trial: Trial, metric: Metric) -> tuple[int, float, int]:
    """Complete ones first, best first; then those stopped early, and those without a figure."""
    figure = trial.figure or 0.0
    return ENDED.index(trial.state), -figure if metric.greater_is_better else figure, trial.number


def _shown(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else inline(value)


def _points(trials: Sequence[Trial], x: Mapping[int, float], metric: Metric, best: Trial | None) -> list[Point]:
    """The complete ones on top of those stopped early, the best one on top of all."""
    drawn = [trial for trial in trials if trial.figure is not None]
    drawn.sort(key=lambda trial: (best is not None and trial.number == best.number, trial.state == "complete"))
    return [
        Point(
            x[trial.number],
            trial.figure or 0.0,
            "best"
            if best is not None and trial.number == best.number
            else "main"
            if trial.state == "complete"
            else "raw",
            f"trial {trial.number}, {trial.state}: {metric.name} {figure_text(metric.name, trial.figure or 0.0)}\n"
            + "\n".join(f"{key} {_shown(value)}" for key, value in trial.values.items()),
        )
        for trial in drawn
    ]


def _course(trials: Sequence[Trial], metric: Metric, best: Trial | None) -> Scatter | None:
    """Figure by number of the trial, and the best so far."""
    line: list[tuple[float, float]] = []
    better = max if metric.greater_is_better else min
    for trial in trials:
        so_far = [line[-1][1]] if line else []
        if trial.state == "complete" and trial.figure is not None:
            so_far.append(trial.figure)
        if so_far:
            line.append((trial.number, better(so_far)))
    numbers = {trial.number: float(trial.number) for trial in trials}
    return scatter(
        f"{metric.name} by trial",
        _points(trials, numbers, metric, best),
        low=1,
        high=max(numbers.values(), default=1),
        whole=True,
        greater_is_better=metric.greater_is_better,
        line=line,
        width=950,
        height=300,
    )


def _slice(one: Dimension, trials: Sequence[Trial], metric: Metric, best: Trial | None) -> Scatter | None:
    """Figure by one key's value."""
    labels = list(one.labels)
    at = {
        trial.number: float(labels.index(inline(trial.values[one.key])))
        if one.choices is not None
        else float(trial.values[one.key])
        for trial in trials
    }
    return scatter(
        one.key,
        _points(trials, at, metric, best),
        low=one.low,
        high=one.high,
        log=one.log,
        whole=one.whole,
        names=labels,
        greater_is_better=metric.greater_is_better,
    )
