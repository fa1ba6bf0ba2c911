# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What `tunesmith launch` tells the processes it starts, in a file that all of them read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunesmith.recipe import Recipe, read_recipe
from tunesmith.runs import Run

__all__ = ["Order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job for several processes.

    Attributes:
        recipe: the file; empty where a run is resumed.
        sets: changes of single values, as of ``--set``.
        resume: the run to go on with; empty: a new one.
        options: of ``tunesmith train``, for the main process.
        folder: for what the processes leave each other and the launcher: logs, and how the job ended.
        join_timeout: in seconds, for all processes to come together.
    """

    recipe: str
    sets: tuple[str, ...]
    resume: str
    options: tuple[str, ...]
    folder: str
    join_timeout: float

    def write(self) -> Path:
        """The file of this order."""
        path = Path(self.folder) / "order.json"
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Order:
        """The counterpart of :meth:`write`."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**found, "sets": tuple(found["sets"]), "options": tuple(found["options"])})

    @property
    def started(self) -> Path:
        """Holds the folder of the run, from its first step on."""
        return Path(self.folder) / "started"

    @property
    def outcome(self) -> Path:
        """Holds the exit code of the job, when the main process has come to its end."""
        return Path(self.folder) / "outcome"

    def log(self, rank: int) -> Path:
        """What a process other than the main one prints."""
        return Path(self.folder) / f"process-{rank}.log"

    @property
    def run(self) -> str:
        """The run to go on with: also the one that an earlier start of the processes began. Empty: a new one."""
        return self.started.read_text(encoding="utf-8") if self.started.exists() else self.resume

    def job(self) -> Recipe:
        """The recipe, with every change.

        Raises:
            TunesmithError: it cannot be read.
        """
        return Run.open(self.run).recipe() if self.run else read_recipe(self.recipe, self.sets)

    def arguments(self) -> list[str]:
        """Of ``tunesmith``, for the main process."""
        what = ["--resume", self.run] if self.run else [self.recipe, *(f"--set={one}" for one in self.sets)]
        return ["train", *what, *self.options]
