# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The counts of a month: one SQLite file, which several processes of one machine add to at once.

Every addition is a transaction of its own in SQLite's write-ahead log: whatever happens to a process, a count is in the
file wholly or not at all. A crash of the machine, not of a process, may lose the last ones. Counts never go down, and
no row is ever taken out: the file itself refuses it. The folder has to be on a disk of this machine, as the log of
SQLite is not for disks of a network.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.errors import OutputError

__all__ = ["COUNTS", "Key", "Month", "Row", "month_of", "months"]

COUNTS: Final = (
    "requests",
    "refused",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "runs",
    "steps",
    "milliseconds",
)
"""What is counted, as the columns are named; ``milliseconds`` are those of runs."""

_TIDY: Final = 1000  # additions; the log of SQLite grows by 4 KiB with each

_NAME = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))\.sqlite")
_TABLE = f"""\
CREATE TABLE IF NOT EXISTS used (
  day TEXT NOT NULL, tenant TEXT NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL,
  {", ".join(f"{name} INTEGER NOT NULL" for name in COUNTS)},
  PRIMARY KEY (day, tenant, caller, model)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS never_less BEFORE UPDATE ON used
WHEN {" OR ".join(f"NEW.{name} < OLD.{name}" for name in COUNTS)}
BEGIN SELECT RAISE(ABORT, 'a count never goes down'); END;
CREATE TRIGGER IF NOT EXISTS never_gone BEFORE DELETE ON used
BEGIN SELECT RAISE(ABORT, 'a count is never taken out'); END;
"""
_ADD = f"INSERT INTO used VALUES ({', '.join('?' * (4 + len(COUNTS)))}) ON CONFLICT DO UPDATE SET " + ", ".join(
    f"{name} = {name} + excluded.{name}" for name in COUNTS
)


class Key(NamedTuple):
    """What is counted together: a day (``2026-11-26``, UTC), a tenant, a caller, a model. Only the day has to be."""

    day: str
    tenant: str
    caller: str
    model: str


class Row(NamedTuple):
    """A key and its counts, by the names of :data:`COUNTS`."""

    key: Key
    counts: Mapping[str, int]


def month_of(at: datetime) -> str:
    """The month of a point in time that is in UTC: ``2026-11``."""
    return f"{at:%Y-%m}"


def months(folder: Path) -> list[str]:
    """The months that are counted in a folder, the oldest first; none where there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    if not folder.is_dir():
        return []
    return sorted(found[1] for name in os.listdir(folder) if (found := _NAME.fullmatch(name)))


class Month:
    """The file of a month, open for adding. For one thread at a time, and for the process that opened it.

    Args:
        folder: has to be there.
        month: ``2026-11``.
        patience: seconds to wait for other processes.

    Raises:
        OSError, sqlite3.Error: it cannot be made, or is none.
    """

    def __init__(self, folder: Path, month: str, *, patience: float = 5.0) -> None:
        self.month, self.folder = month, folder
        self.path = folder / f"{month}.sqlite"
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would let everybody read it
        self._added = 0
        self._open = sqlite3.connect(self.path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            self._open.execute("PRAGMA journal_mode = WAL")
            self._open.execute("PRAGMA synchronous = NORMAL")
            self._open.execute("PRAGMA wal_autocheckpoint = 0")  # it waits for the disk: see `_tidied`
            self._open.executescript(_TABLE)
        except BaseException:
            self._open.close()
            raise

    def patience(self, seconds: float) -> None:
        """From now on, wait so long at most for other processes."""
        self._open.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def add(self, counts: Mapping[Key, Mapping[str, int]]) -> None:
        """Add to what is there: all of it, or, with an error, nothing.

        Raises:
            sqlite3.Error: the disk is full, or another process was longer at it than the patience.
        """
        self._added += 1
        if self._added % _TIDY == 0:
            threading.Thread(target=_tidied, args=(self.path,), name="usage-count", daemon=True).start()
        rows = [(*key, *(more.get(name, 0) for name in COUNTS)) for key, more in counts.items()]
        if len(rows) == 1:  # a statement is a transaction of its own
            self._open.execute(_ADD, rows[0])
            return
        self._open.execute("BEGIN IMMEDIATE")
        try:
            self._open.executemany(_ADD, rows)
            self._open.execute("COMMIT")
        except BaseException:
            if self._open.in_transaction:
                self._open.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()

    @staticmethod
    def read(folder: Path, month: str) -> Iterator[Row]:
        """All rows of a month, in the order of their keys; none where nothing was counted.

        Raises:
            OutputError: the file cannot be read, or is none of these.
        """
        path = folder / f"{month}.sqlite"
        if not path.is_file():
            return
        try:
            with closing(_reading(path)) as found:
                for line in found.execute("SELECT * FROM used ORDER BY day, tenant, caller, model"):
                    yield Row(Key(*line[:4]), dict(zip(COUNTS, line[4:], strict=True)))
        except (sqlite3.Error, ValueError) as error:
            raise OutputError(
                f"the count of {month} cannot be read",
                given=f"{path}: {error}",
                expected="the file as tunesmith wrote it, and permission to read it",
                fix="ask the owner of the folder, or bring the file back from a backup",
            ) from error


def _tidied(path: Path) -> None:
    """Bring what stands in the log into the file itself. It waits for the disk, so no request must wait for it."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=5.0)) as file:
        file.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _reading(path: Path) -> sqlite3.Connection:
    """Without a process that has it open, who may not write there cannot read it but as a file that does not change."""
    address = path.absolute().as_uri()
    found = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=5.0)
    try:
        found.execute("SELECT 1 FROM used LIMIT 1")
    except sqlite3.OperationalError:
        found.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        found = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    return found
