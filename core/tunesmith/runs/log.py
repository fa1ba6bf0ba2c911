# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``metrics.jsonl``: one record a line, appended while the job runs, readable at any moment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunesmith.errors import RunError
from tunesmith.runs.atomic import writing
from tunesmith.runs.records import from_json, to_json

__all__ = ["Log"]

_BLOCK = 1 << 16  # bytes looked at in one go, from the end, for the last line break


class Log:
    """A file of JSON lines that survives being killed.

    A record is one write of one line, so only a full disk or a lost machine can tear one, and only the last.
    Reading leaves a torn last line out; the next append cuts it off first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = False  # the file is known to end with a line break

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; it is in the file, not only in a buffer, when this returns.

        Raises:
            OutputError: the disk is full or read-only. The file holds the earlier records, and nothing else.
        """
        line = (to_json(record) + "\n").encode("utf-8")
        with writing(self.path):
            if not self._whole:
                _cut_torn_line(self.path)
                self._whole = True
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                self._write(handle, line)
            finally:
                os.close(handle)

    def _write(self, handle: int, line: bytes) -> None:
        before = os.fstat(handle).st_size
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
        except BaseException:
            self._whole = False
            with suppress(OSError):
                os.ftruncate(handle, before)
            raise

    def read(self) -> list[dict[str, Any]]:
        """Every whole record, oldest first; none where there is no file yet.

        Raises:
            RunError: a line is damaged that is not the last.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read {self.path}: {error.strerror or error}") from error
        return [self._record(number, line) for number, line in enumerate(data.split(b"\n")[:-1], start=1)]

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = from_json(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise RunError(
                f"{self.path}, line {number} is damaged",
                given=repr(line[:60].decode("utf-8", "replace")),
                expected="a JSON object",
                fix="delete that line",
            )
        return record

    def flush(self) -> int:
        """Have the disk hold what was appended so far.

        Returns:
            The size of the file in bytes, for :meth:`cut`.

        Raises:
            OutputError: the disk reports an error.
        """
        with writing(self.path), suppress(FileNotFoundError), open(self.path, "rb+") as file:
            os.fsync(file.fileno())
            return file.seek(0, os.SEEK_END)
        return 0

    def cut(self, size: int) -> None:
        """Go back to what the file was when it was ``size`` bytes long.

        Raises:
            OutputError: the disk reports an error.
        """
        self._whole = False
        with writing(self.path), suppress(FileNotFoundError), open(self.path, "rb+") as file:
            if file.seek(0, os.SEEK_END) > size:
                file.truncate(size)
                os.fsync(file.fileno())


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with open(path, "rb+") as file:
        end = at = file.seek(0, os.SEEK_END)
        while at:
            start = max(0, at - _BLOCK)
            file.seek(start)
            found = file.read(at - start).rfind(b"\n")
            at = start + found + 1 if found >= 0 else start
            if found >= 0:
                break
        if at < end:
            file.truncate(at)
