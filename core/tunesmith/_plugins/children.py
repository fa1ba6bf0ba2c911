# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Processes in which plugins are examined: started, waited for, and ended with whatever they have started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith._plugins.discover import LIMIT

__all__ = ["CRASH", "TIME_LIMIT", "Children", "End"]

CRASH, TIME_LIMIT = "crash", "time limit"
"""How a child may end early."""

_GRACE = 5.0  # seconds for a child to start, and to write where it was when its time was up
# The path is set before anything of it is imported: a file json.py in the working folder must not be taken for json.
_CHILD = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(sys.argv.pop(1)); from tunesmith._plugins.examined import main"
)


@dataclass(frozen=True, slots=True)
class End:
    """What is left of a child: its lines by step, and how it ended early (empty: it did not)."""

    lines: Sequence[Mapping[str, Any]]
    output: bytes
    kind: str = ""
    how: str = ""

    def of(self, step: str) -> list[Mapping[str, Any]]:
        return [
            {key: value for key, value in line.items() if key != "step"} for line in self.lines if line["step"] == step
        ]

    @property
    def tail(self) -> str:
        return self.output[-4000:].decode("utf-8", "replace").strip()


class Children:
    """Children under way; those that are left when the block ends are ended."""

    def __init__(self) -> None:
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for child in self._alive:
                _kill(child)

    def run(self, name: str, steps: str, timeout: float, *, start: int = 0) -> End:
        """Run one child to its end; without a name it is one that loads what this process would load."""
        with tempfile.TemporaryDirectory(prefix="tunesmith-plugin-") as folder:
            report, output = Path(folder, "report"), Path(folder, "output")
            report.touch()
            # For all of sys.path, as it is here; a path may hold the usual separator, and none holds a line break.
            told = ["\n".join(map(str, sys.path)), "\n"]
            call = f"{_CHILD}; main(*sys.argv[1:])"
            command = [sys.executable, "-X", "faulthandler", "-c", call, *told]
            command += [str(report), name, steps, str(timeout), str(start)]
            began = time.monotonic()
            with output.open("ab") as said:
                child = self._start(command, name, said.fileno())
                try:
                    code = child.wait(timeout + _GRACE)
                except subprocess.TimeoutExpired:
                    code = None
                finally:
                    self._end(child)
            lines = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
            written = output.read_bytes()
        if lines and lines[-1]["step"] == "end":
            return End(lines, written)
        # The child ends itself when its time is up, with exit code 1 and this word; only then it can be in time.
        if code is None or (code == 1 and time.monotonic() - began >= timeout and b"Timeout (" in written):
            return End(lines, written, TIME_LIMIT, f"it was not done after {timeout:g} s")
        return End(lines, written, CRASH, f"the process {_ended(code)}")

    def _start(self, command: list[str], name: str, output: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise RuntimeError("no more children are started")
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,  # a file, not a pipe: what a plugin has started may hold it open for ever
                stderr=output,
                env={**os.environ, **({LIMIT: name} if name else {})},
                start_new_session=True,  # a group of its own, so that whatever it starts ends with it
            )
            self._alive.add(child)
            return child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            _kill(child)
            self._alive.discard(child)
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a child and, where there are groups of processes, everything it has started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except (ProcessLookupError, PermissionError):
        pass  # it and all of its group have ended


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by the signal {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by the signal {-code}"
