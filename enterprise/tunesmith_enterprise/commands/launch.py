# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith launch``: a recipe on several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def launch(
    ctx: typer.Context,
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe file, .yaml or .toml.", show_default=False)
    ] = None,
    processes: Annotated[int, typer.Option("--nproc", min=1, help="How many processes share each step.")] = 2,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value, e.g. train.epochs=3. Repeatable."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was stopped.")
    ] = None,
    join_timeout: Annotated[float, typer.Option(min=1, help="Seconds for all processes to come together.")] = 300.0,
    logs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep what the other processes print. Default: only when the job fails."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the job seems to need more memory than there is.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")] = False,
) -> None:
    """Train on several processes of this machine, to the same result as in one.

    The first process prints and writes what `tunesmith train` does. Ctrl-C saves and stops them all.
    """
    if (recipe is None) == (resume is None):
        ctx.fail("give a recipe file, or --resume RUN")
    if resume is not None and sets:
        ctx.fail("a resumed run goes on with its own recipe; leave --set out")
    from tunesmith_enterprise.distributed.launching import launch as start
    from tunesmith_enterprise.distributed.order import Order

    options = {"--force": force, "--quiet": quiet, "--json": json}
    order = Order(
        recipe="" if recipe is None else str(recipe),
        sets=tuple(sets or ()),
        resume="" if resume is None else str(resume),
        options=tuple(name for name, given in options.items() if given),
        folder="" if logs is None else str(logs),
        join_timeout=join_timeout,
    )
    raise typer.Exit(start(order, processes=processes))
