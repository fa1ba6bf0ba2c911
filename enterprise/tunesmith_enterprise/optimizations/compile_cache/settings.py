# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``compile_cache`` of ``[plugins.enterprise]``: where code is shared, with which key, how much of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import SettingsError
from tunesmith_enterprise.settings import enterprise_settings

__all__ = ["CacheWanted", "check_folder", "read_key", "wanted_cache"]

_EXAMPLE: Final = 'compile_cache = { folder = "/srv/tunesmith/compiled", key_file = "/etc/tunesmith/compiled.key" }'
_FIX: Final = "correct it in the tunesmith.toml of the machine or of the person"
_MOST_GB: Final = 5.0
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class CacheWanted:
    """What the settings say.

    Attributes:
        folder: of the shared archives; it has to be there.
        key_file: with the secret of all who share it.
        most_bytes: of all archives together. Default: 5 GB.
    """

    folder: Path
    key_file: Path
    most_bytes: int


def wanted_cache(environ: Mapping[str, str] | None = None) -> CacheWanted:
    """What ``compile_cache`` holds; it has to be in the settings.

    Args:
        environ: where the person's folder is looked up. Default: ``os.environ``.

    Raises:
        SettingsError: the settings cannot be read, or the table is no such table.
    """
    settings = enterprise_settings(environ)
    table = settings["compile_cache"]
    if not isinstance(table, Mapping):
        raise _wrong("is no table", table)
    unknown = sorted(set(table) - {"folder", "key_file", "gb"})
    if unknown:
        raise _wrong("has a key that nobody reads", ", ".join(unknown))
    folder, key_file = (_path(table, name) for name in ("folder", "key_file"))
    most = table.get("gb", _MOST_GB)
    if isinstance(most, bool) or not isinstance(most, int | float) or not 0 < most < 1e6:
        raise _wrong("has a gb that is no size", most)
    return CacheWanted(folder, key_file, int(most * 1e9))


def check_folder(folder: Path) -> Path:
    """Refuse a folder that everybody may write into, or of which everybody may replace a part.

    Code that others put there would not be used, for it is signed; but they could fill the disk or take code away.

    Returns:
        The folder itself, to be used in place of links that lead there: those were not looked at, and may change.

    Raises:
        SettingsError: it is not there, or not as said.
    """
    try:
        whole = folder.resolve(strict=True)
        modes = [(one, one.stat().st_mode) for one in (whole, *whole.parents)]
    except OSError as error:
        raise SettingsError(
            "the folder of compile_cache cannot be used",
            given=f"{folder}: {error.strerror or error}",
            expected="a folder that is there",
            fix=f"make it: mkdir -m 2770 {folder}, and give it to the group that shares it",
        ) from error
    if not stat.S_ISDIR(modes[0][1]):
        raise SettingsError(
            "the folder of compile_cache is no folder", given=str(folder), expected="a folder", fix=_FIX
        )
    for one, mode in modes if os.name == "posix" else ():
        # In a folder as /tmp everybody may write, and replace what is their own only; the cache itself must not be one.
        if mode & stat.S_IWOTH and (one == whole or not mode & stat.S_ISVTX):
            raise SettingsError(
                "everybody may write into the folder of compile_cache, or into one above it",
                given=f"{one}, mode {stat.S_IMODE(mode):o}",
                expected="folders that their owner and a group may write into, at most",
                fix=f"chmod o-w {one}",
            )
    return whole


def read_key(path: Path) -> bytes:
    """The secret.

    Raises:
        SettingsError: it cannot be read, others than this account may use it, or it is too short to be one.
    """
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            key = file.read(4096).strip()
    except OSError as error:
        raise SettingsError(
            "the key_file of compile_cache cannot be read",
            given=f"{path}: {error.strerror or error}",
            expected="the secret that all who share the folder have",
            fix="bring it from another machine, or make a new one: see docs/how-to/faster.md",
        ) from error
    if os.name == "posix" and facts.st_uid not in (0, os.geteuid()):
        raise SettingsError(
            "the key_file of compile_cache is another account's",
            given=f"{path}, of the account {facts.st_uid}",
            expected=f"one of this account ({os.geteuid()}) or of root: who has the key decides which code runs here",
            fix=f"chown {os.geteuid()} {path}, and make a new key if the other should not have it",
        )
    if os.name == "posix" and facts.st_mode & 0o077:
        raise SettingsError(
            "others than its owner may use the key_file of compile_cache",
            given=f"{path}, mode {stat.S_IMODE(facts.st_mode):o}",
            expected="mode 600: whoever has the key decides which code runs here",
            fix=f"chmod 600 {path}, and make a new key if somebody may have read it",
        )
    if len(key) < _KEY_BYTES:
        raise SettingsError(
            "the key_file of compile_cache is too short to be a key",
            given=f"{path}: {len(key)} bytes",
            expected=f"{_KEY_BYTES} random bytes at least",
            fix="make a new one: see docs/how-to/faster.md",
        )
    return key


def _path(table: Mapping[str, Any], name: str) -> Path:
    given = table.get(name)
    if not isinstance(given, str) or not Path(given).is_absolute():
        raise _wrong(f"has no absolute path under {name}", given)
    return Path(given)


def _wrong(what: str, given: object) -> SettingsError:
    return SettingsError(
        f"compile_cache of [plugins.enterprise] {what}", given=repr(given), expected=_EXAMPLE, fix=_FIX
    )
