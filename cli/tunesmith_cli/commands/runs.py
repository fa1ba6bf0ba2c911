# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith runs list|show|compare`: what training left behind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.settings import Debug, Json, Settings

if TYPE_CHECKING:
    from tunesmith.runs import Run, RunSummary
    from tunesmith_cli.screen import Screen

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

_HASH = re.compile(r"(sha256:)?[0-9a-f]{64}")


@app.callback()
def runs() -> None:
    """List, show and compare runs."""


@app.command("list")
def list_(
    ctx: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Where to look.  [default: runs, or here]", show_default=False),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Runs in a folder, oldest first, with their headline figure."""
    from dataclasses import asdict

    from tunesmith.runs import list_runs
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    place = folder or (Path("runs") if Path("runs").is_dir() else Path("."))
    found = list_runs(place)
    if screen.settings.json:
        screen.json([asdict(run) for run in found])
    elif not found:
        screen.note(f"no runs in {place}")
    else:
        screen.table(
            ["run", "status", "task", "model", "method", "figure", "value", "created (UTC)"],
            [_row(run) for run in found],
        )
        for run in found:
            if run.reason:
                screen.note(f"{run.path}: {run.reason}")


def _row(run: RunSummary) -> list[object]:
    cells = [
        run.path,
        run.status,
        run.task,
        run.model,
        run.method,
        run.metric,
        run.value,
        _time(run.created),
    ]
    return ["–" if cell is None else cell for cell in cells]


@app.command()
def show(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """One run: what went in, how it went, what came out."""
    from tunesmith.runs import Run
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    opened = Run.open(run)
    if screen.settings.json:
        screen.json({"run": opened.path, **opened.manifest})
    else:
        _show(screen, opened)


def _show(screen: Screen, run: Run) -> None:
    from tunesmith_cli.summary import metrics_table
    from tunesmith_cli.words import count, duration

    manifest = run.manifest
    model, environment = _mapping(manifest.get("model")), _mapping(manifest.get("environment"))
    packages = _mapping(environment.get("packages"))
    parameters = model.get("parameters")
    trained = f", {count(model['trainable'])} of {count(parameters)} parameters trained" if parameters else ""
    seconds, steps = manifest.get("seconds"), manifest.get("steps")
    fields = {
        "run": run.path,
        "status": "killed" if run.was_killed else manifest["status"],
        "reason": manifest.get("error"),
        "task": manifest.get("task"),
        "model": f"{model.get('name')}{trained}",
        "method": manifest.get("method"),
        "created": f"{_time(manifest.get('created'))} UTC",
        "steps": None if steps is None else f"{count(steps)} of {count(manifest.get('total_steps', steps))}",
        "time": None if seconds is None else duration(seconds),
        "seed": manifest.get("seed"),
        "machine": ", ".join(str(environment[key]) for key in ("cpu", "platform") if environment.get(key)),
        "packages": ", ".join(
            f"{name} {packages[name]}" for name in ("tunesmith", "torch", "transformers") if name in packages
        ),
        "data": "\n".join(_file(file) for file in _mapping(manifest.get("data")).get("files", ())),
        "report": run.report_file if run.report_file.exists() else None,
    }
    screen.fields({name: value for name, value in fields.items() if value not in (None, "")})
    before = {f"{split}, before training": figures for split, figures in _mapping(manifest.get("before")).items()}
    metrics = before | dict(_mapping(manifest.get("metrics")))
    if metrics:
        screen.result()
        metrics_table(screen, metrics)


@app.command()
def compare(
    ctx: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, two or more.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What differs between runs, and what they reached."""
    from dataclasses import asdict

    from tunesmith.runs import compare_runs
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    comparison = compare_runs(runs)
    if screen.settings.json:
        screen.json(asdict(comparison))
        return
    parts: dict[str, Mapping[str, Sequence[Any]]] = {
        "figure": comparison.metrics,
        "recipe": comparison.recipe,
        "inputs": comparison.inputs,
        "versions": comparison.versions,
    }
    shown = {name: rows for name, rows in parts.items() if rows}
    for at, (name, rows) in enumerate(shown.items()):
        if at:
            screen.result()
        cell = _figure if name == "figure" else _setting
        screen.table([name, *map(str, comparison.runs)], [[key, *map(cell, values)] for key, values in rows.items()])
    if list(shown) in ([], ["figure"]):
        screen.note("the runs have the same recipe, inputs and versions")


def _figure(value: float | None) -> float | str:
    return "–" if value is None else value


def _setting(value: Any) -> str:
    """A value as a recipe writes it; a hash by its beginning, since three whole ones fill a window."""
    if value is None:
        return "–"
    text = ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
    return f"{text[:19]}…" if _HASH.fullmatch(text) else text


def _file(file: Mapping[str, Any]) -> str:
    from tunesmith_cli.words import count, size

    parts = [
        f"{count(file['rows'])} rows" if file.get("rows") else "",
        size(file["bytes"]) if file.get("bytes") else "",
    ]
    return "  ".join([str(file.get("name")), ", ".join(filter(None, parts))]).rstrip()


def _time(stamp: str | None) -> str | None:
    """``2026-01-31T10:20:30+00:00`` as ``2026-01-31 10:20``."""
    return None if stamp is None else f"{stamp[:10]} {stamp[11:16]}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
