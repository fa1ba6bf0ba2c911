# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the settings of the machine and of the person say about licenses. The project's have no say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tunesmith.errors import SettingsError
from tunesmith.settings import plugin_settings

__all__ = ["Preferences", "read_preferences"]


class Preferences(NamedTuple):
    """Keys of ``[plugins.enterprise]``.

    Attributes:
        license_files: files, and folders with files named ``*.lic``; absolute, ``~`` is the home.
        cluster_id: what the administrator calls this cluster.
        domain: of this machine, in the place of its host name.
    """

    license_files: tuple[str, ...] = ()
    cluster_id: str | None = None
    domain: str | None = None


def read_preferences(environ: Mapping[str, str]) -> tuple[Preferences, tuple[str, ...]]:
    """The preferences, and notes about what could not be read: a setting that is wrong is no reason to refuse a job."""
    try:
        table = plugin_settings("enterprise", environ, project=False)
    except SettingsError as error:
        return Preferences(), (f"{error.what}; what it says about licenses is not known",)
    except OSError as error:
        return Preferences(), (f"the settings cannot be looked for: {error.strerror or error}",)
    notes: list[str] = []
    listed = table.get("license_files", [])
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        notes.append(_wrong("license_files", "a list of texts, the names of files or folders"))
        listed = []
    return (
        Preferences(tuple(listed), _text(table, "cluster_id", notes), _text(table, "domain", notes)),
        tuple(notes),
    )


def _text(table: Mapping[str, Any], key: str, notes: list[str]) -> str | None:
    value = table.get(key)
    if value is None or (isinstance(value, str) and 1 <= len(value.strip()) <= 200 and value.isprintable()):
        return value and value.strip()
    notes.append(_wrong(key, "a text of 1 to 200 characters"))
    return None


def _wrong(key: str, expected: str) -> str:
    return f"{key} of [plugins.enterprise] in the settings is not used: it has to be {expected}"
