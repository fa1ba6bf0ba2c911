# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith batch`: requests of a file in OpenAI's batch format, answered into another file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Quiet, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

FAILED = 3
"""Exit code where some requests were refused or failed."""


@app.command()
def batch(
    ctx: typer.Context,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Runs, model folders, named models or hub ids.")
    ],
    source: Annotated[Path, typer.Option("--in", metavar="FILE", help="Requests, one JSON object a line.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Answers, as they come.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="What requests call a model; once for each MODEL, in their order."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with FILE; what failed is asked again.")] = False,
    at_once: Annotated[int, typer.Option("--at-once", metavar="N", help="Requests under way.", min=1)] = 32,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Answer the requests of a file. Killed, it goes on with --resume."""
    from tunesmith.serve import check_installed

    check_installed()

    from tunesmith.serve.batch import run_batch
    from tunesmith_cli.engines import check_names, open_engines
    from tunesmith_cli.screen import Screen

    check_names(models, name)
    screen = Screen(ctx.find_object(Settings) or Settings())
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if done == total or done - told >= max(1, total // 20):
            told = done
            screen.note(f"{done:,} of {total:,} requests answered")

    with ExitStack() as stack:
        engines = open_engines(stack, models, name, waiting=max(128, at_once))
        result = run_batch(engines, source, out, resume=resume, at_once=at_once, progress=progress)
    earlier = f", {result.skipped:,} of them earlier" if result.skipped else ""
    screen.note(f"{result.done + result.skipped:,} answers in {out}{earlier}; {result.failed:,} requests failed")
    if result.failed:
        raise typer.Exit(FAILED)
