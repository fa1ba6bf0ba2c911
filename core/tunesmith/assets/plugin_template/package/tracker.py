# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where the figures of a run go as well: a CSV file, which any spreadsheet program opens."""

from __future__ import annotations

import csv
from pathlib import Path

from tunesmith.plugin import RunStarted, StepDone
from tunesmith.training.tracker import Tracker

__all__ = ["Sheet"]

_HEADER = ("step", "epoch", "loss", "learning_rate", "tokens", "seconds")


class Sheet(Tracker):
    """A line a step, in the run folder."""

    file: str = "steps.csv"
    """Its name. Every field is a key beside `name` in the recipe, and needs a default."""

    def started(self, event: RunStarted) -> None:
        path = Path(event.run) / self.file
        if event.first_step and path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                lines = list(csv.reader(file))[1:]
            # A resumed job does its last steps again: what follows its checkpoint is not what became of it.
            kept = [line for line in lines if int(line[0]) <= event.first_step]
        else:
            kept = []
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([_HEADER, *kept])

    def step_done(self, event: StepDone) -> None:
        # Opened for each line, so that nothing is lost when the job is killed; between two steps that costs nothing.
        with (Path(event.run) / self.file).open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([getattr(event, name) for name in _HEADER])
