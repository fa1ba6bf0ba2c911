# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The keys as a server knows them: looked up by id, compared by digest, and read again when their file changes."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tunesmith.errors import SettingsError
from tunesmith.serve import AccessError
from tunesmith_enterprise.governance.access.key_file import PREFIX, Key, digest_of, read_keys, seats_of

__all__ = ["Keyring"]

_LONGEST: Final = 200
"""Letters of a key; ours have 60."""
_NOBODY: Final = "0" * 64

_log = logging.getLogger("tunesmith.enterprise.access")


class Keyring:
    """Knows whose key it is.

    Args:
        path: of the file. It is looked at with every request (which takes about two microseconds), so that a key that
            was revoked opens nothing any more. When it has changed it is read in a thread: requests that have just
            come wait for it, answers under way do not.
        clock: what time it is.

    Raises:
        SettingsError: the file cannot be read now. Later the last good state counts, and the log says so.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        self._path = path
        self._clock = clock
        self._seen = _signature(path)
        self._keys = {key.id: key for key in read_keys(path)}
        self._reading: asyncio.Task[None] | None = None

    @property
    def seats(self) -> int:
        """For how many people or programs there are keys."""
        return seats_of(list(self._keys.values()), self._clock())

    async def find(self, token: str) -> Key:
        """Whose key this is. A wrong secret is compared like a right one, and takes as long.

        Raises:
            AccessError: 401, it is not known, or not good any more.
        """
        while _signature(self._path) != self._seen:  # again, if it was changed while it was read
            await asyncio.shield(self._read_once())
        id_ = token.removeprefix(PREFIX).partition("_")[0]
        key = self._keys.get(id_) if len(token) <= _LONGEST else None
        known = hmac.compare_digest(digest_of(token[:_LONGEST]), key.sha256 if key else _NOBODY)
        if key is None or not known:
            raise AccessError(
                "this key is not known here", code="unknown_key", fix="ask whoever runs this server for one"
            )
        state = key.state(self._clock())
        if state != "good":  # told to its holder only
            raise AccessError(
                f"this key {'has ended' if state == 'expired' else 'was revoked'}",
                code=f"{state}_key",
                given=f"the key {key.id}",
                fix="ask whoever runs this server for another",
            )
        return key

    def _read_once(self) -> asyncio.Task[None]:
        """All who wait for it wait for the same reading."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read))
            self._reading.add_done_callback(self._ended)
        return self._reading

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._reading = None

    def _read(self) -> None:
        self._seen = _signature(self._path)
        try:
            keys = read_keys(self._path)
        except SettingsError as error:
            _log.error(
                "%s: %s; the keys that were there before still count, and changes of them do not",
                error.what,
                error.given,
            )
            return
        self._keys = {key.id: key for key in keys}
        _log.warning("the keys were changed: %d of them are good now", sum(1 for key in keys if self._good(key)))

    def _good(self, key: Key) -> bool:
        return key.state(self._clock()) == "good"


def _signature(path: Path) -> tuple[int, ...]:
    """Changes when the file does; of a file that is not there, nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
