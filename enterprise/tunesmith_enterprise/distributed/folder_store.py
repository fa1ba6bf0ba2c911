# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a launcher and the processes of a job tell each other through a folder that all of them see, as on Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["STOP", "FolderStore"]

STOP: Final = "stop"
"""Somebody asked to stop."""


class FolderStore:
    """The operations of torch's store that :class:`~tunesmith_enterprise.distributed.watching.Watch` uses. A key is a
    file, which is there whole or not at all; one process alone sets it.

    Args:
        folder: is made.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def set(self, key: str, value: str) -> None:
        path = self._path(key)
        begun = path.with_name(f".{path.name}.tmp")
        begun.write_text(value, encoding="utf-8")
        begun.replace(path)

    def get(self, key: str) -> bytes:
        return self._path(key).read_bytes()

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all of them were set."""
        return all(self._path(key).exists() for key in keys)

    def compare_set(self, key: str, _unset: str, value: str) -> bytes:
        """Set what was not set before; gives what it is."""
        if not self.check([key]):
            self.set(key, value)
        return self.get(key)

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "-")
