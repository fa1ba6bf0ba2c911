# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``vllm serve`` as a process: started, awaited, watched and ended with everything it has started itself.

It listens on this machine alone, on a port that is free, and answers only who knows a key made for it. The key is in
its environment: command lines can be read by everybody on the machine.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tunesmith.errors import ModelError

__all__ = ["HOST", "Process"]

HOST = "127.0.0.1"
_GRACE = 10.0  # seconds to end by itself
_POLL = 0.1
_LINES, _TAIL = 12, 4000
_LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
"""Of this environment, which is not its own. What begins with ``TUNESMITH_`` is left out too: keys are among it."""
_ADDED = {
    "HF_HUB_OFFLINE": "1",  # the model is a folder, and nothing else is needed
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


class Process:
    """A server that is starting.

    Args:
        command: its command line, without host and port.

    Attributes:
        port: where it listens.
        key: that it wants.
        log: what it prints; it stays after its end.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.port = _free_port()
        self.key = secrets.token_urlsafe(32)
        self.log = Path(tempfile.mkdtemp(prefix="tunesmith-vllm-")) / "vllm.log"  # for its owner only
        kept = {name: value for name, value in os.environ.items() if not _is_left_out(name)}
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "--host", HOST, "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=kept | _ADDED | {"VLLM_API_KEY": self.key},
                start_new_session=True,  # a process group of its own, and no Ctrl-C of ours
            )
        # Called at the latest when this program ends: nobody else would know of it any more.
        self._end = weakref.finalize(self, _end, self._process)

    def wait(self, seconds: float) -> None:
        """Until it is ready.

        Raises:
            ModelError: it has ended, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self.status is not None:
                raise self._failed(f"vLLM ended before it was ready, with status {self.status}")
            if time.monotonic() > deadline:
                raise self._failed(f"vLLM was not ready within {seconds:g} seconds")
            time.sleep(_POLL)

    def _answers(self) -> bool:
        connection = HTTPConnection(HOST, self.port, timeout=2.0)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    @property
    def status(self) -> int | None:
        """With which it ended; ``None``: it runs."""
        return self._process.poll()

    def ends_within(self, seconds: float) -> bool:
        """Whether it has ended, or does so in this time."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.status is not None

    def last_words(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            lines = self.log.read_bytes()[-_TAIL:].decode("utf-8", "replace").splitlines()
            return "\n".join(line for line in lines[-_LINES:] if line.strip())
        return ""

    def _failed(self, what: str) -> ModelError:
        return ModelError(
            what,
            given=self.last_words() or "it said nothing",
            expected="a server that answers /health",
            fix=(f"read all of it in {self.log}", "a model too large for the GPU: --max-model-len, --quantization, …"),
        )

    def close(self) -> None:
        """End it, and whatever it has started. May come twice."""
        self._end()


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.startswith("TUNESMITH_")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        os.killpg(process.pid, signal.SIGKILL)  # those it started, if they have stayed
    process.wait()
