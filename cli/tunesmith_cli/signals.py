# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP: the first asks the job to save and stop, the second ends the program at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["stop_on_signals"]

_ASKED = "stopping: the step under way is finished and saved; once more (Ctrl-C) leaves at once"
_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Gives the event that a signal sets, for ``train(stop=…)``; the old handlers come back at the end.

    Leaving at once is safe: checkpoints are complete once they have their name, whatever happens after.
    """
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _say("")
            os._exit(130)
        stop.set()
        _say(_ASKED)

    if threading.current_thread() is not threading.main_thread():  # Python takes handlers in the main thread only
        yield stop
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored: nohup was asked for
        numbers.append(signal.SIGHUP)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _say(text: str) -> None:
    # Not through sys.stderr: the signal may have come in the middle of a write to it, and buffered streams refuse
    # to be entered twice. On a terminal the progress line is wiped first; it draws itself again below.
    line = f"{text}\n" if text else ""
    if sys.stderr.isatty():
        line = f"\r\x1b[2K{_SHOW_CURSOR if not text else ''}{line}"
    with suppress(OSError):  # nobody is listening any more; stopping goes on
        os.write(2, line.encode())
