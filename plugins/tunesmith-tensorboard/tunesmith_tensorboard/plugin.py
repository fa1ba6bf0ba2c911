# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks: what happens in a run becomes entries of its event file.

Whatever goes wrong here (a full disk, a deleted folder) is logged once by the host and never stops the job.
TensorBoard's modules are imported when the first run starts, not when plugins are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.plugin import Evaluated, RunFinished, RunNote, RunStarted, StepDone, hookimpl

if TYPE_CHECKING:
    from tunesmith_tensorboard.events import EventFile

FILE = "events.out.tfevents.tunesmith"
"""In the run folder itself, so that TensorBoard calls a run by the name of its folder."""


@dataclass(frozen=True, slots=True)
class _Watched:
    file: EventFile
    every: int
    unit: str


_watched: dict[str, _Watched] = {}


@hookimpl
def tunesmith_run_started(event: RunStarted) -> None:
    """Begin the file, or take back what a resumed run will do again."""
    from tunesmith_tensorboard.events import EventFile
    from tunesmith_tensorboard.summaries import flat, hyperparameters, text

    file = EventFile(Path(event.run) / FILE)
    _watched[event.run] = _Watched(file, int(event.recipe["train"]["log_every"]), event.unit)
    if event.first_step and file.keep_until(event.first_step):
        return
    file.begin()
    values = flat(event.recipe)
    facts = {**event.facts, **{key: str(value) for key, value in values.items()}}
    file.append(0, hyperparameters(values), text("recipe", "\n".join(f"    {k}: {v}" for k, v in facts.items())))


@hookimpl
def tunesmith_run_note(event: RunNote) -> None:
    """Counted facts, under "Text"."""
    from tunesmith_tensorboard.summaries import text

    if event.run in _watched:
        _watched[event.run].file.append(0, text("notes", event.message))


@hookimpl
def tunesmith_step_done(event: StepDone) -> None:
    """The curves, as often as ``train.log_every`` says."""
    from tunesmith_tensorboard.summaries import scalars

    run = _watched.get(event.run)
    if run is None or (event.step % run.every and event.step != event.total_steps):
        return
    figures = {
        "train/loss": event.loss,
        "train/learning_rate": event.learning_rate,
        "train/grad_norm": event.grad_norm,
        "train/epoch": event.epoch,
    }
    if event.seconds > 0:
        figures[f"train/{run.unit}_per_second"] = event.tokens / event.seconds
    run.file.append(event.step, scalars(figures))


@hookimpl
def tunesmith_evaluated(event: Evaluated) -> None:
    """Figures of a split; step 0 is the untrained model."""
    from tunesmith_tensorboard.summaries import scalars

    if event.run in _watched:
        figures = {f"{event.split}/{name}": value for name, value in event.metrics.items()}
        _watched[event.run].file.append(event.step, scalars(figures))


@hookimpl
def tunesmith_run_finished(event: RunFinished) -> None:
    """The end, for the table of hyper-parameters; an interrupted run has not ended."""
    from tunesmith_tensorboard.summaries import ended

    run = _watched.pop(event.run, None)
    if run is not None and event.status == "finished":
        run.file.append(event.steps, ended())
