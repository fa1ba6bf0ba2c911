# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plan`: what a recipe will do, need and cost, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

DOES_NOT_FIT = 4


@app.command()
def plan(
    ctx: typer.Context,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file, .yaml or .toml.")],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value, e.g. train.accumulate=4. Repeatable."),
    ] = None,
    no_steps: Annotated[
        bool, typer.Option("--no-steps", help="Take no real steps: quicker, and says nothing about time.")
    ] = False,
    samples: Annotated[int, typer.Option(metavar="N", help="Training rows to show token by token.", min=0)] = 3,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Will it fit, and is it right? Reads every row, builds the model, trains nothing.

    Exit code 0 when memory and disk suffice, 4 when they do not, 2 when a row or the recipe cannot be used.
    """
    import tunesmith
    from tunesmith_cli.plan_view import show_plan
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    made = tunesmith.plan(tunesmith.read_recipe(recipe, sets or []), steps=not no_steps, samples=samples)
    if settings.json:
        screen.json(made.as_json())
    elif settings.quiet:
        for warning in made.warnings:
            screen.result(f"warning: {warning}")
    else:
        show_plan(screen, made)
    if not made.fits:
        raise typer.Exit(DOES_NOT_FIT)
