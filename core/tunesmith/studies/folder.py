# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The folder of a study: many runs of one recipe, what was asked, and what came out so far.

::

    STUDY/
      study.json     kind (search, crossval), what was asked, results; replaced atomically
      study.lock     held by the process that works on it; ends with it
      recipe.yaml    the recipe that is varied
      report.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunesmith.errors import OutputError, RecipeError, RunError
from tunesmith.recipe import Recipe, dump_recipe, read_recipe
from tunesmith.runs import Run, atomic_write, writing
from tunesmith.runs.lock import TakenError, hold
from tunesmith.runs.records import from_json, to_json

__all__ = ["StudyFolder"]

_FORMAT = 1
_MANIFEST, _LOCK, _RECIPE = "study.json", "study.lock", "recipe.yaml"


class StudyFolder:
    """A folder as above. Nothing is cached: every property reads what is on disk now.

    Attributes:
        path: the folder as it was given, ``~`` expanded.
        kind: the command that made it: ``search`` or ``crossval``.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind

    @classmethod
    def create(cls, recipe: Recipe, kind: str, asked: Mapping[str, Any]) -> StudyFolder:
        """Make the folder that the recipe's ``output`` names.

        Raises:
            OutputError: something is there already, or the place cannot be written.
        """
        folder = cls(Path(recipe.output).expanduser(), kind)
        if (folder.path / _MANIFEST).is_file():
            raise _occupied(folder)
        Run.check_free(folder.path)
        with writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        atomic_write(folder.path / _RECIPE, dump_recipe(recipe))
        folder.write({"format": _FORMAT, "kind": kind, "asked": dict(asked)})
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str], kind: str) -> StudyFolder:
        """Take up a folder.

        Raises:
            RunError: it is none of this kind, or its manifest is damaged.
        """
        folder = cls(Path(path).expanduser(), kind)
        if not (folder.path / _MANIFEST).is_file():
            raise RunError(
                f"{path} is not a folder of tunesmith {kind}",
                given=f"no {_MANIFEST} in it" if folder.path.is_dir() else "no such folder",
                expected=f"the output of an earlier tunesmith {kind}",
                fix=f"tunesmith {kind} RECIPE begins a new one",
            )
        found = folder.manifest.get("kind")
        if found != kind:
            raise RunError(
                f"{path} was made by another command",
                given=f"tunesmith {found}",
                expected=f"tunesmith {kind}",
                fix=f"tunesmith {found} --resume {path}",
            )
        return folder

    @property
    def manifest(self) -> dict[str, Any]:
        """What ``study.json`` says now.

        Raises:
            RunError: it is damaged.
        """
        file = self.path / _MANIFEST
        try:
            manifest = from_json(file.read_bytes())
            if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
                raise ValueError(f"not the manifest of a study in format {_FORMAT}")
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(
                f"{file} is damaged",
                given=getattr(error, "strerror", None) or error,
                expected="the JSON that Tunesmith wrote",
                fix="bring the file back from a copy; the runs in the folder can be used without it",
            ) from error
        return manifest

    def write(self, manifest: Mapping[str, Any]) -> None:
        """Replace ``study.json``."""
        atomic_write(self.path / _MANIFEST, to_json(manifest, indent=2) + "\n")

    def update(self, **fields: Any) -> None:
        """Set fields of ``study.json``; the others stay."""
        self.write(self.manifest | fields)

    def recipe(self) -> Recipe:
        """The recipe that is varied.

        Raises:
            RunError: ``recipe.yaml`` is missing or damaged.
        """
        try:
            return read_recipe(self.path / _RECIPE)
        except RecipeError as error:
            raise RunError(
                f"the recipe of {self.path} cannot be read", given=error.what, fix="bring the file back from a copy"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Work on it alone. The lock ends with the process, also with ``kill -9``.

        Raises:
            RunError: another process works on it.
        """
        with writing(self.path / _LOCK):
            lock = hold(self.path / _LOCK)
        try:
            lock.__enter__()
        except TakenError as error:
            raise RunError(
                f"{self.path} is in use",
                given=f"{error.holder} works on it",
                expected="one process at a time",
                fix="wait until it is done, or stop it",
            ) from None
        try:
            yield
        finally:
            lock.__exit__(None, None, None)


def _occupied(folder: StudyFolder) -> OutputError:
    kind = folder.manifest.get("kind")
    return OutputError(
        f"{folder.path} is not empty, and nothing is overwritten",
        given=f"an earlier tunesmith {kind}",
        expected="a folder that is empty or not there",
        fix=[
            "choose another output: --set output=FOLDER",
            f"or go on with that one: tunesmith {kind} --resume {folder.path}",
        ],
    )
