# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who has come with a token of single sign-on this month, where the license says for how many people it is.

A key takes a seat while it is good. A person takes one with their first request of a month (UTC), and has it until the
month is over. Who has a seat keeps it, whatever becomes of the license: it is asked for when the server starts, and
what it said then holds. Kept in the state folder, as digests of names, so that a restart frees no seat; servers of one
account count together.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Final

from tunesmith.errors import SignedDocumentError
from tunesmith.serve import AccessError
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["FILE", "People", "people_of"]

FILE: Final = "people.json"
_PATIENCE: Final = 2.0
"""Seconds to wait for another server that writes the file."""
_DIGEST: Final = re.compile("[0-9a-f]{32}")

_log = logging.getLogger("tunesmith.enterprise.access")


class People:
    """Those who have a seat.

    Args:
        folder: where it is kept.
        most: seats of the license; None: it has no such limit, and nobody is counted.
        keys: how many of them keys take, now.
        clock: what time it is.
    """

    def __init__(
        self,
        folder: StateFolder,
        most: int | None,
        keys: Callable[[], int],
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._folder, self._most, self._keys, self._clock = folder, most, keys, clock
        self._month, self._known = "", frozenset[str]()
        self._told: set[str] = set()
        self._lock = threading.Lock()

    async def admit(self, name: str) -> None:
        """Somebody asks.

        Args:
            name: the same for the same person.

        Raises:
            AccessError: 403, all seats are taken.
        """
        if self._most is None:
            return
        month, digest = _month(self._clock()), _digest(name)
        if month == self._month and digest in self._known:
            return
        if not await asyncio.to_thread(self._add, month, digest):
            self._tell(month, f"all {self._most:,} seats of the license are taken in {month}: somebody was refused")
            raise AccessError(
                "the license of this server does not allow that many people",
                status=403,
                code="seats",
                given=f"one more than the {self._most:,} who have a seat this month",
                expected=f"at most {self._most:,} seats, of people and of keys",
                fix="ask whoever runs this server for a license with a higher limit, or wait for the next month",
            )

    def _add(self, month: str, digest: str) -> bool:
        """Give somebody a seat, if there is one."""
        with self._lock:
            try:
                with self._folder.alone(_PATIENCE) as alone:
                    if not alone:
                        raise TimeoutError("another process has it, and does not come to an end")
                    return self._added(month, digest, write=True)
            except OSError as error:
                why = error.strerror or str(error)
                self._tell("", f"who has a seat cannot be kept: {why}; it is counted until this server ends")
                return self._added(month, digest, write=False)

    def _added(self, month: str, digest: str, *, write: bool) -> bool:
        known = self._known if month == self._month else frozenset[str]()
        try:
            known |= _read(self._folder, month)
        except ValueError as error:
            self._tell("", f"who has a seat cannot be read: {error}; it is counted anew")
        self._month, self._known = month, known
        assert self._most is not None
        if digest in known:
            return True
        if self._keys() + len(known) >= self._most:
            return False
        self._known = known | {digest}
        if write:
            content = json.dumps({"schema": 1, "month": month, "people": sorted(self._known)})
            self._folder.write(FILE, content.encode() + b"\n")
        return True

    def _tell(self, about: str, what: str) -> None:
        key = about or what
        if key not in self._told:
            self._told.add(key)
            _log.warning("%s", what)


def people_of(folder: StateFolder, now: datetime) -> int:
    """How many people have a seat this month, as far as it is kept in this folder; 0 where it cannot be read."""
    try:
        return len(_read(folder, _month(now)))
    except ValueError:
        return 0


def _read(folder: StateFolder, month: str) -> frozenset[str]:
    """Those of a month.

    Raises:
        ValueError: the file is another than what is written there.
    """
    try:
        content = folder.read(FILE)
        found = json.loads(content) if content is not None else None
    except (SignedDocumentError, ValueError, RecursionError) as error:
        raise ValueError(error.what if isinstance(error, SignedDocumentError) else "it is no JSON") from None
    if found is None:
        return frozenset()
    people = found.get("people") if isinstance(found, dict) else None
    if not isinstance(people, list) or not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in people):
        raise ValueError("it is not the file that a server wrote")
    return frozenset(people) if found.get("month") == month else frozenset()


def _month(now: datetime) -> str:
    return f"{now.astimezone(timezone.utc):%Y-%m}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
