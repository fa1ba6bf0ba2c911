# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The state folder: what one start of the program leaves to the next. Best effort, by whoever uses it.

A disk that is full or read-only costs what would have been kept, and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.files import read_text_file

__all__ = ["StateFolder"]

_PATIENCE: Final = 0.1
"""Seconds; whoever holds the lock writes a few kilobytes."""


class StateFolder(NamedTuple):
    """A folder for this person only.

    Attributes:
        path: need not exist; None: nothing is kept.
    """

    path: Path | None

    def read(self, name: str) -> bytes | None:
        """What is kept under a name; None: nothing.

        Raises:
            SignedDocumentError: it cannot be read: no permission, no file, too large.
        """
        if self.path is None:
            return None
        path = os.path.join(self.path, name)
        if not os.path.lexists(path):  # as usual; an error costs more than all the rest
            return None
        try:
            return read_text_file(path)
        except SignedDocumentError as error:
            if error.reason == "no-file" or not os.path.isdir(self.path):
                return None
            raise

    def write(self, name: str, content: bytes) -> None:
        """Keep this under a name, readable by the owner only: at any moment the old or the new is there, whole.

        Raises:
            OSError: it was not kept; what was there still is.
        """
        if self.path is None:
            raise FileNotFoundError("there is no state folder")
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        temporary = self.path / f".{name}.{os.urandom(4).hex()}.tmp"
        try:
            number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path / name)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if os.name != "nt":  # which has no such call and needs none
            folder = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def remove(self, name: str) -> bool:
        """Forget what is kept under a name; False: nothing was.

        Raises:
            OSError: it cannot be removed.
        """
        if self.path is None:
            return False
        try:
            (self.path / name).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @contextmanager
    def alone(self, patience: float = _PATIENCE) -> Iterator[bool]:
        """Around reading, changing and writing: no other process is in such a block at the same time.

        Args:
            patience: seconds to wait for it.

        Yields:
            False: another process is, and did not come to an end; leave it to that one. Where the file system or the
            operating system has no such locks: True, and the last one to write wins, with something whole.

        Raises:
            OSError: the folder cannot be made or written.
        """
        if self.path is None:
            raise FileNotFoundError("there is no state folder")
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        try:
            import fcntl
        except ImportError:
            yield True
            return
        number = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_up = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() < give_up:
                        time.sleep(0.005)
                        continue
                    alone = False
                except OSError:
                    alone = True
                else:
                    alone = True
                break
            yield alone
        finally:
            os.close(number)  # and with it the lock

    def trouble(self, error: OSError) -> str:
        """The note about something that was not kept; one text for everything, as one is enough."""
        where = f"nothing can be kept in {self.path}" if self.path else "this account has no home to keep anything in"
        return (
            f"{where} from one start to the next ({(error.strerror or str(error)).lower()}): "
            "newer roots, lists of revocations and the mark of the clock are known only as far as they are installed"
        )
