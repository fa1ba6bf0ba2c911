# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Processes that are ended, because others of their job are gone or because they hang."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from subprocess import Popen
from typing import Any, Final

__all__ = ["end_all"]

_TO_TELL: Final = 0.5
"""Seconds that a process has to write down where it is."""


def end_all(processes: Iterable[Popen[Any]], *, told: bool) -> None:
    """End those that live.

    Args:
        told: after each has written into its log where it was.
    """
    left = [one for one in processes if one.poll() is None]
    if told and left and hasattr(signal, "SIGUSR1"):
        for one in left:
            one.send_signal(signal.SIGUSR1)
        time.sleep(_TO_TELL)
    for one in left:
        with suppress(ProcessLookupError):
            one.kill()
    for one in left:
        one.wait()
