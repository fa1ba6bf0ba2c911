# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a process of a job last did, and when: written by itself, read by who started it.

A process that hangs cannot say so. Each one therefore keeps a small file up to date, through shared memory: no system
call, about a microsecond for each sum that it takes part in. Two clocks are in it. One moves with the job: with every
sum and every word that the processes exchange. The other is moved by a thread, each second: it stands still only where
the process does not run at all.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["Beat", "Hang", "Pulse", "hung", "pulse_path", "read_beats"]

STARTING: Final = "starting"
PREPARING: Final = "preparing"
STEPPING: Final = "in a step"
EVALUATING: Final = "in an evaluation"
BETWEEN: Final = "between steps"
"""What the main process does alone may last as long as it likes: scoring, saving."""
TOGETHER: Final = (STEPPING, EVALUATING)
"""In these, everybody waits for everybody."""

_LAYOUT: Final = struct.Struct("<qqqqdd16s48s")
_EVERY: Final = 1.0
"""Seconds between two signs of life."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What was read of one process.

    Attributes:
        step: that it began last, 1-based; 0: none yet.
        phase: a constant of this module.
        doing: with the others: "a sum", "a word of the main process"; empty: computing on its own.
        talks: how often it has talked to the others.
        idle: seconds since it last began or ended to talk to them.
        silent: seconds since its last sign of life.
    """

    rank: int
    host: str
    pid: int
    step: int
    phase: str
    doing: str
    talks: int
    idle: float
    silent: float

    @property
    def whereabouts(self) -> str:
        """In words."""
        step = f"step {self.step}, " if self.step else ""
        doing = f"waiting for {self.doing}" if self.doing else "computing"
        return f"process {self.rank} on {self.host}, number {self.pid}: {step}{self.phase}, {doing}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Pulse:
    """The file of this process.

    Args:
        path: is made, or emptied.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _LAYOUT.size)
            self._memory = mmap.mmap(descriptor, _LAYOUT.size)
        finally:
            os.close(descriptor)
        self._step = self._talks = 0
        self._phase, self._doing = STARTING, ""
        self._changed = self._alive = time.monotonic()
        self._write()

    def keep_alive(self, parent: int) -> None:
        """Give signs of life from now on, and end this process when the one that started it is gone.

        Args:
            parent: number of that process.
        """

        def beat() -> None:
            while True:
                self._alive = time.monotonic()
                self._write()
                if os.getppid() != parent:  # nobody is left to end this process, and to restart the job
                    os._exit(1)
                time.sleep(_EVERY)

        threading.Thread(target=beat, name="pulse", daemon=True).start()

    def enter(self, doing: str) -> None:
        """From now on this process waits for others."""
        self._talks += 1
        self._doing = doing
        self._move()

    def leave(self) -> None:
        """It has what it waited for."""
        self._doing = ""
        self._move()

    def begin_step(self) -> None:
        self._step += 1
        self._phase = STEPPING
        self._move()

    def begin_at(self, step: int) -> None:
        """So many steps are done; the next word is about a step."""
        self._step = step
        self.between()

    def heard(self, word: str, step: int | None) -> None:
        """What the main process said: what all of them do now is waited for; ``step``: so many are done."""
        if word == "step":
            self.begin_step()
        elif word == "evaluate":
            self.evaluating()
        elif step is not None:
            self.begin_at(step)
        elif self._phase in TOGETHER:
            self.between()

    def evaluating(self) -> None:
        """It computes its part of held-out rows; called again for each batch."""
        self._phase = EVALUATING
        self._move()

    def between(self) -> None:
        self._phase = BETWEEN
        self._move()

    def preparing(self) -> None:
        self._phase = PREPARING
        self._move()

    def _move(self) -> None:
        self._changed = time.monotonic()
        self._write()

    def _write(self) -> None:
        _LAYOUT.pack_into(
            self._memory, 0, os.getpid(), self._step, self._talks, bool(self._doing), self._changed, self._alive,
            self._phase.encode(), self._doing.encode()[:48],
        )  # fmt: skip


def pulse_path(folder: Path, rank: int) -> Path:
    """The file of a process."""
    return folder / f"process-{rank}.pulse"


def read_beats(folder: Path, host: str) -> list[Beat]:
    """What the processes of this machine last did; those that have not begun are left out."""
    found, now = [], time.monotonic()
    for path in folder.glob("process-*.pulse"):
        rank = int(path.stem.rpartition("-")[2])
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if len(content) != _LAYOUT.size:
            continue
        pid, step, talks, _, changed, alive, phase, doing = _LAYOUT.unpack(content)
        if not pid:
            continue
        texts = [text.rstrip(b"\0").decode(errors="replace") for text in (phase, doing)]
        found.append(Beat(rank, host, pid, step, texts[0], texts[1], talks, now - changed, now - alive))
    return found


@dataclass(frozen=True, slots=True)
class Hang:
    """A process that the others would wait for without end."""

    beat: Beat
    seconds: float

    def __str__(self) -> str:
        return f"{self.beat.whereabouts}; it has not moved for {self.seconds:.0f} seconds"


def hung(beats: Sequence[Beat], timeout: float) -> Hang | None:
    """The process that holds up the others; None: nobody does.

    One that gives no sign of life does not run at all. Else only steps and evaluations are looked at: there, everybody
    waits for everybody, and the one that talked least is the one that is waited for.

    Args:
        beats: of all processes of the job.
        timeout: in seconds.
    """
    dead = max(beats, key=lambda one: one.silent, default=None)
    if dead is not None and dead.silent > timeout:
        return Hang(dead, dead.silent)
    if not beats or any(one.idle <= timeout for one in beats) or all(one.phase not in TOGETHER for one in beats):
        return None
    alone = [one for one in beats if not one.doing and one.phase in TOGETHER]
    slowest = min(alone or beats, key=lambda one: one.talks)
    if slowest.phase not in TOGETHER and slowest.rank == 0:  # it works alone, and all others wait for it
        return None
    return Hang(slowest, slowest.idle)
