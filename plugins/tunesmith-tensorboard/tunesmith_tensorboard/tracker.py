# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What happens in a run, as entries of its event file."""

from __future__ import annotations

from pathlib import Path

from pydantic import PrivateAttr

from tunesmith.plugin import Evaluated, RunFinished, RunNote, RunStarted, StepDone
from tunesmith.training import Tracker
from tunesmith_tensorboard.events import EventFile
from tunesmith_tensorboard.summaries import ended, flat, hyperparameters, scalars, text

__all__ = ["FILE", "TensorBoard"]

FILE = "events.out.tfevents.tunesmith"
"""In the run folder itself, so that TensorBoard calls a run by the name of its folder."""


class TensorBoard(Tracker):
    """Writes one event file into the run folder."""

    _file: EventFile = PrivateAttr()
    _every: int = PrivateAttr(default=1)
    _unit: str = PrivateAttr(default="tokens")

    def started(self, event: RunStarted) -> None:
        """Begin the file, or take back what a resumed run will do again."""
        self._file = EventFile(Path(event.run) / FILE)
        self._every, self._unit = int(event.recipe["train"]["log_every"]), event.unit
        if event.first_step and self._file.keep_until(event.first_step):
            return
        self._file.begin()
        values = flat(event.recipe)
        facts = {**event.facts, **{key: str(value) for key, value in values.items()}}
        self._file.append(
            0, hyperparameters(values), text("recipe", "\n".join(f"    {k}: {v}" for k, v in facts.items()))
        )

    def note(self, event: RunNote) -> None:
        """Counted facts, under "Text"."""
        self._file.append(0, text("notes", event.message))

    def step_done(self, event: StepDone) -> None:
        """The curves, as often as ``train.log_every`` says."""
        if event.step % self._every and event.step != event.total_steps:
            return
        figures = {
            "train/loss": event.loss,
            "train/learning_rate": event.learning_rate,
            "train/grad_norm": event.grad_norm,
            "train/epoch": event.epoch,
        }
        if event.seconds > 0:
            figures[f"train/{self._unit}_per_second"] = event.tokens / event.seconds
        self._file.append(event.step, scalars(figures))

    def evaluated(self, event: Evaluated) -> None:
        """Figures of a split; step 0 is the untrained model."""
        self._file.append(
            event.step, scalars({f"{event.split}/{name}": value for name, value in event.metrics.items()})
        )

    def finished(self, event: RunFinished) -> None:
        """The end, for the table of hyper-parameters; an interrupted run has not ended."""
        if event.status == "finished":
            self._file.append(event.steps, ended())
