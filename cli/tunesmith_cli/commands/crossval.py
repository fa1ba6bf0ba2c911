# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith crossval`: a recipe in; figures with their spread out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith.studies import CrossValidation
    from tunesmith_cli.screen import Screen

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def crossval(
    ctx: typer.Context,
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe file, .yaml or .toml.", show_default=False)
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="How many parts the training rows are cut into.  [default: 5]", show_default=False
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Your column whose equal values stay in one fold.")
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one value. Repeatable.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the models of the folds.")] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="STUDY", help="Go on with one that was stopped.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train once for each fold and score every row by a model that has not seen it.

    The recipe's `output` is the folder of the folds' runs. Ctrl-C once saves and stops; `--resume` goes on.
    """
    from tunesmith.plugin import RunStarted
    from tunesmith.recipe import read_recipe
    from tunesmith.studies import Fold, cross_validate
    from tunesmith.studies.crossval import left_out
    from tunesmith_cli.screen import Screen
    from tunesmith_cli.signals import stop_on_signals
    from tunesmith_cli.words import duration, figures

    if (recipe is None) == (resume is None):
        ctx.fail("give a recipe file, or --resume with the folder of a cross-validation")
    first_asked = {"--folds": folds, "--group": group, "--set": sets, "--keep": keep or None}
    for name in (name for name, value in first_asked.items() if value is not None and resume is not None):
        ctx.fail(f"a resumed cross-validation goes on as first asked; leave {name} out")
    screen = Screen(ctx.find_object(Settings) or Settings())

    def say(text: str) -> None:
        if not screen.settings.json:
            screen.note(text)

    def begun(event: object) -> None:
        if isinstance(event, RunStarted):
            say(f"{event.run}:  {event.facts.get('rows', '')}")

    def ended(fold: Fold) -> None:
        say(f"    fold {fold.number}:  {figures(fold.metrics)}  {duration(fold.seconds)}")

    with stop_on_signals() as stop:
        if recipe is None:
            found = cross_validate(resume=resume, observers=[begun], tell=ended, stop=stop)
        else:
            job = read_recipe(recipe, sets or [])
            if (note := left_out(job)) is not None:
                screen.note(f"note: {note}")
            found = cross_validate(job, folds=folds, group=group, keep=keep, observers=[begun], tell=ended, stop=stop)
    if screen.settings.json:
        screen.json(_facts(found))
    else:
        _show(screen, found)


def _facts(found: CrossValidation) -> dict[str, Any]:
    return {
        "study": found.path,
        "mean": found.mean,
        "deviation": found.deviation,
        "folds": [
            {
                "number": fold.number,
                "metrics": fold.metrics,
                "rows": fold.rows,
                "seconds": fold.seconds,
                "run": fold.run,
            }
            for fold in found.folds
        ],
        "report": found.report_file,
    }


def _show(screen: Screen, found: CrossValidation) -> None:
    names = list(found.mean)
    rows: list[list[object]] = [
        [f"fold {fold.number}", fold.rows, *(fold.metrics[name] for name in names)] for fold in found.folds
    ]
    rows.append(["mean", "", *(found.mean[name] for name in names)])
    rows.append(["deviation", "", *(found.deviation[name] for name in names)])
    screen.note()
    screen.table(["", "rows", *names], rows)
    screen.result()
    screen.fields({"study": found.path, "report": found.report_file})
