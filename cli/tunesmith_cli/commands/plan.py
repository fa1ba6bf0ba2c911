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
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Plan it for a plugin's strategy, e.g. fsdp, in the place of the recipe's."),
    ] = None,
    nproc: Annotated[int, typer.Option(metavar="N", help="With --strategy: processes on each machine.", min=1)] = 1,
    nodes: Annotated[int, typer.Option(metavar="N", help="With --strategy: machines.", min=1)] = 1,
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="With --strategy: what each process computes on, e.g. h100, or a TOML file. Default: this machine.",
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Will it fit, and is it right? Reads every row, builds the model, trains nothing.

    Exit code 0 when memory and disk suffice, 4 when they do not, 2 when a row or the recipe cannot be used. With
    --strategy: what the job would need and cost on several processes; with --gpu no weight is read and no step taken.
    """
    if strategy is None and (nproc, nodes, gpu) != (1, 1, None):
        raise typer.BadParameter("--nproc, --nodes and --gpu say where a --strategy is to run: name one, e.g. ddp")
    import tunesmith
    from tunesmith.planning import Layout
    from tunesmith_cli.plan_view import show_plan
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    layout = None if strategy is None else Layout(strategy, processes=nproc, nodes=nodes, machine=gpu)
    made = tunesmith.plan(tunesmith.read_recipe(recipe, sets or []), steps=not no_steps, samples=samples, layout=layout)
    if settings.json:
        screen.json(made.as_json())
    elif settings.quiet:
        for warning in (*made.warnings, *(made.projection.warnings if made.projection else ())):
            screen.result(f"warning: {warning}")
    else:
        show_plan(screen, made)
    if not made.fits:
        raise typer.Exit(DOES_NOT_FIT)
