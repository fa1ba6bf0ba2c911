# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Files that a command writes: new ones only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tunesmith.errors import OutputError

__all__ = ["opened"]


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO | None]:
    """A new text file; ``None`` for none.

    Raises:
        OutputError: it exists, or cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        raise OutputError(
            "the file exists, and is left alone",
            given=path,
            expected="a name that is free",
            fix="choose another --out, or remove the file",
        ) from None
    except OSError as error:
        raise OutputError(
            f"the file cannot be written: {error.strerror}", given=path, fix="choose another --out"
        ) from error
    try:
        with file:
            yield file
    except OSError as error:
        raise OutputError(
            f"writing stopped: {error.strerror}", given=path, fix="make room, or choose another disk"
        ) from error
