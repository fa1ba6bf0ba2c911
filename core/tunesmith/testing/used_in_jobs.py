# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Objectives and sections of the report in a job of two steps, which is where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tunesmith._plugins import Provided
from tunesmith.errors import TunesmithError
from tunesmith.plugin import ObjectiveSpec, ReportSectionSpec
from tunesmith.registry import get_registry
from tunesmith.testing.bench import Bench
from tunesmith.testing.findings import Finding, SkipCheck
from tunesmith.testing.task_job import TaskJob
from tunesmith.testing.tasks import rows_for

__all__ = ["job_with"]


def job_with(provided: Provided) -> Iterator[Finding]:
    """Train with it, on the first of its tasks that rows can be made up for."""
    spec = provided.spec
    assert isinstance(spec, (ObjectiveSpec, ReportSectionSpec))
    bench = _bench(spec.tasks)
    objective = isinstance(spec, ObjectiveSpec)
    changed: dict[str, Any] = (
        {"objective": {"name": provided.full_name}}
        if objective
        else {"evaluate": {"sections": [{"name": provided.full_name}]}}
    )
    notes: list[str] = []
    job = TaskJob(bench, changed)  # held: its folder goes with it
    try:
        run = job.run
    except TunesmithError as error:
        yield Finding(
            problem="a job that uses it fails",
            given=f"{error.what}; {error.given}",
            expected=error.expected or "a finished job",
            fix="; ".join(error.fix) or "correct it",
        )
        return
    for line in (run.path / "metrics.jsonl").read_text("utf-8").splitlines():
        if provided.full_name in line and "report is without" in line:
            notes.append(line)
    if notes:
        yield Finding(
            problem="the report is written without it",
            given=notes[0][:400],
            expected="parts of the report: tunesmith.tasks.Table, Matrix and Text, or none",
            fix="correct make",
        )


def _bench(tasks: tuple[str, ...]) -> Bench:
    registry = get_registry()
    for name in tasks or ("text-classification",):
        try:
            kind: Any = registry.load("task", name)
        except TunesmithError:
            continue
        rows = rows_for(kind, registry)
        if rows:
            return Bench(kind, rows)
    raise SkipCheck(f"there are no rows to try it with: it is for {', '.join(tasks)}")
