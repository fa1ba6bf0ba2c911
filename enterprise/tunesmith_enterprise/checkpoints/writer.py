# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One thread that writes, one checkpoint at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["Writer"]


class Writer:
    """Writes beside the job; what went wrong is raised when the job asks next."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._written: list[Path] = []

    def start(self, write: Callable[[], Path | None]) -> None:
        """Begin to write; nothing is being written (:meth:`wait`).

        Args:
            write: gives the checkpoint, when it is whole; None: another process tells of it.
        """
        assert self._thread is None

        def run() -> None:
            try:
                path = write()
            except BaseException as error:  # whatever it is, the job's thread is to raise it
                self._error = error
            else:
                self._written += [] if path is None else [path]

        # Of a process that is ended, nothing waits for this thread: half a checkpoint is no checkpoint.
        self._thread = threading.Thread(target=run, name="checkpoint", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is being written. Never raises."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def written(self) -> list[Path]:
        """Those that became whole since this was asked last. Does not wait.

        Raises:
            BaseException: what a write raised; once.
        """
        if self._thread is not None and not self._thread.is_alive():
            self.wait()
        error, self._error = self._error, None
        if error is not None:
            raise error
        told = self._written[:]
        del self._written[: len(told)]
        return told
