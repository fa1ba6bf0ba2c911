# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Settings of a machine, a person and a project: ``tunesmith.toml``.

Read from ``/etc/tunesmith/tunesmith.toml``, from the person's configuration folder, and from the nearest
``tunesmith.toml`` at or above the working directory. What the machine's file says nobody below
takes back: lists of required plugins add up, and of a plugin's own settings the machine's value wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.errors import SettingsError

__all__ = ["FILE", "REQUIRED", "Required", "config_folder", "plugin_settings", "required_plugins", "settings_files"]

FILE = "tunesmith.toml"
REQUIRED = "TUNESMITH_REQUIRED_PLUGINS"
"""Environment variable: plugins without which nothing is done, separated by ``;``, e.g. ``audit>=1.2,<2; privacy``."""

_SYSTEM = Path("/etc/tunesmith")
_KEYS = ("required_plugins", "plugins")


@dataclass(frozen=True, slots=True)
class Required:
    """A plugin that has to be there.

    Attributes:
        text: as it was written: ``audit``, ``audit>=1.2``.
        source: where: a file, or the environment variable.
    """

    text: str
    source: str


def config_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The person's own folder for settings of tunesmith; it need not exist.

    ``$XDG_CONFIG_HOME/tunesmith``, by default ``~/.config/tunesmith``; on Windows ``%APPDATA%\\tunesmith``.

    Raises:
        RuntimeError: neither the variable nor a home folder is there.
    """
    environ = os.environ if environ is None else environ
    named = environ.get("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME")
    # What is relative counts as not there (XDG Base Directory Specification): it would be the working folder's.
    return (Path(named) if named and os.path.isabs(named) else Path.home() / ".config") / "tunesmith"


def settings_files(
    environ: Mapping[str, str] | None = None, *, start: Path | None = None, project: bool = True
) -> list[Path]:
    """The files that are there: the machine's, the person's, the project's; without ``project`` the first two."""
    found = [_SYSTEM / FILE]
    with suppress(RuntimeError):  # an account without a home, as containers have them, has no settings of its own
        found.append(config_folder(environ) / FILE)
    if project:
        here = (start or Path.cwd()).resolve()
        found += [folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()][:1]
    return [path for path in dict.fromkeys(found) if path.is_file()]


def required_plugins(environ: Mapping[str, str] | None = None, *, start: Path | None = None) -> list[Required]:
    """The plugins without which nothing is done, from all settings together.

    Raises:
        SettingsError: a file cannot be read, is no TOML, has a key that nobody reads, or names no plugins. A file that
            may have required something must not be passed over.
    """
    environ = os.environ if environ is None else environ
    found = [Required(text.strip(), REQUIRED) for text in environ.get(REQUIRED, "").split(";") if text.strip()]
    for path in settings_files(environ, start=start):
        found += [Required(text, str(path)) for text in _required(_read(path), path)]
    return list(dict.fromkeys(found))


def plugin_settings(
    name: str, environ: Mapping[str, str] | None = None, *, start: Path | None = None, project: bool = True
) -> Mapping[str, Any]:
    """What the settings say to a plugin: the tables ``[plugins.NAME]`` of all files, laid over each other.

    Of a key that several files have, the machine's value is taken whole, else the person's, else the project's: what
    an administrator sets nobody below takes back. Which keys there are, and what they may hold, is the plugin's to
    check. What a plugin is told about one job stands in its recipe: :func:`tunesmith.recipe.plugin_settings`.

    Args:
        name: of the plugin, as its entry point has it.
        environ: where the person's folder is looked up. Default: ``os.environ``.
        start: where the search for the project's file begins. Default: the working folder.
        project: whether the project's file counts. A plugin says False for what a folder that came from somebody else
            must not decide, such as where it writes.

    Raises:
        SettingsError: a file cannot be read, is no TOML, has a key that nobody reads, or ``plugins`` of it holds
            something else than tables.
    """
    found: dict[str, Any] = {}
    for path in settings_files(environ, start=start, project=project):
        found = {**_plugins(_read(path), path).get(name, {}), **found}
    return found


def _read(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        settings: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the settings {path} cannot be read: {error}", expected="a TOML file", fix="correct it, or remove it"
        ) from error
    unknown = [key for key in settings if key not in _KEYS]
    if unknown:
        raise SettingsError(
            f"the settings {path} have a key that nobody reads",
            given=", ".join(unknown),
            expected=", ".join(_KEYS),
            fix="correct it, or leave it out",
        )
    return settings


def _required(settings: Mapping[str, Any], path: Path) -> list[str]:
    names = settings.get("required_plugins", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise SettingsError(
            f"required_plugins of {path} is no list of plugins",
            given=repr(names),
            expected='a list of names, with versions where they matter: ["audit>=1.2"]',
            fix="correct it",
        )
    return [name.strip() for name in names]


def _plugins(settings: Mapping[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    tables = settings.get("plugins", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingsError(
            f"plugins of {path} holds no tables",
            given=repr(tables),
            expected="a table for each plugin: [plugins.NAME], and its keys below",
            fix="correct it",
        )
    return tables
