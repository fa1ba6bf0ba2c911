# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Files of the desk: read whole, written whole or not at all, changed by one program at a time."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tunesmith_vendor.errors import VendorError

if sys.platform != "win32":
    import fcntl

__all__ = ["locked", "make_private_folder", "read_bytes", "replace_file", "write_new_file"]

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file of the user's, at most 16 MiB.

    Args:
        what: what it should be, for the error: "the draft".
    """
    try:
        with path.open("rb") as file:
            content = file.read((16 << 20) + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VendorError(f"{what} cannot be read", given=f"{path}: {reason}", expected="a file") from None
    if len(content) > 16 << 20:
        raise VendorError(f"{what} is too large", given=f"{path}", expected="at most 16 MiB")
    return content


def make_private_folder(folder: Path) -> None:
    """The folder, for this account only if it is made now."""
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise VendorError("a folder cannot be made", given=f"{folder}: {error.strerror}") from None


def write_new_file(path: Path, content: bytes, *, mode: int = _PRIVATE_FILE) -> None:
    """A file that was not there, on the disk when this returns.

    Raises:
        VendorError: there is one of that name already; or it cannot be written, and then nothing is left of it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        number = os.open(path, flags, mode)
    except FileExistsError:
        raise VendorError(
            "there is a file of that name already, and it stays", given=path, fix="choose another name, or move it away"
        ) from None
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritten(path, error) from None
    _settle(path.parent)


def replace_file(path: Path, content: bytes, *, mode: int = _PRIVATE_FILE) -> None:
    """The file with this content: readers see the old one or the new one, also after a power cut."""
    temporary = None
    try:
        number, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            if sys.platform != "win32":
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise _unwritten(path, error) from None
    _settle(path.parent)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Whoever else changes this folder through here waits. The lock goes with the process, however it ends."""
    if sys.platform == "win32":  # no flock there; a desk on Windows is for one program at a time
        yield
        return
    try:
        number = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    except OSError as error:
        raise _unwritten(folder / ".lock", error) from None
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _settle(folder: Path) -> None:
    """The name of a new file is on the disk too; some file systems cannot say so."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _unwritten(path: Path, error: OSError) -> VendorError:
    return VendorError(
        "a file cannot be written",
        given=f"{path}: {error.strerror}",
        fix="look at its folder, the permissions and the room that is left",
    )
