# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A process that encodes parts of a split, and our end of it.

Not ``multiprocessing``: its children begin by running the caller's own script again, which for a script without a
``__main__`` guard means training in every child. A worker is a fresh interpreter that reads from its standard input,
and it ends when that does, so none outlives the job. What passes through the pipes is pickled; both ends are ours.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunesmith.errors import DataError
from tunesmith.tasks.encoded import write_items
from tunesmith.tasks.tally import AnyTask, blank_copy, tally_of

__all__ = ["Worker", "WorkerError", "main"]

_PROGRAM = "from tunesmith.tasks.encoding_worker import main; main()"


class WorkerError(Exception):
    """A worker could not be started, or did not answer as it should."""


class Worker:
    """A worker process; as a context manager it is stopped at the end.

    Args:
        task: with nothing counted (:func:`tunesmith.tasks.tally.blank_copy`).
        folder: of the store that parts are written to.

    Raises:
        WorkerError: the task cannot be sent, or no process can be started.
    """

    def __init__(self, task: AnyTask, folder: Path) -> None:
        try:
            told = pickle.dumps((task, folder))
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise WorkerError(f"the task cannot be sent to another process ({error})") from error
        if getattr(sys.modules.get(type(task).__module__), "__name__", "__main__") == "__main__":
            raise WorkerError("the task is defined in the program itself, which other processes do not have")
        quiet = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here again, and is told then
                env=os.environ | quiet | {"PYTHONPATH": path},
            )
        except OSError as error:
            raise WorkerError(f"no process can be started ({error.strerror})") from error
        self._send(told)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def encode(self, part: int, first: int, examples: Sequence[Any]) -> list[DataError]:
        """Have one part written; gives what ``encode`` refused of it, and then nothing was written.

        Raises:
            WorkerError: the process ended, or failed at this part.
        """
        self._send(pickle.dumps((part, first, examples)))
        try:
            assert self._process.stdout is not None
            refused, failure = pickle.load(self._process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise WorkerError(f"it ended at part {part}") from error
        if failure is not None:
            raise WorkerError(f"part {part}: {failure}")
        found: list[DataError] = refused
        return found

    def stop(self) -> None:
        """End the process; what it was writing is not whole and is written again by somebody."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not sent any more
                    continue

    def _send(self, told: bytes) -> None:
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(told)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise WorkerError("it ended before it was told what to do") from error


def main() -> None:
    """The worker: a task and a folder, then parts until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the job, which ends us
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not print into the answers
    blank, folder = pickle.load(requests)
    while True:
        try:
            part, first, examples = pickle.load(requests)
        except EOFError:
            return
        refused: list[DataError] = []
        failure = None
        try:
            if hasattr(examples, "bind"):  # examples in a store are sent without their task
                examples.bind(blank)
            task = blank_copy(blank)
            items, refused = task.encode_some(examples, first)
            if not refused:
                write_items(folder, part, items, tally_of(task))
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        pickle.dump((refused, failure), answers)
        answers.flush()
