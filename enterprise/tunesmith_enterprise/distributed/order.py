# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What `tunesmith launch` tells the processes it starts, in a file that all of them on one machine read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from tunesmith.errors import OutputError
from tunesmith.recipe import Recipe, dump_recipe, read_recipe
from tunesmith.runs import Run, atomic_write, writing
from tunesmith.runs.folder import MANIFEST
from tunesmith.runs.lock import TakenError, hold
from tunesmith_enterprise.distributed.pulse import pulse_path
from tunesmith_enterprise.recorded import job_of

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
        start: the command that starts such a job, as people type it, without the recipe or the run; empty: what it is
            can be seen from the processes.
        token: of this job, and of no other: the run that it makes says so.
    """

    recipe: str
    sets: tuple[str, ...]
    resume: str
    options: tuple[str, ...]
    folder: str
    join_timeout: float
    start: str = ""
    token: str = field(default_factory=lambda: uuid4().hex)

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

    @property
    def begun(self) -> Path:
        """There from the first start of the processes on, where each start begins without who began the job."""
        return Path(self.folder) / "begun"

    @property
    def said(self) -> Path:
        """What processes and launcher tell each other while they work, where they do so through a folder
        (:mod:`tunesmith_enterprise.distributed.folder_store`).
        """
        return Path(self.folder) / "said"

    def has_finished(self) -> bool:
        """Whether the run was brought to its end by a main process that was lost before it could say so. Asked before
        :meth:`find_run`: a run in which no step began is not finished, unless it is another job's.

        Raises:
            RunError: the run that was begun cannot be read.
        """
        return self.started.exists() and Run.open(self.run).manifest["status"] == "finished"

    def tell(self, code: int, why: str) -> None:
        """What a process other than the main one found out alone, and by which the job is over."""
        atomic_write(self._told, json.dumps([code, why]))

    def told(self) -> tuple[int, str] | None:
        """Exit code and words of :meth:`tell`; None: no process of this machine told anything."""
        if not self._told.exists():
            return None
        code, why = json.loads(self._told.read_text(encoding="utf-8"))
        return int(code), str(why)

    @property
    def _told(self) -> Path:
        return Path(self.folder) / "told"

    def log(self, rank: int) -> Path:
        """What a process other than the main one prints; and where each one was, if it was found to hang."""
        return Path(self.folder) / f"process-{rank}.log"

    def pulse(self, rank: int) -> Path:
        """What a process last did (:mod:`tunesmith_enterprise.distributed.pulse`)."""
        return pulse_path(Path(self.folder), rank)

    @property
    def report(self) -> Path:
        """What became of the job, machine by machine and start by start; on the main machine."""
        return Path(self.folder) / "job.json"

    @property
    def run(self) -> str:
        """The run to go on with: also the one that an earlier start of the processes began. Empty: a new one."""
        return self.started.read_text(encoding="utf-8") if self.started.exists() else self.resume

    def asked(self) -> Recipe:
        """The recipe, with every change, of a job that has not begun: its folder may be that of an earlier one.

        Raises:
            TunesmithError: it cannot be read.
        """
        return Run.open(self.resume).recipe() if self.resume else read_recipe(self.recipe, self.sets)

    def job(self) -> Recipe:
        """The same; of the run, where an earlier start of the processes began one.

        Raises:
            TunesmithError: it cannot be read.
        """
        return Run.open(self.run).recipe() if self.started.exists() else self.asked()

    def arguments(self) -> list[str]:
        """Of ``tunesmith``, for the main process."""
        what = ["--resume", self.run] if self.run else [self.recipe, *(f"--set={one}" for one in self.sets)]
        return ["train", *what, *self.options]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the folder for this job alone, as long as it lasts. What an earlier one left that these processes would
        read goes away; its logs stay, and are written on.

        Raises:
            OutputError: another job that lives has it, or it cannot be written.
        """
        folder = Path(self.folder)
        with ExitStack() as stack:
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    stack.enter_context(hold(folder / "job.lock"))
                except TakenError as error:
                    raise OutputError(
                        "another job keeps its logs in this folder",
                        given=f"{folder}, of {error.holder}",
                        expected="a folder for each job: what its processes leave each other is there too",
                        fix="--logs ANOTHER-FOLDER, or wait until that job is done",
                    ) from None
                self.outcome.unlink(missing_ok=True)
                self.started.unlink(missing_ok=True)
                self.begun.unlink(missing_ok=True)
                shutil.rmtree(self.said, ignore_errors=True)
                self.forget_start()
            yield

    def find_run(self) -> None:
        """Note the run that the main process made, where it was lost before it could: its next start goes on with it.
        Where it was lost before the run was there, its claim of the folder is taken back.

        A run that another job made there in the meantime is left to it: the next start finds the folder taken.

        Raises:
            TunesmithError: the recipe or the run cannot be read, or the folder cannot be written.
        """
        if self.run:
            return
        folder = Path(self.job().output).expanduser()
        if not (folder / MANIFEST).is_file():
            Run.forget_unmade(folder)
        elif job_of(Run.open(folder).manifest) == self.token:
            self.started.write_text(str(folder), encoding="utf-8")

    def forget_start(self) -> None:
        """Before processes are started again: what those of the start before said."""
        self._told.unlink(missing_ok=True)
        self.forget_pulses()

    def forget_pulses(self) -> None:
        """When processes have ended."""
        for left in Path(self.folder).glob("process-*.pulse"):
            left.unlink(missing_ok=True)

    def recipe_of_run(self) -> str:
        """The text of the recipe of the run that is gone on with; empty: it is a new one.

        Raises:
            TunesmithError: there is no such run.
        """
        return dump_recipe(Run.open(self.run).recipe()) if self.run else ""

    def with_recipe(self, text: str) -> Order:
        """The same for a machine that need not see the run: its recipe, as the main machine told it."""
        path = Path(self.folder) / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return replace(self, recipe=str(path), sets=(), resume="")
