# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Writing that is whole or has not happened, and errors of the disk in plain words."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tunesmith.errors import OutputError

__all__ = ["TEMPORARY", "atomic_write", "flush_folder", "usual_permissions", "writing"]

TEMPORARY = ".*.tmp"
"""What a killed :func:`atomic_write` may leave behind, as a glob; whoever holds the run's lock may delete it."""

_CHOOSE = "or write to another folder: --set output=FOLDER"
_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", f"free some space, {_CHOOSE}"),
    errno.EDQUOT: ("your share of the disk (quota) is used up", f"delete something, {_CHOOSE}"),
    errno.EFBIG: ("the file would be larger than this file system or your limits allow", f"see ulimit -f, {_CHOOSE}"),
    errno.EACCES: ("you may not write there", f"change the permissions, {_CHOOSE}"),
    errno.EPERM: ("you may not write there", f"change the permissions, {_CHOOSE}"),
    errno.EROFS: ("the file system is read-only", "write to another folder: --set output=FOLDER"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "write to another folder: --set output=FOLDER"),
    errno.EISDIR: ("a folder of that name is there", "remove it, or write to another folder: --set output=FOLDER"),
    errno.ENOENT: ("a part of the path is not there; was the folder deleted?", "do not move a run while it is written"),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "choose a shorter one"),
    errno.EIO: ("the disk reports an input/output error", f"check the disk, {_CHOOSE}"),
}


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Around everything that writes ``path``: an ``OSError`` becomes an error that people understand.

    Raises:
        OutputError: names the path, the reason and what to do.
    """
    try:
        yield
    except OSError as error:
        fallback = (error.strerror or str(error), "write to another folder: --set output=FOLDER")
        reason, fix = _REASONS.get(error.errno or 0, fallback)
        raise OutputError(f"cannot write {os.fspath(path)}: {reason}", fix=fix) from error


def atomic_write(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write a file so that at any moment, power loss included, either the old or the new content is there.

    The data goes to a temporary file in the same folder, is flushed to the disk, and renamed over the target.

    Args:
        path: the file; its folder must exist.
        data: bytes, or text to store as UTF-8.

    Raises:
        OutputError: the disk is full or read-only, the folder is missing or not yours. What was there stays.
    """
    target = Path(path)
    # Not `tempfile`: its files are for the owner only, and a run is for whoever the folder is for.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    with writing(target):
        try:
            with open(temporary, "xb") as file:
                file.write(data.encode("utf-8") if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Make a rename survive a power loss. Windows has no such call, and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def usual_permissions(folder: Path) -> None:
    """Give every file in ``folder`` the permissions that a new file gets there.

    The safetensors library makes files for their owner alone, and a run is for whoever the folder is for. What a new
    file gets is the process's umask; making one tells it, where asking would change it for a moment.
    """
    probe = folder / f".{secrets.token_hex(4)}.tmp"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
