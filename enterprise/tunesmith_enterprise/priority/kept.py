# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What tenants have used of their quotas, kept from one start of a server to the next: a restart makes no quota full.

One small file in the state folder. A server looks at it each second: it adds what its tenants have used since, and
takes over what other servers of the same account have added. So a quota is one for all of them, a second late. What a
request may use is taken when it comes, so a server that is killed leaves too little in a quota rather than too much.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from tunesmith.errors import SignedDocumentError
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.priority.quotas import SPANS, Quota

__all__ = ["FILE", "KeptQuotas"]

FILE: Final = "quotas.json"
EVERY: Final = 1.0
"""Seconds between two looks at the file."""
_PATIENCE: Final = 2.0
"""Seconds to wait for another server that has the file; each has it for as long as it takes to write some kilobytes."""
_LONGEST: Final = max(SPANS.values())

_log = logging.getLogger("tunesmith.enterprise.priority")


class KeptQuotas:
    """The quotas of a server that is about to start, and those that were left by others.

    Args:
        folder: where the file is. One that cannot be used, or holds something else, is told, and quotas begin full.
        quotas: by tenant; those without limits are left alone.
        wall: seconds since 1970, the same for all processes.
    """

    def __init__(self, folder: StateFolder, quotas: Mapping[str, Quota], wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._quotas = {name: quota for name, quota in quotas.items() if quota.has_limits}
        self._wall = wall
        self._last: dict[str, dict[str, Any]] = {}  # what the file says, or would say, could it be written
        self._unwritten = False
        self._told: set[str] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.exchange()

    def start(self) -> None:
        """From now on look at the file each second, in a thread."""
        if self._quotas:
            self._thread = threading.Thread(target=self._keep, name="kept quotas", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Look at it for the last time."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
        self.exchange()

    def exchange(self) -> None:
        """Add to the file what was used since the last time, and take over what others have used."""
        if not self._quotas:
            return
        try:
            with self._folder.alone(_PATIENCE) as alone:
                if not alone:
                    raise TimeoutError("another process has it, and does not come to an end")
                self._exchange()
        except OSError as error:
            self._tell(
                f"cannot be kept: {error.strerror or error}; after a restart they may be fuller than they should"
            )

    def _exchange(self) -> None:
        now, changed = self._wall(), self._unwritten
        kept = {name: one for name, one in self._read().items() if now - one["at"] < _LONGEST}
        for name, quota in self._quotas.items():
            before = kept.get(name)
            since = max(0.0, now - before["at"]) if before else 0.0  # a clock that was set back gives nothing
            used, own = quota.exchange(before["used"] if before else {}, since)
            if own or (before and before["at"] > now):
                kept[name], changed = {"at": now, "used": used}, True
        self._last, self._unwritten = kept, changed
        if changed:
            content = json.dumps({"schema": 1, "tenants": kept}, separators=(",", ":"))
            self._folder.write(FILE, content.encode() + b"\n")
            self._unwritten = False

    def _read(self) -> dict[str, dict[str, Any]]:
        """What the file says; or, where it was lost or could not be written, what is known: that gives nothing back."""
        if self._unwritten:
            return self._last
        try:
            content = self._folder.read(FILE)
            return self._last if content is None else _checked(json.loads(content))
        except (SignedDocumentError, ValueError, RecursionError) as error:
            why = error.what if isinstance(error, SignedDocumentError) else str(error)
            begin = "what is known goes on" if self._last else "they begin full"
            self._tell(f"cannot be read: {' '.join(why.split())}; {begin}")
            return self._last

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            where = "no state folder" if self._folder.path is None else self._folder.path / FILE
            _log.warning("the quotas of tenants, in %s, %s", where, what)

    def _keep(self) -> None:
        while not self._ended.wait(EVERY):
            self.exchange()


def _checked(value: Any) -> dict[str, dict[str, Any]]:
    """What stands in the file.

    Raises:
        ValueError: something else than what is written there.
    """
    tenants = value.get("tenants") if isinstance(value, dict) and value.get("schema") == 1 else None
    if not isinstance(tenants, dict):
        raise ValueError("it is not the file that a server wrote")
    for name, one in tenants.items():
        used = one.get("used") if isinstance(one, dict) else None
        numbers: list[Any] = [one.get("at"), *used.values()] if isinstance(used, dict) else [None]
        if not all(type(number) in (int, float) and 0 <= number < 1e18 for number in numbers):
            raise ValueError(f"what it says of {name!r:.80} is no use of tokens")
    return tenants
