# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A log that shows when somebody changed it: JSON lines, each with the hash of the one before.

A line is one JSON object, in this order::

    {"seq":7,"time":"2026-11-26T12:00:00.123456Z","event":"train","fields":{…},"prev":"…","hash":"…"}

``prev`` is the SHA-256 of the line of record 6, without its line break (of record 1: 64 zeros); ``hash`` is the SHA-256
of this line up to the comma before ``"hash"``. So whatever is changed, removed, swapped or inserted, some line does not
fit any more, and :meth:`ChainedLog.verify` names the first.

What that cannot show: lines removed at the end, unless the head of the log was kept elsewhere, and a log that was
written anew from the changed line on by somebody who can compute hashes. Both show against a head that was kept
elsewhere: :meth:`ChainedLog.head`.

Nothing that was written is ever cut off, so a file that the system lets only grow (``chattr +a``) will do. A line that
a crash left unfinished is closed by the next append, and followed by a record ``torn`` with the hash of what is there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from tunesmith.errors import OutputError

__all__ = ["EMPTY", "LINE_BYTES", "TORN", "Broken", "ChainedLog", "Head", "Record"]

LINE_BYTES: Final = 65_536
"""How long a line may be."""
TORN: Final = "torn"
"""The event of a record that follows a line which was never finished: ``{"bytes": …, "sha256": …}``."""

_PATIENCE = 5.0  # seconds; who appends holds the lock for less than a millisecond, unless the system stopped it
_BLOCK = 4096  # bytes read in one go from the end, to find the last record
_KEYS = ["seq", "time", "event", "fields", "prev", "hash"]
_HASH = b',"hash":"'
_TAIL = len(_HASH) + 64 + len(b'"}')

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows lets nobody read a locked range, so the lock lies far behind the text
    _O_BINARY = os.O_BINARY

    def _try_lock(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _unlock(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    _O_BINARY = 0

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


class Head(NamedTuple):
    """Where a log ends. Kept elsewhere, it shows what was taken away at the end.

    Attributes:
        seq: number of the last record; 0: there is none.
        sha256: of its line, in hexadecimal.
    """

    seq: int
    sha256: str


EMPTY: Final = Head(0, "0" * 64)
"""The head of a log without records."""


class Record(NamedTuple):
    """One line.

    Attributes:
        seq: from 1 on, without gaps.
        time: when it was written, UTC, as ISO 8601 has it; the clock may have been set back since the record before.
        event: what happened.
        fields: what there is to say of it; plain data.
    """

    seq: int
    time: str
    event: str
    fields: Mapping[str, Any]


class Broken(NamedTuple):
    """The first line that does not fit.

    Attributes:
        line: its number in the file, from 1 on.
        why: one sentence, for people.
    """

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


class ChainedLog:
    """A file that several processes and threads may append to at once.

    Args:
        path: of the file; its folder has to be there.
        fsync: whether :meth:`append` waits until the disk has the line, a few milliseconds. Without it a crash of the
            machine (not of the process) may lose the last lines.
    """

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None:
        self.path = Path(path)
        self._fsync = fsync

    def append(self, event: str, /, **fields: Any) -> Head:
        """Add a record. When this returns it is in the file, not in a buffer of this process.

        Args:
            event: what happened, e.g. ``train``.
            fields: plain data of JSON.

        Returns:
            The new head.

        Raises:
            OSError: the file cannot be written: a full or read-only disk, no such folder, no permission; or somebody
                has held the lock for 5 s (``TimeoutError``).
            OutputError: the file is there, and what it ends with is no record of such a log. Nothing is added to it.
            TypeError, ValueError: a field that JSON cannot hold, or a line of more than :data:`LINE_BYTES`.
        """
        if event == TORN:
            raise ValueError(f"the event {TORN!r} is written by the log itself")
        with self._locked() as handle:
            size = os.fstat(handle).st_size
            head, torn = _end(handle, size, self.path)
            lines = b"" if torn is None else b"\n"
            if torn:
                note, head = _line(head, TORN, {"bytes": len(torn), "sha256": _sha256(torn)})
                lines += note
            line, head = _line(head, event, fields)
            _write(handle, lines + line, size)
            if self._fsync:
                os.fsync(handle)
        return head

    def read(self) -> Iterator[Record]:
        """Every record, oldest first; none where there is no file. What is no record is left out: see :meth:`verify`.

        Raises:
            OSError: the file cannot be read.
        """
        with suppress(FileNotFoundError), open(self.path, "rb") as file:
            for raw in file:
                record = _record(raw[:-1])
                if record is not None and raw.endswith(b"\n"):
                    yield Record(record["seq"], record["time"], record["event"], record["fields"])

    def head(self) -> Head:
        """Where the log ends now, to be kept elsewhere.

        Raises:
            OSError: the file cannot be read.
            OutputError: what it ends with is no record of such a log.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY | _O_BINARY)
        except FileNotFoundError:
            return EMPTY
        try:
            return _end(handle, os.fstat(handle).st_size, self.path)[0]
        finally:
            os.close(handle)

    def verify(self, head: Head = EMPTY) -> Broken | None:
        """Look at every line.

        Args:
            head: of before, as it was kept elsewhere: the log has to hold this record still.

        Returns:
            The first line that does not fit; None: all do. An unfinished line at the end is one that does not fit,
            until the next append has closed it and written down that it did.

        Raises:
            OSError: the file cannot be read.
        """
        with open(self.path, "rb") as file:
            return _first_broken(file, head)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _O_BINARY, 0o600)
        try:
            give_up = time.monotonic() + _PATIENCE
            while True:
                try:
                    _try_lock(handle)
                    break
                except OSError as error:
                    if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                        raise
                if time.monotonic() > give_up:
                    raise TimeoutError(errno.ETIMEDOUT, "another process has held its lock for 5 s", str(self.path))
                time.sleep(0.001)
            try:
                yield handle
            finally:
                _unlock(handle)
        finally:
            os.close(handle)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _line(after: Head, event: str, fields: Mapping[str, Any]) -> tuple[bytes, Head]:
    """The line of the next record, with its line break, and the head that it makes."""
    seq = after.seq + 1
    now = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    record = {"seq": seq, "time": now, "event": event, "fields": fields, "prev": after.sha256}
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()[:-1]
    line = body + _HASH + _sha256(body).encode() + b'"}'
    if len(line) > LINE_BYTES:
        raise ValueError(f"a record of {event!r:.40} has {len(line):,} bytes, and {LINE_BYTES:,} is the most")
    return line + b"\n", Head(seq, _sha256(line))


def _record(line: bytes) -> dict[str, Any] | None:
    """A line as a record, if it is one and fits its own hash."""
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if len(line) > LINE_BYTES or tail != _HASH + _sha256(body).encode() + b'"}':
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    sound = (
        isinstance(record, dict)
        and list(record) == _KEYS
        and type(record["seq"]) is int
        and all(isinstance(record[key], str) for key in ("time", "event", "prev"))
        and isinstance(record["fields"], dict)
    )
    return record if sound else None


def _end(handle: int, size: int, path: Path) -> tuple[Head, bytes | None]:
    """The head of a file, and what a crash left behind its last record. Reads the end of the file only.

    None: it left nothing; empty: of that record nothing but the line break is missing.
    """
    if size == 0:
        return EMPTY, None
    most = min(size, 4 * LINE_BYTES)  # a record, and what two crashes in a row can leave behind it
    length = min(most, _BLOCK)
    while True:
        data = _read_at(handle, size - length, length)
        lines = data.split(b"\n")
        whole = lines if length == size else lines[1:]  # the first may have begun before
        for back, line in enumerate(reversed(whole)):
            record = _record(line)
            if record is not None:
                clean = back == 1 and not lines[-1]
                return Head(record["seq"], _sha256(line)), None if clean else _torn(lines[len(lines) - back :], path)
        if length == most:
            break
        length = min(most, length * 4)
    first = b'{"seq":1,'
    if length == size and data[: len(first)] == first[: len(data)]:  # the very first write was torn
        return EMPTY, _torn(lines, path)
    raise _foreign(path, lines[-1] or lines[-2])


def _torn(lines: list[bytes], path: Path) -> bytes:
    """The lines behind the last record, where a crash can have left them so.

    A line that has an end and a line break was written whole: then it is no record because somebody changed it.
    """
    changed = next((line for line in lines[:-1] if line.endswith(b'"}')), None)
    if changed is not None:
        raise _foreign(path, changed)
    return b"\n".join(lines)


def _foreign(path: Path, line: bytes) -> OutputError:
    return OutputError(
        f"{path} does not end as a chained log does, and nothing is added to it",
        given=repr(line[:60].decode("utf-8", "replace")),
        expected="a line that was appended to such a log, and not changed since",
        fix=[f"see which line was changed: `tunesmith audit verify {path}`", "or move the file away"],
    )


def _read_at(handle: int, start: int, length: int) -> bytes:
    os.lseek(handle, start, os.SEEK_SET)
    parts = []
    while length:
        part = os.read(handle, length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(handle: int, data: bytes, size: int) -> None:
    """Append all of it, or leave the file as it was, as far as the system lets it be shortened."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
    except BaseException:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise


def _first_broken(file: BinaryIO, kept: Head) -> Broken | None:
    head, torn, torn_at, number = EMPTY, b"", 0, 0
    found = kept.seq == 0
    for number, raw in enumerate(file, start=1):
        line = raw.removesuffix(b"\n")
        record = _record(line) if raw.endswith(b"\n") else None
        if record is None:
            torn_at = torn_at or number
            torn += raw
            continue
        if torn_at:
            described = {"bytes": len(torn) - 1, "sha256": _sha256(torn[:-1])}
            if record["event"] != TORN or record["fields"] != described:
                return Broken(torn_at, "it is no record, or was changed")
        elif record["event"] == TORN:
            return Broken(number, "it tells of an unfinished line before it, which is not there")
        if (record["seq"], record["prev"]) != (head.seq + 1, head.sha256):
            if torn_at:
                return Broken(torn_at, "it is no record, and lines around it were changed")
            if record["seq"] != head.seq + 1:
                return Broken(number, f"record {head.seq + 1} is expected here, and this is record {record['seq']}")
            return Broken(number, "it does not follow from the line before: that was changed, or this was put in")
        head, torn, torn_at = Head(record["seq"], _sha256(line)), b"", 0
        if head.seq == kept.seq:
            if head != kept:
                return Broken(number, f"record {kept.seq} is another than the one that was kept")
            found = True
    if torn_at:
        return Broken(torn_at, "it was never finished, or was changed: a crash, or a hand")
    if not found:
        return Broken(number + 1, f"the log ends with record {head.seq}, and there was a record {kept.seq}")
    return None
