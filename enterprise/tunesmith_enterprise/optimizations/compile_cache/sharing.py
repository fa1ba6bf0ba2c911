# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""From the shared folder into an empty one of this machine; and back what was compiled here.

Whatever goes wrong with an archive is told in one line of the log, and the code is compiled. Files are not put among
others: a compiler's index and what it points to belong together, so an archive is a whole folder, and is brought into
an empty one only.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tunesmith.plugin import MachineCode
from tunesmith_enterprise.optimizations.compile_cache.archive import MOST_BYTES, number_of, pack, unpack
from tunesmith_enterprise.optimizations.compile_cache.machine import archive_name
from tunesmith_enterprise.optimizations.compile_cache.settings import CacheWanted, check_folder, read_key

__all__ = ["Sharing"]

_log = logging.getLogger(__name__)
_ABANDONED: Final = 3600.0  # seconds after which nobody writes a file any more: whoever did was killed
_Files = dict[str, tuple[int, int]]
"""Size in bytes and time of change in nanoseconds, by path below the folder."""


class Sharing:
    """What a process takes from the shared folder and puts there.

    Raises:
        SettingsError: the folder or the key cannot be used.
    """

    def __init__(self, wanted: CacheWanted) -> None:
        self.wanted = wanted
        self._folder = check_folder(wanted.folder)
        self._key = read_key(wanted.key_file)
        self._team = number_of(self._key)
        self._before: dict[str, _Files] = {}

    def machine_code(self, event: MachineCode) -> None:
        """Before: bring what is shared, where nothing is here yet. After: give what is new."""
        folder = Path(event.folder)
        if not _is_own(folder):
            if not event.ready:
                _log.warning("compiled code is not shared: others may write into %s", folder)
            return
        path = self._folder / archive_name(event.kind, event.key, self._team)
        if not event.ready:
            if not _files(folder):
                self._bring(path, folder)
            self._before[event.folder] = _files(folder)
            return
        before, now = self._before.pop(event.folder, None), _files(folder)
        if before is not None and now and (now != before or not path.exists()):
            try:
                self._give(folder, now, path)
            except OSError as error:
                _log.warning("compiled code is not shared: %s: %s", path, error.strerror or error)

    def _bring(self, path: Path, folder: Path) -> None:
        try:
            files = unpack(_content(path), path.name, self._key)
            for name, content in files.items():
                (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(folder / name, content, 0o600)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("shared code is not used, and is compiled here: %s: %s", path, error)
            return
        with suppress(OSError):  # another's file
            os.utime(path)  # it was used
        _log.info("%d files of compiled code were taken from %s", len(files), path)

    def _give(self, folder: Path, files: _Files, path: Path) -> None:
        if sum(size for size, _ in files.values()) > MOST_BYTES:
            _log.warning("compiled code is not shared: %s takes more than %d bytes", folder, MOST_BYTES)
            return
        content = pack({name: (folder / name).read_bytes() for name in files}, path.name, self._key)
        _write(path, content, 0o640)
        _log.info("compiled code was put into %s", path)
        self._make_room(path)

    def _make_room(self, newest: Path) -> None:
        """Remove what was not used for longest, whosesoever it is, but for what was written just now.

        So what was made with a key that nobody has any more goes too.
        """
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.iterdir():
            with suppress(OSError):  # another process removes too
                facts = path.lstat()
                if path.name.startswith(".") and path.name.endswith(".partial"):
                    if time.time() - facts.st_mtime > _ABANDONED:
                        path.unlink()
                elif path.name.endswith(".code"):
                    found.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.wanted.most_bytes:
                return
            if path != newest:
                with suppress(OSError):
                    path.unlink()
                total -= size


def _is_own(folder: Path) -> bool:
    """Whether nobody else puts code into a folder of this machine: it would be signed here, and run everywhere."""
    if os.name != "posix":
        return True
    with suppress(FileNotFoundError):
        facts = folder.stat()
        return facts.st_uid == os.geteuid() and not facts.st_mode & stat.S_IWOTH
    return True


def _content(path: Path) -> bytes:
    """Of a regular file that is not too large; it does not wait for what is none."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_BYTES:
            raise ValueError(f"it is no file of at most {MOST_BYTES:,} bytes")
        return file.read(facts.st_size)  # others may make it longer meanwhile


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            if os.name == "posix":
                os.fchmod(file.fileno(), mode)  # whatever the umask: other accounts of the group read what is shared
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _files(folder: Path) -> _Files:
    """What the compilers keep there: no locks, and nothing that is being written."""
    found = {}
    for path in folder.rglob("*"):
        name = path.name
        if name.startswith(".") or name.endswith((".lock", ".tmp")) or ".tmp." in name:
            continue
        with suppress(OSError):  # it was there for a moment
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode):
                found[path.relative_to(folder).as_posix()] = (facts.st_size, facts.st_mtime_ns)
    return found
