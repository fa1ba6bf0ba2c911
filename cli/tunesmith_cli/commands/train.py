# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith train`: a recipe, or flags, in; a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith.recipe import Recipe

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

Files = list[str] | None


@app.command()
def train(
    ctx: typer.Context,
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe file, .yaml or .toml.", show_default=False)
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value, e.g. train.epochs=3. Repeatable."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was stopped.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --resume: go on with another train.strategy, e.g. single.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Without a recipe: what is learned.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A folder, a hub id, a name such as tunesmith/tiny, scratch:…")
    ] = None,
    train: Annotated[Files, typer.Option(metavar="FILE", help="Rows to learn from. Repeatable.")] = None,
    test: Annotated[Files, typer.Option(metavar="FILE", help="Rows for the final score. Repeatable.")] = None,
    validation: Annotated[Files, typer.Option(metavar="FILE", help="Rows to judge by while training.")] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="Your column that holds the text.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="Your column that holds the label.")] = None,
    method: Annotated[str | None, typer.Option(metavar="METHOD", help="full, lora or head.")] = None,
    out: Annotated[str | None, typer.Option(metavar="FOLDER", help="The run folder. Nothing is overwritten.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the job seems to need more memory than there is.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Fine-tune a model on your data.

    Describe the job in a recipe (`tunesmith recipe new` writes one), or in flags: --task, --model, --train and
    --out are needed then. Ctrl-C once saves and stops; `--resume` goes on as if nothing had happened.
    """
    flags = {
        "task": task,
        "model": model,
        "train": train,
        "test": test,
        "validation": validation,
        "text": text,
        "label": label,
        "out": out,
        "method": method,
    }
    given = {name: value for name, value in flags.items() if value}
    if recipe is not None and given:
        ctx.fail(f"a recipe file and --{next(iter(given))} do not go together; change single values with --set")
    if recipe is None and resume is not None and (given or sets):
        ctx.fail("a resumed run goes on with its own recipe; leave the other flags out")
    missing = [f"--{name}" for name in ("task", "model", "train", "out") if name not in given]
    if recipe is None and resume is None and missing:
        ctx.fail(f"give a recipe file, or flags; missing: {', '.join(missing)}")
    if strategy is not None and resume is None:
        ctx.fail("--strategy goes with --resume; a new run says it with --set train.strategy=NAME")
    settings = ctx.find_object(Settings) or Settings()
    run_job(settings, _recipe(recipe, flags, sets or [], resume), resume, strategy=strategy, force=force)


def _recipe(
    path: Path | None, flags: dict[str, str | list[str] | None], sets: list[str], resume: Path | None
) -> Recipe | None:
    from tunesmith.recipe import from_flags, read_recipe

    if path is not None:
        return read_recipe(path, sets)
    return None if resume is not None else from_flags(**flags, sets=sets)  # type: ignore[arg-type]


def run_job(
    settings: Settings, recipe: Recipe | None, resume: Path | None, *, strategy: str | None = None, force: bool = False
) -> None:
    """Train, show it, and print the summary."""
    from tunesmith.errors import StoppedError
    from tunesmith_cli.progress import progress_for
    from tunesmith_cli.screen import Screen
    from tunesmith_cli.signals import stop_on_signals
    from tunesmith_cli.summary import next_steps, run_facts, summary

    screen = Screen(settings)
    with stop_on_signals() as stop, progress_for(quiet=settings.quiet or settings.json) as progress:
        from tunesmith.training import train as start

        try:
            run = start(recipe, resume=resume, strategy=strategy, observers=[progress], stop=stop, force=force)
        except StoppedError:
            if settings.json:
                screen.json(run_facts(progress))
            raise
    if settings.json:
        screen.json(run_facts(progress, run))
        return
    summary(screen, progress, run)
    next_steps(screen, run)
