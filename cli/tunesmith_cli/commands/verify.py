# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith verify`: is a run, and what it was made of, still what it was?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def verify(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare model files, recipe, records, checkpoints, data and base model with the digests in run.json.

    Exit code 2 when something has changed, is missing or was added.
    """
    from tunesmith.training import verify as check_run
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    found = check_run(run)
    if screen.settings.json:
        screen.json({"run": found.run, "whole": found.whole, "checks": [asdict(check) for check in found.checks]})
    else:
        rows = [[check.kind, check.name, check.state, check.detail] for check in found.checks]
        screen.table(["what", "name", "state", "why"], rows)
        screen.result()
        states = Counter(check.state for check in found.checks)
        screen.result(", ".join(f"{count} {state}" for state, count in states.items()))
    if not found.whole:
        raise typer.Exit(2)
