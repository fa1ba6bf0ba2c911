# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How threads share the work of a step without Python.

A step is a row of phases, and a phase is a number of pieces. Threads claim pieces one by one; a phase is over when all
of its pieces are done, whoever has done them. So a thread that comes late, or is held up by the system, holds up
nobody: the others do its pieces, and it finds them done.

Helpers look for the next step by themselves for some milliseconds, giving way to other threads, and then fall asleep;
it is Python that wakes them (:class:`Team`).

All that they share are int64 words, ``_LINE`` apart so that no two of them lie in one line of a processor's cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.engine.jit.native import atomic_add, compiled, entry, give_way, load, store

__all__ = [
    *("Team", "claim", "close", "close_step", "control", "done", "enter", "leave", "open_step", "opened", "wait_for"),
]

_LINE = 8  # words of 8 bytes
_OPEN, _INSIDE, _STOP = 0, 8 * _LINE, 16 * _LINE  # bytes from the start
_PHASES = 24 * _LINE
_PHASE = 16 * _LINE  # two words: claimed, done
_PATIENCE = 20_000  # looks for a step before a helper falls asleep: some milliseconds where nobody else wants the core


def control(phases: int) -> NDArray[np.int64]:
    """The words that the threads of a team share, for steps of so many phases."""
    return np.zeros((3 + 2 * phases) * _LINE, np.int64)


@compiled
def claim(words: int, phase: int) -> Any:
    """The number of a piece that nobody else does; it may be beyond the last."""
    return atomic_add(words + _PHASES + phase * _PHASE, 1)


@compiled
def done(words: int, phase: int) -> None:
    """A claimed piece is done."""
    atomic_add(words + _PHASES + phase * _PHASE + 8 * _LINE, 1)


@compiled
def wait_for(words: int, phase: int, pieces: int) -> None:
    """Until all pieces of a phase are done."""
    looks = 0
    while load(words + _PHASES + phase * _PHASE + 8 * _LINE) < pieces:
        looks += 1
        if looks > 200:
            give_way()


@compiled
def enter(words: int, seen: int) -> Any:
    """A helper's way into the next step: its number; 0: none came, or the team is stopped.

    Args:
        words: address of the control words.
        seen: the step it last took part in.
    """
    for look in range(_PATIENCE):
        if load(words + _STOP):
            return 0
        # Inside first, then look whether it is open: who closes it looks the other way round.
        atomic_add(words + _INSIDE, 1)
        step = load(words + _OPEN)
        if step > seen:
            return step
        atomic_add(words + _INSIDE, -1)
        if look > 50:
            give_way()
    return 0


@compiled
def leave(words: int) -> None:
    """A helper has done what it could of a step."""
    atomic_add(words + _INSIDE, -1)


@compiled
def opened(words: int) -> Any:
    """The number of the step that is open; 0: none is."""
    return load(words + _OPEN)


@compiled
def open_step(words: int, number: int) -> None:
    """Let helpers into a step; those that sleep go on sleeping."""
    store(words + _OPEN, number)


@compiled
def close_step(words: int, phases: int) -> None:
    """Let nobody in any more, wait until everybody is out, and make ready for the next step."""
    store(words + _OPEN, 0)
    while load(words + _INSIDE):
        give_way()
    for phase in range(phases):
        store(words + _PHASES + phase * _PHASE, 0)
        store(words + _PHASES + phase * _PHASE + 8 * _LINE, 0)


@entry
def close(words: int, phases: int) -> None:
    """As :func:`close_step`, from Python."""
    close_step(words, phases)


class Team:
    """Helpers of the thread that computes.

    Args:
        threads: in all, the caller's own among them.
        words: the control words.
        take_part: takes part in steps until :func:`enter` finds none; called with the helper's number from 1.
        name: of the threads.
    """

    def __init__(self, threads: int, words: NDArray[np.int64], take_part: Callable[[int], None], name: str) -> None:
        self._words = words
        self._address = words.ctypes.data
        self._take_part = take_part
        self._step = 0
        self._wake = threading.Condition()
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name=f"{name} {number}", daemon=True)
            for number in range(1, threads)
        ]
        self._asleep = 0
        self._stopped = False
        for thread in self._threads:
            thread.start()

    def open(self) -> None:
        """Let helpers into the next step, and wake those that sleep."""
        self._step += 1
        store_word(self._address + _OPEN, self._step)
        if self._asleep:
            with self._wake:
                self._wake.notify_all()

    def went_on(self, steps: int) -> None:
        """So many steps were opened, one behind another, without Python."""
        self._step += steps

    def stop(self) -> None:
        """End the helpers. May come twice."""
        store_word(self._address + _STOP, 1)
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self, number: int) -> None:
        while True:
            self._take_part(number)
            with self._wake:
                self._asleep += 1
                self._wake.wait_for(lambda: self._stopped or bool(self._words[_OPEN // 8]))
                self._asleep -= 1
                if self._stopped:
                    return


@entry
def store_word(address: int, value: Any) -> None:
    """As :func:`~tunesmith.engine.jit.native.store`, from Python."""
    store(address, value)
