# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""An event file that can be killed at any moment and taken up again.

A record is one write, and the file is closed after it: no thread, no buffer, nothing to lose but the last record of a
lost machine. TensorBoard's own writer keeps a queue and always begins another file, in which a resumed run would
repeat what the first one holds.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

__all__ = ["EventFile"]


class EventFile:
    """The event file of a run.

    Attributes:
        path: its name holds ``tfevents``, by which TensorBoard knows it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self) -> None:
        """A new file in the place of an old one."""
        self._replace([Event(wall_time=time.time(), file_version="brain.Event:2")])

    def append(self, step: int, *summaries: Any) -> None:
        """Add summaries; they are in the file when this returns.

        Raises:
            OSError: the disk is full or read-only, the folder gone; the file is as it was.
        """
        now = time.time()
        data = b"".join(_record(Event(wall_time=now, step=step, summary=summary)) for summary in summaries)
        # Not O_CREAT: without the event that begins a file, nobody could read it.
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            before = os.fstat(handle).st_size
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
            except OSError:
                os.ftruncate(handle, before)  # half a record would hide all that come after it
                raise
        finally:
            os.close(handle)

    def keep_until(self, step: int) -> bool:
        """Drop what was written of later steps, so that a resumed run leaves nothing twice; also a torn last record.

        Returns:
            False where there is no file to keep.
        """
        if not self.path.is_file():
            return False
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader  # half a second

        events = LegacyEventFileLoader(str(self.path)).Load()
        self._replace([event for event in events if event.step <= step])
        return True

    def _replace(self, events: list[Any]) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_bytes(b"".join(map(_record, events)))
        os.replace(temporary, self.path)


def _record(event: Any) -> bytes:
    """An event with its length and checksums (TFRecord)."""
    buffer = io.BytesIO()
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()
