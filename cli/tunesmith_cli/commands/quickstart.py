# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith quickstart`: the whole road in a minute, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def quickstart(
    ctx: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The run folder.  [default: quickstart-run]", show_default=False),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a small model in a minute, offline, to see how it goes.

    The model (tunesmith/tiny) and the data (dataset:tunesmith/support) come with the package.
    """
    import tunesmith
    from tunesmith_cli.progress import progress_for
    from tunesmith_cli.quickstart import QUESTION, free_folder, quickstart_recipe
    from tunesmith_cli.screen import Screen
    from tunesmith_cli.signals import stop_on_signals
    from tunesmith_cli.summary import next_steps, run_facts, summary

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    recipe = quickstart_recipe(out or free_folder("quickstart-run"))
    if not settings.json:
        screen.note("Teaching tunesmith/tiny to tell six kinds of support questions apart.")
        screen.note("The recipe is in the run folder; `tunesmith train` takes one like it for your own data.")
        screen.note()
    with stop_on_signals() as stop, progress_for(quiet=settings.quiet or settings.json) as progress:
        run = tunesmith.train(recipe, observers=[progress], stop=stop)
    answer = next(iter(tunesmith.load(run.path).predict([{"text": QUESTION}])))
    if settings.json:
        screen.json({**run_facts(progress, run), "prediction": {"text": QUESTION, **answer}})
        return
    summary(screen, progress, run)
    screen.result()
    screen.fields({"question": QUESTION, "answer": _spoken(answer)})
    next_steps(screen, run)


def _spoken(answer: dict[str, object]) -> str:
    label, probabilities = answer.get("label"), answer.get("probabilities")
    if isinstance(probabilities, dict) and label in probabilities:
        return f"{label} ({probabilities[label]:.0%} sure)"
    return str(label)
