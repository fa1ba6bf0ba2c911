# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Use, counted as it happens: requests before the last byte of their answer is sent, and jobs when they have ended.

That the file can be written is seen before a server or a job begins: who asks for a count does not want use that is
not in it. What cannot be written later is kept in memory, told once, and written with what comes next.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tunesmith.plugin import Action, Deny, RequestEnding, RunFinished, RunStarted
from tunesmith_enterprise.governance.granting import Granted
from tunesmith_enterprise.governance.metering.store import Key, Month, month_of, months
from tunesmith_enterprise.governance.tenants import tenant_of
from tunesmith_enterprise.governance.who import account

__all__ = ["Metering"]

_COUNTED: Final = frozenset({"train", "serve"})
"""Actions whose use is counted."""
_PATIENCE: Final = 0.25
"""Seconds to wait for other processes while something is counted; each is done within a tenth of a millisecond."""

_log = logging.getLogger("tunesmith.enterprise.usage")


class Metering:
    """The count of one process: asked by the gate, told by the observers."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._file: Month | None = None
        self._pid = os.getpid()
        self._waiting: dict[Key, dict[str, int]] = {}
        self._tenants: dict[str, str] = {}  # of the runs under way, by their names
        self._told = False
        self._lock = threading.Lock()

    def begin(self, action: Action, folder: Path, granted: Granted) -> Deny | None:
        """See that use can be counted; None: it can, or there will be none.

        Args:
            folder: that the settings name.
            granted: on what the action rests.
        """
        if action.name not in _COUNTED:
            return None
        owner = "or ask whoever set usage in [plugins.enterprise] of tunesmith.toml"
        try:
            if granted.kept and not months(folder):
                return Deny(
                    reason=f"the license has ended, and the count of use in {folder} would be a new one",
                    fix=["bring the files back, or ask the vendor for a renewal", owner],
                )
            with self._lock:
                self._forget_after_fork()
                self._folder = folder
                self._opened(month_of(datetime.now(timezone.utc))).add({})
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or str(error)
            return Deny(
                reason=f"use cannot be counted in {folder}: {' '.join(why.split())}",
                fix=["make the folder, or make it writable; it has to be on a disk of this machine", owner],
            )
        return None

    def stop(self) -> None:
        """The settings ask for no count any more."""
        with self._lock:
            self._folder = None
            self._forget_after_fork()
            if self._file is not None:
                self._file.close()
            self._file = None

    def run_started(self, event: RunStarted) -> None:
        """A job of this process begins: for the tenant that its recipe names."""
        self._tenants[event.run] = tenant_of(event.recipe)

    def run_finished(self, event: RunFinished) -> None:
        """A job of this process has ended: it is its account's, for its tenant."""
        counts = {"runs": 1, "steps": event.steps, "milliseconds": round(event.seconds * 1000)}
        self._add(self._tenants.pop(event.run, ""), account().name, "", counts)

    def request_ending(self, event: RequestEnding) -> None:
        """A server of this process is about to send the last byte of an answer, and sends it when this is counted.

        What asked for no model is not counted: health, figures, lists.
        """
        if not event.model:
            return
        refused = event.status >= 400 and event.status != 499  # 499: the client went away, the tokens were made
        counts = {
            "refused" if refused else "requests": 1,
            "prompt_tokens": event.prompt_tokens,
            "cached_tokens": event.cached_tokens,
            "completion_tokens": event.completion_tokens,
        }
        model = f"{event.model}:{event.adapter}" if event.adapter else event.model
        self._add(event.tenant, event.caller, model, counts)

    def _add(self, tenant: str, caller: str, model: str, counts: dict[str, int]) -> None:
        with self._lock:
            if self._folder is None:
                return
            self._forget_after_fork()
            day = datetime.now(timezone.utc).date().isoformat()
            waiting = self._waiting.setdefault(Key(day, tenant, caller, model), {})
            for name, more in counts.items():
                waiting[name] = waiting.get(name, 0) + more
            try:
                self._write()
            except (OSError, sqlite3.Error) as error:
                if not self._told:
                    self._told = True
                    _log.error(
                        "use cannot be counted in %s: %s; the work goes on, what is not written is kept in memory and "
                        "written when it can be, and this is not told again",
                        self._folder,
                        getattr(error, "strerror", None) or error,
                    )

    def _write(self) -> None:
        """What waits, month by month: one that has begun since does not take what belongs to the last."""
        for month in sorted({key.day[:7] for key in self._waiting}):
            file = self._opened(month, patience=_PATIENCE)
            part = {key: counts for key, counts in self._waiting.items() if key.day.startswith(month)}
            file.add(part)
            for key in part:
                del self._waiting[key]

    def _opened(self, month: str, patience: float = 5.0) -> Month:
        """The file of a month; where it is not open yet, other processes are waited for so many seconds."""
        assert self._folder is not None
        if self._file is None or (self._file.month, self._file.folder) != (month, self._folder):
            if self._file is not None:
                self._file.close()
                self._file = None
            self._file = Month(self._folder, month, patience=patience)
            self._file.patience(_PATIENCE)
        return self._file

    def _forget_after_fork(self) -> None:
        """What was opened before a fork belongs to the other process, and so does what waits there."""
        if self._pid != os.getpid():
            self._pid, self._file, self._waiting = os.getpid(), None, {}
