# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Removing a run whole: it is renamed first, so that at no moment there is half a run, and then deleted.

What an interrupted removal left is hidden, is no run to anybody, and is deleted by the next one. Each removal is in the
audit log before it begins, and when it is done.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import OutputError, RunError
from tunesmith.runs import Run, flush_folder
from tunesmith.runs.folder import MANIFEST
from tunesmith_enterprise.governance.changes import write_change
from tunesmith_enterprise.governance.retention.deciding import held_by, in_use

__all__ = ["leftovers", "remove_leftover", "remove_run"]

_GONE: Final = ".removed-"
_DEEP: Final = 5  # folders, as deep as runs are looked for


def remove_run(path: Path, reason: str, *, facts: dict[str, Any] | None = None) -> None:
    """Remove a run with its models, checkpoints and records.

    Args:
        reason: why, for the audit log.
        facts: what else is to stand there.

    Raises:
        RunError: it is no run, a link, held, or a process works on it.
        OutputError: it cannot be removed, or the audit log cannot be written: then it is not removed.
    """
    if path.is_symlink():
        raise RunError(
            f"{path} is a link to a run", given=os.path.realpath(path), expected="the run itself", fix="name the run"
        )
    path = Path(os.path.realpath(path))  # also `.` has a place beside it then
    run = Run.open(path)
    held = held_by(path)
    if held is not None:
        raise RunError(
            f"{path} is held and stays",
            given=held,
            expected="a run that nobody holds",
            fix=f"ask whoever made {held}; when the hold is over, remove that file",
        )
    busy = in_use(path)
    if busy is not None and busy != path:  # of itself its lock says so, below
        raise RunError(f"{path} is in use", given=f"a process works on {busy}", fix="wait until it is done, or stop it")
    said = {"run": str(path), "reason": reason, **_identity(run), **(facts or {})}
    try:
        with ExitStack() as stack:
            lock = stack.enter_context(run.locked())
            write_change("run-removing", **said)
            gone = path.with_name(f"{_GONE}{path.name}-{os.urandom(4).hex()}")
            if sys.platform == "win32":  # where nothing is renamed that a process has open
                stack.close()
            os.rename(path, gone)
            flush_folder(path.parent)
        del lock
        shutil.rmtree(gone)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be removed",
            given=error.strerror or str(error),
            expected="a folder that this account may change, and all that is in it",
            fix=["do it as its owner", "what is left of it is hidden; `tunesmith retention apply` deletes that too"],
        ) from error
    write_change("run-removed", run=said["run"], reason=reason)


def leftovers(folders: list[str]) -> Iterator[Path]:
    """What interrupted removals left in the folders of runs."""
    for folder in folders:
        yield from _below(Path(folder), _DEEP)


def remove_leftover(path: Path) -> None:
    """Finish a removal that was interrupted.

    Raises:
        OutputError: it cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise OutputError(
            f"what is left of a removed run cannot be deleted: {path}",
            given=error.strerror or str(error),
            fix="delete it as its owner",
        ) from error
    write_change("run-removed", run=str(path), reason="a removal that was interrupted")


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if any(entry.name == MANIFEST for entry in entries):
        return  # a run: nothing that begins like this is looked for in it
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name.startswith(_GONE):
                yield Path(entry.path)
            elif depth and not entry.name.startswith("."):
                yield from _below(Path(entry.path), depth - 1)


def _identity(run: Run) -> dict[str, Any]:
    """By which one can say later which run it was: the hash of its manifest, and its model's."""
    manifest = run.manifest
    artefacts = manifest.get("artefacts")
    models = {name: digest for name, digest in artefacts.items() if name.startswith("model/")} if artefacts else {}
    return {
        "manifest_sha256": sha256((run.path / MANIFEST).read_bytes()).hexdigest(),
        "status": manifest.get("status"),
        "created": manifest.get("created"),
        "models": dict(list(models.items())[:50]),
    }
