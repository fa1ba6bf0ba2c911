# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The folder for what can be computed again: whole entries under a key, made by one process and read by many.

An entry is a folder ``KIND/KEY``. It is written beside its place, flushed to the disk, and renamed; its ``entry.json``
holds size and SHA-256 of every file in it, so that damage done later is found, and the entry made again. Nothing in
here is needed: deleting any of it, at any time between jobs, costs the time to make it again and nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "VARIABLE",
    "CacheEntry",
    "cache_entries",
    "cache_folder",
    "clear_cache",
    "entry_facts",
    "find_entry",
    "half_made",
    "keep_nothing",
    "making_entry",
    "noting_entries",
    "publish",
]

VARIABLE = "TUNESMITH_CACHE"
"""Names the folder; ``off`` (or empty) keeps nothing."""
# tunesmith.runs is imported where it is used: it brings the recipe's library with it, and opening this room is light.

_FACTS = "entry.json"
_PARTIAL = ".partial"
_log = logging.getLogger(__name__)
_keeps = True
"""Whether this process may keep anything that was made from rows."""
_noted: ContextVar[set[str] | None] = ContextVar("noted entries", default=None)


def keep_nothing(reason: str) -> None:
    """From now on this process takes nothing out of the cache and puts nothing in, but for compiled code.

    Args:
        reason: for the log: what must not lie on a disk.
    """
    global _keeps
    if _keeps:
        _log.info("nothing is kept between jobs from now on: %s", reason)
    _keeps = False


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What lies in the cache under one key.

    Attributes:
        kind: what it is: ``items`` (encoded rows), ``rows``, ``frozen`` (outputs of frozen layers), ``reference``
            (log-probabilities of answers before training), ``compiled`` (machine code of engines, and of
            layers that train).
        key: what it was made from, as a digest.
        path: its folder.
        bytes: size on disk.
        used: when it was last made or opened, seconds since 1970.
        whole: False for what an interrupted job left to go on from.
    """

    kind: str
    key: str
    path: Path
    bytes: int
    used: float
    whole: bool


def cache_folder(kind: str) -> Path | None:
    """The folder of one kind of entries; it need not exist yet.

    ``TUNESMITH_CACHE`` names the folder of all kinds. Default: ``~/.cache/tunesmith`` (``XDG_CACHE_HOME`` is heeded),
    ``~/Library/Caches/tunesmith`` on macOS, ``%LOCALAPPDATA%\\tunesmith\\cache`` on Windows.

    Returns:
        ``None`` where ``TUNESMITH_CACHE`` is ``off`` or empty: nothing is to be kept.
    """
    given = os.environ.get(VARIABLE)
    if given is not None and given.strip().lower() in ("", "off"):
        return None
    root = Path(given).expanduser() if given is not None else _usual_folder()
    return root.absolute() / kind


def _usual_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tunesmith" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tunesmith"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tunesmith"


def find_entry(kind: str, key: str) -> Path | None:
    """The folder of an entry whose files are as they were written, or ``None``.

    Every file is read once, to compare digests. A damaged entry is removed, with a warning in the log.
    """
    folder = cache_folder(kind) if _keeps else None
    if folder is None or not (folder / key / _FACTS).is_file():
        return None
    entry = folder / key
    try:
        damage = _damage(entry)
        if damage is None:
            os.utime(entry / _FACTS)
            _note(kind, key)
            return entry
        _log.warning("%s is damaged and is made again: %s", entry, damage)
        _remove(entry)
    except OSError as error:
        _log.warning("%s cannot be used: %s", entry, error)
    return None


def _damage(entry: Path) -> str | None:
    from tunesmith.runs.hashing import file_digest

    try:
        files = json.loads((entry / _FACTS).read_text(encoding="utf-8"))["files"]
        for name, fact in files.items():
            if not (entry / name).is_file() or (entry / name).stat().st_size != fact["bytes"]:
                return f"{name} is not of the size it was written with"
            if file_digest(entry / name) != fact["sha256"]:
                return f"{name} has changed since it was written"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{_FACTS} cannot be read ({type(error).__name__})"
    return None


def entry_facts(entry: Path) -> dict[str, Any]:
    """What the maker of an entry wrote down beside its files."""
    facts: dict[str, Any] = json.loads((entry / _FACTS).read_text(encoding="utf-8"))["facts"]
    return facts


@contextmanager
def making_entry(kind: str, key: str) -> Iterator[Path | None]:
    """A folder to write an entry into; :func:`publish` makes it one. Keys are digests, in hexadecimal digits.

    The folder holds what an interrupted process left there under the same key: files that have their name were
    written whole (see :mod:`tunesmith.data.store`). While another process makes the same entry, this one gets a folder
    of its own, which is gone afterwards. An ``OSError`` inside the block removes the folder: half an entry only fills
    a full disk.

    Yields:
        ``None`` where nothing is to be kept, or the folder cannot be made.
    """
    from tunesmith.runs.lock import TakenError, hold

    folder = cache_folder(kind) if _keeps else None
    with ExitStack() as stack:
        partial, own = None, False
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                try:
                    stack.enter_context(hold(folder / f".{key}.lock"))
                    partial = folder / f".{key}{_PARTIAL}"
                except TakenError:
                    partial, own = folder / f".{key}.{secrets.token_hex(4)}{_PARTIAL}", True
                partial.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            _log.warning("nothing is cached: %s", error)
            partial = None
        try:
            yield partial
        except OSError:
            if partial is not None:
                _remove(partial)
            raise
        finally:
            if own and partial is not None:
                _remove(partial)


def publish(partial: Path, facts: Mapping[str, Any]) -> Path:
    """Make a folder of :func:`making_entry` an entry, at once and whole.

    Args:
        facts: kept with it, as JSON; :func:`entry_facts` gives them back.

    Returns:
        The entry; another process's, where it was first (the same key has the same content).

    Raises:
        OSError: the disk is full.
    """
    from tunesmith.runs.hashing import file_digest

    final = partial.with_name(partial.name[1:].split(".", 1)[0])
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in sorted(partial.iterdir())
        if not path.name.startswith(".")
    }
    (partial / _FACTS).write_text(json.dumps({"format": 1, "files": files, "facts": dict(facts)}), encoding="utf-8")
    for path in partial.iterdir():
        _flush(path)
    try:
        os.replace(partial, final)
    except OSError:
        if not (final / _FACTS).is_file():
            raise
        _remove(partial)
    _note(final.parent.name, final.name)
    return final


@contextmanager
def noting_entries() -> Iterator[set[str]]:
    """Collect which entries are taken out or put in within the block, by the code of its context: ``KIND/KEY``.

    A job writes them into its run, so that whoever deletes the run can delete what was kept of its rows as well.
    """
    noted: set[str] = set()
    before = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(before)


def _note(kind: str, key: str) -> None:
    noted = _noted.get()
    if noted is not None:
        noted.add(f"{kind}/{key}")


def half_made(kind: str, key: str) -> bool:
    """Whether an interrupted process left something of the entry to go on from."""
    folder = cache_folder(kind)
    return folder is not None and (folder / f".{key}{_PARTIAL}").is_dir()


def cache_entries() -> list[CacheEntry]:
    """Everything in the cache, last used first, what interrupted jobs left included."""
    root = cache_folder(".")
    if root is None or not root.is_dir():
        return []
    found = []
    for path in (entry for kind in root.iterdir() if kind.is_dir() for entry in kind.iterdir() if entry.is_dir()):
        files = [file.stat() for file in path.rglob("*") if file.is_file()]
        key = path.name.removeprefix(".").split(".", 1)[0]
        used = max((file.st_mtime for file in files), default=path.stat().st_mtime)
        size = sum(file.st_size for file in files)
        found.append(CacheEntry(path.parent.name, key, path, size, used, not path.name.endswith(_PARTIAL)))
    return sorted(found, key=lambda entry: -entry.used)


def clear_cache(*, older_than: float = 0.0, only: Collection[str] | None = None) -> list[CacheEntry]:
    """Delete entries and what interrupted jobs left, except what a process is making right now.

    Entries that a running job has open stay readable to it on POSIX systems; Windows does not delete them.

    Args:
        older_than: days since an entry was last used; 0 deletes all.
        only: entries as ``KIND/KEY``, e.g. those of ``cache`` in a run's manifest. Default: all.

    Returns:
        What was deleted.
    """
    from tunesmith.runs.lock import is_held

    gone = []
    for entry in cache_entries():
        if only is not None and f"{entry.kind}/{entry.key}" not in only:
            continue
        lock = entry.path.parent / f".{entry.key}.lock"
        if is_held(lock) or time.time() - entry.used < older_than * 86_400:
            continue
        _remove(entry.path)
        if not entry.path.exists():
            gone.append(entry)
    return gone


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)  # Windows flushes what may be written only
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
