# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith search`: a recipe and what may change in; the best recipe out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith.studies import SearchResult, Trial
    from tunesmith_cli.screen import Screen

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def search(
    ctx: typer.Context,
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe file, .yaml or .toml.", show_default=False)
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=VALUES",
            help="What to change: method.rank=8,16 or train.epochs=1..5 or train.learning_rate=log:1e-5..1e-3.",
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value for all trials. Repeatable."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(metavar="N", help="Trials in all.  [default: 20; a grid: all of it]", show_default=False),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Save and stop after this long: 90s, 30m, 2h; a bare number is seconds."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of what is tried.  [default: 0]", min=0, show_default=False)
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(metavar="NAME", help="tpe, random or grid.  [default: tpe]", show_default=False)
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Stops hopeless trials early: median, hyperband or none.  [default: median]",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(metavar="WHICH", help="Models that stay: best, all or none.  [default: best]", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="SEARCH", help="Go on with a search that was stopped.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Try values of a recipe's keys and find the best, by the figures of the validation rows.

    Every trial is an ordinary run; the recipe's `output` is the folder of the search. Ctrl-C once saves and stops;
    `--resume` goes on.
    """
    from tunesmith.recipe import read_recipe
    from tunesmith.studies import search as start
    from tunesmith_cli.screen import Screen
    from tunesmith_cli.signals import stop_on_signals

    if (recipe is None) == (resume is None):
        ctx.fail("give a recipe file, or --resume with the folder of a search")
    first_asked = {"--over": over, "--set": sets, "--seed": seed, "--sampler": sampler, "--pruner": pruner}
    for name in (name for name, value in first_asked.items() if value is not None and resume is not None):
        ctx.fail(f"a resumed search goes on with what was first asked; leave {name} out")
    screen = Screen(ctx.find_object(Settings) or Settings())
    settled: dict[str, Any] = {"trials": trials, "timeout": _seconds(timeout), "keep": keep}
    told = _Teller(screen)
    with stop_on_signals() as stop:
        if recipe is None:
            found = start(resume=resume, tell=told, stop=stop, **settled)
        else:
            found = start(
                read_recipe(recipe, sets or []),
                _space(over or []),
                seed=seed,
                sampler=sampler,
                pruner=pruner,
                tell=told,
                stop=stop,
                **settled,
            )
    if screen.settings.json:
        screen.json(_facts(found))
    else:
        _show(screen, found)


def _space(texts: list[str]) -> dict[str, str]:
    space: dict[str, str] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        if not (key.strip() and equals and values.strip()):
            raise typer.BadParameter(f"{text!r} is not KEY=VALUES, e.g. method.rank=8,16,32", param_hint="--over")
        if key.strip() in space:
            raise typer.BadParameter(f"{key.strip()!r} stands twice; give all its values at once", param_hint="--over")
        space[key.strip()] = values.strip()
    return space


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    number, unit = (text[:-1], text[-1]) if text[-1:] in "smh" and text else (text, "s")
    try:
        seconds = float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise typer.BadParameter(f"{text!r} is no length of time, e.g. 90s, 30m or 2h", param_hint="--timeout")
    return seconds


class _Teller:
    """One line when a trial begins, one when it has ended."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __call__(self, trial: Trial) -> None:
        from tunesmith_cli.words import duration, figure

        if self._screen.settings.json:
            return
        if trial.state == "running":
            values = "  ".join(f"{key}={_cell(value)}" for key, value in trial.values.items())
            self._screen.note(f"trial {trial.number}:  {values}")
        else:
            reached = "" if trial.figure is None else f"{figure(trial.figure)}  "
            self._screen.note(f"    {trial.state}:  {reached}{duration(trial.seconds)}")


def _facts(found: SearchResult) -> dict[str, Any]:
    trials = [
        {
            "number": trial.number,
            "state": trial.state,
            "values": trial.values,
            "figure": trial.figure,
            "seconds": round(trial.seconds, 3),
            "run": trial.run,
        }
        for trial in found.trials
    ]
    return {
        "search": found.path,
        "metric": found.metric,
        "best": next(one for one in trials if one["number"] == found.best.number),
        "test": found.test,
        "recipe": found.best_file,
        "report": found.report_file,
        "trials": trials,
    }


def _show(screen: Screen, found: SearchResult) -> None:
    from tunesmith.runs import Run
    from tunesmith.studies.trials import ENDED
    from tunesmith_cli.summary import next_steps
    from tunesmith_cli.words import duration, figures

    sign = -1 if found.greater_is_better else 1
    ordered = sorted(
        found.trials, key=lambda trial: (ENDED.index(trial.state), sign * (trial.figure or 0.0), trial.number)
    )
    keys = list(found.best.values)
    screen.note()
    screen.table(
        ["trial", found.metric, *keys, "time", "ended"],
        [
            [
                trial.number,
                "–" if trial.figure is None else trial.figure,
                *(_cell(trial.values[key]) for key in keys),
                duration(trial.seconds),
                trial.state,
            ]
            for trial in ordered
        ],
    )
    screen.result()
    fields: dict[str, object] = {"best": found.best.run}
    if found.test:
        fields["test"] = figures(found.test)
    screen.fields(fields | {"recipe": found.best_file, "report": found.report_file})
    again = f"tunesmith train {shlex.quote(str(found.best_file))}"
    best = Run.open(found.best.run)
    if best.model_folder.is_dir():
        next_steps(screen, best, [again])
    else:
        screen.note()
        screen.note(f"next    {again}")


def _cell(value: object) -> str:
    """A value with the digits it was drawn with; a metric's four decimals would be too few for a learning rate."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
