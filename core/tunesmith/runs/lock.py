# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One process at a time. The lock is the system's, on an open file: it ends with the process, however that ends."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Holder", "TakenError", "hold", "holder", "is_held"]

_PATIENCE = 0.25  # seconds; `is_held` of another process takes the lock for a moment
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows lets nobody read a locked range, so the lock lies far behind the text

    def _try_lock(handle: int, *, shared: bool) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _unlock(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int, *, shared: bool) -> None:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote into a lock file last: a process id (0: unknown) and the name of its machine."""

    pid: int = 0
    host: str = ""

    @property
    def is_here(self) -> bool:
        """On this machine, so that the state of the lock can be believed (network disks may not share it)."""
        return self.host in ("", socket.gethostname())

    def __str__(self) -> str:
        return f"process {self.pid or 'unknown'} on {self.host or 'this machine'}"


class TakenError(Exception):
    """Another process holds the lock."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(str(holder))
        self.holder = holder


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock for as long as the block runs; the file stays, empty.

    Raises:
        TakenError: somebody else holds it.
        OSError: the file cannot be written, or the file system has no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _taken(handle):
            raise TakenError(holder(path))
        try:
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
            yield
        finally:
            os.ftruncate(handle, 0)
            _unlock(handle)
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            _try_lock(handle, shared=False)
        except OSError as error:
            if error.errno not in _BUSY:
                raise
        else:
            return True
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)


def is_held(path: Path) -> bool:
    """Some process holds the lock now. False where there is no lock file, or it cannot be looked at."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        _try_lock(handle, shared=True)
    except OSError as error:
        return error.errno in _BUSY
    else:
        _unlock(handle)
        return False
    finally:
        os.close(handle)


def holder(path: Path) -> Holder:
    """Who wrote into the lock file last."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Holder(int(found["pid"]), str(found["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder()
