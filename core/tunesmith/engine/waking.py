# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From an engine's thread to the coroutines that wait for it, with as few wake-ups of their event loop as can be.

Waking a sleeping loop from another thread takes a system call on either side, and every coroutine that is woken costs
another one when it writes to its socket: with many answers under way that is more than a small model's own step. So a
loop is woken once for all streams with news, and readers that are patient are woken together, so seldom that all of
them write at most 2,000 times a second: what came in between is there for them in one piece.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from weakref import WeakKeyDictionary

__all__ = ["PATIENCE", "Bell", "Waiter", "bell_of"]

PATIENCE = 0.01
"""Seconds between two looks at what patient readers wait for, where they are few: less than a frame on most screens."""

_EACH = 0.0005  # seconds more for each of them, once that is longer


class Waiter:
    """One coroutine that waits, once.

    Attributes:
        woken: done when there is something.
    """

    __slots__ = ("_bell", "_patient", "due", "woken")

    def __init__(self, bell: Bell, woken: asyncio.Future[None], patient: bool) -> None:
        self._bell = bell
        self._patient = patient
        self.woken = woken
        self.due = False  # among those of the next look

    def wake(self, *, at_once: bool = True) -> None:
        """From any thread: there is something. Where it is not to be at once, a patient one may wait a little."""
        if not self.woken.done():
            self._bell.ring(self, at_once or not self._patient)


class Bell:
    """Wakes the waiters of one event loop."""

    def __init__(self) -> None:
        self._at_once: deque[Waiter] = deque()
        self._patient: deque[Waiter] = deque()
        self._rung = False  # the loop has been told and has not looked yet
        self._armed = False  # it will look for the patient ones by itself

    def waiter(self, loop: asyncio.AbstractEventLoop, *, patient: bool = False) -> Waiter:
        """For a coroutine of the loop, which then awaits ``woken``."""
        return Waiter(self, loop.create_future(), patient)

    def ring(self, waiter: Waiter, at_once: bool) -> None:
        """From any thread."""
        # First it is noted and then looked whether the loop knows; the loop does the two the other way round. Thus
        # nothing is forgotten, and no lock is needed.
        if at_once:
            self._at_once.append(waiter)
        elif not waiter.due:
            waiter.due = True
            self._patient.append(waiter)
        if self._rung or (self._armed and not at_once):
            return
        self._rung = True
        loop = waiter.woken.get_loop()
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._rung = False
        _wake(self._at_once)
        if not self._armed:
            self._look_for_patient(loop)

    def _look_for_patient(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = False
        woken = _wake(self._patient)
        if woken:
            self._armed = True
            loop.call_later(max(PATIENCE, woken * _EACH), self._look_for_patient, loop)


def _wake(waiters: deque[Waiter]) -> int:
    count = 0
    while waiters:
        woken = waiters.popleft().woken
        if not woken.done():
            woken.set_result(None)
            count += 1
    return count


_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, Bell] = WeakKeyDictionary()
_lock = threading.Lock()


def bell_of(loop: asyncio.AbstractEventLoop) -> Bell:
    """The one bell of an event loop."""
    with _lock:
        bell = _bells.get(loop)
        if bell is None:
            bell = _bells[loop] = Bell()
        return bell
