# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A task in real jobs: two steps on the processor, the model opened again, scored and asked; and all once more."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tunesmith.recipe import parse_recipe
from tunesmith.runs import Run
from tunesmith.testing.bench import PLUGIN, Bench
from tunesmith.testing.findings import Check, Finding, SkipCheck, one_line

__all__ = ["TaskJob", "job_checks"]

STEPS = 2
_ROWS = f"dataset:{PLUGIN}/rows"


class TaskJob:
    """The job of a bench. It is done when somebody first asks for it; its folder goes with this object."""

    def __init__(self, bench: Bench, recipe: Mapping[str, Any] | None = None) -> None:
        self.bench = bench
        self._recipe = dict(recipe or {})
        self._folder = tempfile.mkdtemp(prefix="tunesmith-job-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @cached_property
    def run(self) -> Run:
        return self.train("run")

    def train(self, name: str) -> Run:
        """Train anew into a folder of this name."""
        from tunesmith.training import train

        _, _, model = self.bench.built
        with self.bench.installed() as task, _without_cache():
            recipe = {
                "task": task,
                "model": model,
                "data": {"train": f"{_ROWS}#train", "validation": f"{_ROWS}#validation", **self.bench.data},
                "train": {"max_steps": STEPS, "device": "cpu", "precision": "fp32"},
                "output": str(Path(self._folder) / name),
            }
            for key, value in self._recipe.items():
                nested = isinstance(value, dict) and isinstance(recipe.get(key), dict)
                recipe[key] = {**recipe[key], **value} if nested else value  # type: ignore[dict-item]
            return train(parse_recipe(recipe))

    def finished(self) -> Run:
        """The run, for checks of what comes after.

        Raises:
            SkipCheck: there is none; the check ``trains`` tells why.
        """
        self.bench.prepared()
        try:
            return self.run
        except Exception as error:
            raise SkipCheck(f"the job fails, see `trains`: {one_line(error)}") from error


def job_checks(job: TaskJob) -> list[Check]:
    return [
        Check("trains", lambda: _trains(job)),
        Check("evaluates", lambda: _evaluates(job)),
        Check("predicts", lambda: _predicts(job)),
        Check("trains-twice", lambda: _trains_twice(job)),
    ]


def _trains(job: TaskJob) -> Iterator[Finding]:
    job.bench.prepared()
    run = job.run
    if run.manifest.get("steps") != STEPS:
        yield Finding(
            problem="the job did not take its steps",
            given=f"{run.manifest.get('steps')} steps",
            expected=str(STEPS),
            fix="see the notes of the run: were rows left out?",
        )
    report = (run.path / "report.html").read_text("utf-8")
    headline = job.bench.kind.metrics[0].name
    if headline not in report:
        yield Finding(
            problem="the report does not show the headline metric",
            given=f"a report without {headline}",
            expected=f"{headline} of the validation rows",
            fix="give it back from score",
        )


def _evaluates(job: TaskJob) -> Iterator[Finding]:
    import tunesmith
    from tunesmith.evaluate import evaluate

    run = job.finished()
    with job.bench.installed(), _without_cache():
        found = evaluate(tunesmith.load(run.path, device="cpu"), [f"{_ROWS}#validation"]).metrics
    trained = run.manifest["metrics"]["validation"]
    other = {name: (trained.get(name), value) for name, value in found.items() if not _near(trained.get(name), value)}
    if other:
        yield Finding(
            problem="the opened model scores otherwise than the run says",
            given=", ".join(f"{name} {now:.6g}, {then} in the run" for name, (then, now) in other.items()),
            expected="the same figures for the same rows",
            fix="keep in state everything that outputs and score depend on",
        )


def _predicts(job: TaskJob) -> Iterator[Finding]:
    import tunesmith

    run = job.finished()
    targets = {column.name for column in job.bench.kind.columns if column.target}
    rows = [{name: value for name, value in row.values.items() if name not in targets} for row in job.bench.rows]
    with job.bench.installed(), _without_cache():
        model = tunesmith.load(run.path, device="cpu")
        answers = model.predict(rows, max_new_tokens=3 if job.bench.kind.generates else None)
    if len(answers) != len(rows):
        yield Finding(
            problem="predict does not answer every row",
            given=f"{len(answers)} answers to {len(rows)} rows",
            expected="one answer a row, in order",
            fix="correct answer_row",
        )
    try:
        json.dumps(answers, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield Finding(
            problem="an answer is no JSON",
            given=f"{answers[0]!r:.200}: {one_line(error)}",
            expected="texts, finite numbers, booleans, None, lists and mappings",
            fix="turn numpy and torch values into Python's own in answer",
        )


def _trains_twice(job: TaskJob) -> Iterator[Finding]:
    first = job.finished()
    second = job.train("again")
    weights = sorted(path.relative_to(first.model_folder) for path in first.model_folder.rglob("*.safetensors"))
    folders = (first.model_folder, second.model_folder)
    differ = [name for name in weights if len({(folder / name).read_bytes() for folder in folders}) > 1]
    if differ:
        yield Finding(
            problem="the same job gives other weights",
            given=f"{', '.join(map(str, differ))} differ after {STEPS} steps with the same seed",
            expected="the same bytes: same recipe, same machine, same weights",
            fix="draw random numbers from torch's generator only, never from time, hash() or a set's order",
        )


def _near(first: Any, second: float) -> bool:
    return isinstance(first, (int, float)) and (abs(first - second) <= 1e-5 * max(1, abs(second)) or first != first)


@contextmanager
def _without_cache() -> Iterator[None]:
    """Checked rows are not kept for later jobs."""
    with patch.dict(os.environ, {"TUNESMITH_CACHE": "off"}):
        yield
