# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is printed when a job is done: the figures, where things lie, what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunesmith_cli.progress import Progress
from tunesmith_cli.screen import Screen
from tunesmith_cli.words import count, duration

if TYPE_CHECKING:
    from tunesmith.runs import Run

__all__ = ["before_training", "metrics_table", "next_steps", "run_facts", "summary"]


def before_training(progress: Progress, run: Run | None) -> Mapping[str, Mapping[str, float]]:
    """The figures before the first step; a resumed job made them in an earlier process, and the run holds them."""
    return progress.before or (run.manifest.get("before") if run is not None else None) or {}


def run_facts(progress: Progress, run: Run | None = None) -> dict[str, Any]:
    """The job for a program; ``run`` is None when it did not end well."""
    return {
        "run": progress.run,
        "status": progress.status,
        "steps": progress.steps,
        "seconds": round(progress.seconds, 3),
        "metrics": progress.metrics,
        "before": before_training(progress, run),
    }


def summary(screen: Screen, progress: Progress, run: Run) -> None:
    """Figures and places, for people."""
    screen.note()
    screen.note(f"{progress.status}: {count(progress.steps)} steps in {duration(progress.seconds)}")
    screen.note()
    rows = {f"{split}, before training": figures for split, figures in before_training(progress, run).items()}
    rows |= dict(progress.metrics)
    if rows:
        metrics_table(screen, rows)
        screen.result()
    screen.fields({"run": run.path, "model": run.model_folder, "report": run.report_file})


def metrics_table(screen: Screen, rows: Mapping[str, Mapping[str, float]]) -> None:
    """One line a split, one column a metric."""
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    cells = [[split, *(figures.get(name, "–") for name in names)] for split, figures in rows.items()]
    screen.table(["split", *names], cells)


def next_steps(screen: Screen, run: Run, further: Sequence[str] = ()) -> None:
    """What to type next, for this task; ``further`` commands stand below."""
    from tunesmith.registry import get_registry

    recipe = run.recipe()
    task = get_registry().load("task", recipe.task)
    folder = shlex.quote(str(run.path))
    columns = [column.name for column in getattr(task, "columns", ())]
    if not getattr(task, "generates", False):
        lines = [f"tunesmith predict {folder} FILE"]
    elif "messages" in columns:
        lines = [f"tunesmith chat {folder}"]
    else:
        lines = [f'tunesmith generate {folder} --prompt "TEXT" --max-new-tokens 100']
    lines += [f"tunesmith evaluate {folder} --data FILE", *further]
    screen.note()
    for at, line in enumerate(lines):
        screen.note(f"{'next' if at == 0 else '    '}    {line}")
