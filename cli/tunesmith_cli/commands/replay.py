# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith replay`: do a run again, and compare."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith.training.replay import Replay

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def replay(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    out: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="The new run folder.  [default: RUN-replay]", show_default=False),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Do a finished run again and compare every loss, figure and weight.

    Data and base model must be what they were. Exit code 2 when a number came out differently.
    """
    from tunesmith.training import replay as repeat
    from tunesmith_cli.progress import progress_for
    from tunesmith_cli.screen import Screen
    from tunesmith_cli.signals import stop_on_signals

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    with stop_on_signals() as stop, progress_for(quiet=settings.quiet or settings.json) as progress:
        found = repeat(run, out, observers=[progress], stop=stop)
    if settings.json:
        screen.json({"equal": found.equal, **asdict(found)})
    else:
        screen.note()
        screen.fields(_lines(found))
    if not found.equal:
        raise typer.Exit(2)


def _lines(found: Replay) -> dict[str, str]:
    lines = {"run": str(found.run), "repeated in": str(found.repeated)}
    lines |= {"records": _records(found), "figures": _figures(found), "weights": _weights(found)}
    changed = [f"{name} {before} → {now}" for name, (before, now) in found.conditions.items()]
    return lines | {
        "conditions": "\n".join(changed) or "as they were",
        "result": "equal" if found.equal else "not equal",
    }


def _records(found: Replay) -> str:
    from tunesmith_cli.words import count

    first = found.first
    if first is None:
        return f"{count(found.steps)} steps and {count(found.evaluations)} evaluations: equal"
    return f"the first difference is at {first.where}: {first.name} {first.before!r} → {first.now!r}"


def _figures(found: Replay) -> str:
    return "\n".join(f"{one.name} {one.before!r} → {one.now!r}" for one in found.figures) or "equal"


def _weights(found: Replay) -> str:
    from tunesmith_cli.words import count

    if not found.tensors:
        return "not compared: the run holds no model any more"
    if found.weights is None:
        return f"{count(found.tensors)} tensors: equal, bit by bit"
    differ = f"{count(len(found.weights.tensors))} of {count(found.tensors)} tensors differ"
    return f"{differ}, at most by {found.weights.largest:.2g}"
