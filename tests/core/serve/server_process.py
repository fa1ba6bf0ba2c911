# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A server in a process of its own, over the echo engine, with limits small enough to meet.

``python server_process.py '{"limits": {…}, …}'`` prints its address, and when it ends the figures of its engine.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


class Process:
    """The server, from its start to its end."""

    def __init__(self, environment: dict[str, str] | None = None, **options: Any) -> None:
        self._child = subprocess.Popen(
            [sys.executable, str(HERE / "server_process.py"), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | (environment or {}),
        )
        self.log: list[dict[str, Any]] = []
        self._out: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read_log, daemon=True).start()
        threading.Thread(target=self._read_out, daemon=True).start()
        self.raw_log: list[str] = []
        try:
            self.port = int(self._out.get(timeout=30).rpartition(":")[2])
        except queue.Empty:
            self._child.kill()
            raise AssertionError("\n".join(self.raw_log)) from None
        self.url = f"http://127.0.0.1:{self.port}"

    def _read_log(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self.raw_log.append(line)
            try:
                self.log.append(json.loads(line))
            except ValueError:  # read on: a pipe that nobody empties would stop the server
                self.log.append({"event": "not json", "line": line})

    def _read_out(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._out.put(line.strip())

    def connect(self, timeout: float = 10) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal."""
        self._child.send_signal(number)

    def wait(self, timeout: float = 10) -> int:
        """Its exit code."""
        return self._child.wait(timeout)

    def running(self) -> bool:
        """Whether it is there."""
        return self._child.poll() is None

    def held(self) -> tuple[int, int] | None:
        """Its open descriptors and its memory in bytes, where the system tells (Linux)."""
        folder = Path("/proc") / str(self._child.pid)
        if not folder.is_dir():
            return None
        pages = int((folder / "statm").read_text().split()[1])
        return len(list((folder / "fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")

    def figures(self) -> dict[str, Any]:
        """Those of the engine, printed at the end."""
        found: dict[str, Any] = json.loads(self._out.get(timeout=5))
        return found

    def end(self) -> None:
        """By force where need be."""
        if self.running():
            self.signal()
            try:
                self.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self.wait()
        for stream in (self._child.stdout, self._child.stderr):
            assert stream is not None
            stream.close()


def metric(text: str, name: str) -> float:
    """One figure of ``/metrics``."""
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.rpartition(" ")[2])


def eventually(holds: Any, seconds: float = 5) -> Any:
    """Wait until it does."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, f"not within {seconds} seconds"
        time.sleep(0.02)
    return found


def main(options: dict[str, Any]) -> None:
    """Serve until a signal comes."""
    from echo import Echo

    from tunesmith.serve import Keys, Limits, serve

    engine = Echo(**options.get("engine", {}))
    engines = {"echo": engine} | {
        name: Echo(name, kinds=("predict",), chats=False, task="text-classification")
        for name in options.get("classifiers", ())
    }
    serve(
        engines,
        keys=Keys.read(None),
        limits=Limits(**options.get("limits", {})),
        port=0,
        drain_seconds=options.get("drain_seconds", 5),
        announce=lambda address: print(address, flush=True),
    )
    time.sleep(0.1)  # threads of requests that were cut see it
    print(json.dumps(asdict(engine.stats()) | {"closed": engine.closed}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
