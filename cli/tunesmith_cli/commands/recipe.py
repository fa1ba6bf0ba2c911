# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith recipe new|schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def recipe() -> None:
    """Start a recipe, or print its JSON schema."""


@app.command()
def new(
    ctx: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="What is learned; `tunesmith tasks list` names them.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here; an existing file is left alone.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Print a commented recipe to start from."""
    from tunesmith.recipe import starter_recipe
    from tunesmith.registry import get_registry
    from tunesmith_cli.output import opened
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    get_registry().find("task", task)  # a recipe for a task that is not there would be no start
    text = starter_recipe(task)
    if out is None:
        screen.result(text.rstrip("\n"))
        return
    with opened(out) as file:
        assert file is not None
        file.write(text)
    screen.note(f"wrote {out}; fill in your files, then: tunesmith train {out}")


@app.command()
def schema(ctx: typer.Context, debug: Debug = False) -> None:
    """Print the JSON schema of a recipe, for editors."""
    from tunesmith.recipe import recipe_schema
    from tunesmith_cli.screen import Screen

    Screen(ctx.find_object(Settings) or Settings()).json(recipe_schema())
