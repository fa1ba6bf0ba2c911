# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The run folder: what a job leaves behind, complete enough to repeat it.

::

    RUN/
      run.json       the manifest: status, times, versions, hashes, figures (format 1, below)
      run.lock       held by the process that works on the run
      recipe.yaml    the resolved recipe
      metrics.jsonl  one record a line
      model/  checkpoints/  report.html  golden.json

``run.json`` always holds ``format``, ``status`` (``running``, ``interrupted``, ``finished``, ``failed``),
``created``, ``finished`` (UTC, ISO 8601, or null), ``task``, ``method`` and ``model``; the job adds the rest.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tunesmith.errors import OutputError, RecipeError, RunError
from tunesmith.recipe import Recipe, dump_recipe, read_recipe
from tunesmith.runs.atomic import TEMPORARY, atomic_write, writing
from tunesmith.runs.lock import TakenError, hold, holder, is_held
from tunesmith.runs.log import Log
from tunesmith.runs.records import from_json, to_json

__all__ = ["FORMAT", "LOCK", "MANIFEST", "RECIPE", "STATUSES", "Run"]

FORMAT = 1
STATUSES = ("running", "interrupted", "finished", "failed")
MANIFEST, LOCK, RECIPE, METRICS = "run.json", "run.lock", "recipe.yaml", "metrics.jsonl"


class Run:
    """A run folder. Make one with :meth:`create`, take up one with :meth:`open`.

    Nothing is cached: every property reads what is on disk now, so a run may be watched while it is written.

    Attributes:
        path: the folder as it was given, ``~`` expanded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = Log(path / METRICS)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # ---- make and take up --------------------------------------------------------------------------------------

    @staticmethod
    def check_free(folder: str | os.PathLike[str]) -> None:
        """See whether a run can be made there, before any work is done for it. Changes nothing.

        Raises:
            OutputError: something is there already, or the place cannot be written.
        """
        path = Path(folder).expanduser()
        with writing(path):
            if path.is_dir():
                names = sorted(entry.name for entry in path.iterdir())
                if names:
                    raise _occupied(path, names)
            elif path.is_symlink() or path.exists():
                raise OutputError(
                    f"{path} is a file, and the run needs a folder of that name",
                    fix="choose another output: --set output=FOLDER",
                )
            nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
            if not nearest.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "", str(nearest))
            if not os.access(nearest, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "", str(nearest))

    @classmethod
    def create(cls, folder: str | os.PathLike[str], recipe: Recipe, facts: Mapping[str, Any] | None = None) -> Run:
        """Make a run folder, its parents too, with the recipe and a manifest that says ``running``.

        Args:
            folder: must be empty or not there.
            recipe: resolved.
            facts: what else the manifest says from its first moment on.

        Raises:
            OutputError: something is there already, or the place cannot be written. Nothing is left behind.
        """
        cls.check_free(folder)
        run = cls(Path(folder).expanduser())
        made = _make_folders(run.path)
        try:
            run._claim()
        except OutputError:
            _remove([], made)  # the files, if any, are another run's
            raise
        try:
            manifest = {
                "format": FORMAT,
                "status": "running",
                "created": _now(),
                "finished": None,
                "task": recipe.task,
                "method": recipe.method.name,
                "model": {"name": recipe.model.name},
                **(facts or {}),
            }
            with writing(run.path), hold(run.path / LOCK):  # until the run is there, this says that its maker lives
                atomic_write(run.path / RECIPE, dump_recipe(recipe))
                atomic_write(run.path / MANIFEST, to_json(manifest, indent=2) + "\n")
        except OutputError:
            _remove([run.path / name for name in (MANIFEST, RECIPE, LOCK)], made)
            raise
        return run

    def _claim(self) -> None:
        """Of two processes that found the folder empty at the same time, let one go on."""
        with writing(self.path):
            try:
                os.close(os.open(self.path / LOCK, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            except FileExistsError:
                raise _occupied(self.path, sorted(entry.name for entry in self.path.iterdir())) from None

    @classmethod
    def forget_unmade(cls, folder: str | os.PathLike[str]) -> bool:
        """Free a folder that a process claimed for a run and was killed before the run was there. A folder in which
        there is a run, or anything that no claim leaves behind, or whose claim is of a process that lives, stays as it
        is. Where a disk does not share locks, processes of other machines do not look alive: ask when they are gone.

        Returns:
            Whether there was such a claim.

        Raises:
            OutputError: the place cannot be written.
        """
        path = Path(folder).expanduser()
        with writing(path):
            names = [entry.name for entry in path.iterdir()] if path.is_dir() else []
            if not _is_claim(names) or is_held(path / LOCK):
                return False
            for name in sorted(names, key=LOCK.__eq__):  # the lock last: until then nobody takes the folder for free
                (path / name).unlink(missing_ok=True)
        return True

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """Take up a run folder.

        Raises:
            RunError: it is none, its manifest is damaged, or a newer Tunesmith wrote it.
        """
        run = cls(Path(folder).expanduser())
        if not (run.path / MANIFEST).is_file():
            raise _not_a_run(run.path)
        _ = run.manifest
        return run

    # ---- what is in it -----------------------------------------------------------------------------------------

    @property
    def model_folder(self) -> Path:
        """Where the model is saved; not there before the first time."""
        return self.path / "model"

    @property
    def checkpoint_folder(self) -> Path:
        """Where checkpoints are; not there before the first one."""
        return self.path / "checkpoints"

    @property
    def report_file(self) -> Path:
        """The report; not there before the run is finished."""
        return self.path / "report.html"

    @property
    def manifest(self) -> dict[str, Any]:
        """What ``run.json`` says now; yours to change, :meth:`update` is what writes.

        Raises:
            RunError: it is missing or damaged, or a newer Tunesmith wrote it.
        """
        file = self.path / MANIFEST
        try:
            manifest = from_json(file.read_bytes())
            if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
                raise ValueError("it is not the manifest of a run")
            if manifest["format"] == FORMAT and manifest.get("status") not in STATUSES:
                raise ValueError(f"status {manifest.get('status')!r}")
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(
                f"{file} is damaged",
                given=getattr(error, "strerror", None) or error,
                expected="the JSON that Tunesmith wrote",
                fix="bring the file back from a copy; the model and the recipe beside it can be used without it",
            ) from error
        if manifest["format"] != FORMAT:
            raise RunError(
                f"{self.path} was written in another format",
                given=f"format {manifest['format']}",
                expected=f"format {FORMAT}",
                fix="use a newer Tunesmith: pip install --upgrade tunesmith",
            )
        return manifest

    def recipe(self) -> Recipe:
        """The resolved recipe.

        Raises:
            RunError: ``recipe.yaml`` is missing or damaged.
        """
        try:
            return read_recipe(self.path / RECIPE)
        except RecipeError as error:
            raise RunError(
                f"the recipe of {self.path} cannot be read",
                given=error.what,
                expected="the recipe as the run wrote it",
                fix="bring the file back from a copy",
            ) from error

    def metrics(self) -> list[dict[str, Any]]:
        """The records of ``metrics.jsonl``, oldest first. A last line torn by a lost machine is left out.

        Raises:
            RunError: another line is damaged.
        """
        return self._log.read()

    # ---- write into it -----------------------------------------------------------------------------------------

    def update(self, **fields: Any) -> None:
        """Set fields of the manifest; the others stay. ``status="finished"`` also sets the time.

        Args:
            fields: plain data. Paths become text, NaN and infinities are stored as words and read back.

        Raises:
            ValueError: an unknown status, or a field that never changes.
            TypeError: a value that JSON cannot hold.
            OutputError: the disk is full or read-only; the old manifest stays.
        """
        status = fields.get("status", "running")
        if status not in STATUSES:
            raise ValueError(f"the status must be one of {', '.join(STATUSES)}, given {status!r}")
        if fields.keys() & {"format", "created"}:
            raise ValueError("format and created are written once, when the run is made")
        if "status" in fields:
            fields.setdefault("finished", _now() if status == "finished" else None)
        atomic_write(self.path / MANIFEST, to_json(self.manifest | fields, indent=2) + "\n")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append a record to ``metrics.jsonl``, e.g. ``{"kind": "step", "step": 1, "loss": 2.3}``.

        Raises:
            TypeError: a value that JSON cannot hold.
            OutputError: the disk is full or read-only; earlier records stay.
        """
        self._log.append(record)

    def flush_metrics(self) -> int:
        """Have the disk hold every record so far, before a checkpoint says that their steps are done.

        Returns:
            The size of the records in bytes, for :meth:`truncate_metrics`.

        Raises:
            OutputError: the disk reports an error.
        """
        return self._log.flush()

    def truncate_metrics(self, size: int) -> None:
        """Drop every record that came after :meth:`flush_metrics` gave this size; a resumed job makes them again.

        Raises:
            OutputError: the disk reports an error; all records stay.
        """
        self._log.cut(size)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Work on the run alone. The lock ends with the process, also with ``kill -9``.

        Raises:
            RunError: another process works on it.
            OutputError: the folder cannot be written.
        """
        with ExitStack() as stack:
            with writing(self.path / LOCK):
                try:
                    stack.enter_context(hold(self.path / LOCK))
                except TakenError as error:
                    raise RunError(
                        f"{self.path} is in use",
                        given=f"{error.holder} works on it",
                        expected="one process at a time",
                        fix="wait until it is done, or stop it",
                    ) from None
            for leftover in (*self.path.glob(TEMPORARY), *self.model_folder.glob(TEMPORARY)):  # of a killed process
                with suppress(OSError):
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            yield

    @property
    def was_killed(self) -> bool:
        """The manifest says ``running``, and no process works on it any more."""
        lock = self.path / LOCK
        return self.manifest["status"] == "running" and holder(lock).is_here and not is_held(lock)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _make_folders(path: Path) -> list[Path]:
    """Make a folder and its parents; gives those that were not there, innermost first."""
    missing = [place for place in (path, *path.parents) if not place.exists()]
    with writing(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            _remove([], missing)
            raise
    return missing


def _remove(files: Sequence[Path], folders: Sequence[Path]) -> None:
    """Take back what was made; never anything that somebody else put there (``rmdir`` takes empty folders only)."""
    with suppress(OSError):
        for file in files:
            file.unlink(missing_ok=True)
        for folder in folders:
            folder.rmdir()


def _is_claim(names: Sequence[str]) -> bool:
    """Whether a folder holds what a process makes there before the run's manifest, and nothing else."""
    return LOCK in names and all(name in (LOCK, RECIPE) or fnmatch(name, TEMPORARY) for name in names)


def _occupied(path: Path, names: Sequence[str]) -> OutputError:
    fix = ["choose another output: --set output=FOLDER"]
    if MANIFEST in names:
        try:
            manifest = Run(path).manifest
            status = "killed" if Run(path).was_killed else manifest["status"]
            what = f"another run: {manifest.get('task')}, {status}, of {manifest.get('created')}"
            if manifest["status"] != "finished":
                fix.append(f"or go on with that one: tunesmith train --resume {path}")
        except RunError as error:
            what = f"a run that cannot be read ({error.what})"
    elif _is_claim(names):
        what = "what is left of a job that was killed before its first step"
        fix.append(f"or delete it: rm -r {path}")
    else:
        what = f"{', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return OutputError(
        f"{path} is not empty, and nothing is overwritten",
        given=what,
        expected="a folder that is empty or not there",
        fix=fix,
    )


def _not_a_run(path: Path) -> RunError:
    above = next((parent for parent in (path.parent, path.parent.parent) if (parent / MANIFEST).is_file()), None)
    if above is not None:
        fix = f"did you mean {above}?"
    elif any(any(path.glob(f"{deep}{MANIFEST}")) for deep in ("*/", "*/*/")):  # trials of a search lie two deep
        fix = f"tunesmith runs list {path} shows the runs in it"
    else:
        fix = "tunesmith runs list FOLDER shows the runs in a folder"
    if not path.exists():
        return RunError(f"no such run: {path}", fix=fix)
    return RunError(f"{path} is not a run", given=f"no {MANIFEST} in it", expected="a folder made by training", fix=fix)
