# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Files that lie in this process's memory and nowhere else, in a folder as programs expect it.

A file is made by Linux without a name (``memfd_create``), and a private folder holds a link to it below
``/proc/PID/fd``. So the content counts as memory of the process, has no size limit of a ``/dev/shm``, can be opened by
the same user and root alone, and is gone with the process, also after ``kill -9``. What then remains are links that
lead nowhere; the next folder that is made removes them.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from tunesmith.errors import OutputError

__all__ = ["MemoryFolder", "memory_folder"]

_PREFIX: Final = "tunesmith-opened-"
_OURS: Final = re.compile(rf"{_PREFIX}(\d+)-")


class MemoryFolder:
    """A folder whose files are in memory; ``path`` is for their owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handles: list[int] = []

    def add(self, name: str, fill: Callable[[BinaryIO], object]) -> Path:
        """A file of this name, which ``fill`` writes; then nobody can change it any more.

        Args:
            name: its place in the folder, with ``/``.
        """
        handle = os.memfd_create("tunesmith-opened", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._handles.append(handle)
        with os.fdopen(os.dup(handle), "wb") as file:
            fill(file)
        _freeze(handle)
        link = self.path / name
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")
        return link

    def close(self) -> None:
        """Give the memory back, but for what is still open or mapped."""
        for handle in self._handles:
            with suppress(OSError):
                os.close(handle)
        self._handles.clear()
        shutil.rmtree(self.path, ignore_errors=True)  # removes links, and follows none


@contextmanager
def memory_folder() -> Iterator[MemoryFolder]:
    """A folder of files in memory for as long as the block runs.

    Raises:
        OutputError: the system has no such files: they are Linux's.
    """
    if not hasattr(os, "memfd_create") or not Path("/proc/self/fd").is_dir():
        raise OutputError(
            "sealed files are opened in memory, and this system cannot do that",
            given=sys.platform,
            expected="Linux, with /proc",
            fix="open them there; or `tunesmith unseal … --out FOLDER`, onto a disk that is encrypted itself",
        )
    _sweep(Path(tempfile.gettempdir()))
    folder = MemoryFolder(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")))
    try:
        yield folder
    finally:
        folder.close()


def _freeze(handle: int) -> None:
    import fcntl

    # man 2 fcntl, F_ADD_SEALS: no growing, shrinking, writing, nor taking the seals off again.
    fcntl.fcntl(
        handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    )


def _sweep(place: Path) -> None:
    """Remove the folders of processes of this user that are gone: they hold links that lead nowhere."""
    with suppress(OSError):
        for entry in os.scandir(place):
            found = _OURS.match(entry.name)
            mine = found and entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.getuid()
            if found and mine and not Path("/proc", found[1]).exists():
                shutil.rmtree(entry.path, ignore_errors=True)
