# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``plugins.toml``: what ``tunesmith plugins add`` has installed, so that it can be brought back.

An upgrade may make the environment of a program anew, and then what was added to it is gone. The file is in the
person's configuration folder, and says of each plugin for which environment it is: two do not mix.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tunesmith._plugins.requested import same
from tunesmith.errors import OutputError, SettingsError
from tunesmith.settings import config_folder

__all__ = ["FILE", "Recorded", "change_recorded", "environment", "read_recorded", "recorded_file", "replaced"]

FILE = "plugins.toml"
_FORMAT = 1
_HEAD = f"""\
# Written by `tunesmith plugins add` and `remove`; `tunesmith plugins restore` brings back what is missing.
format = {_FORMAT}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One package that was added.

    Attributes:
        environment: the folder of the environment it was added to.
        requirement: as it was asked for.
        name: of the distribution that came of it.
        version: of that, when it was added.
    """

    environment: str
    requirement: str
    name: str
    version: str


def recorded_file() -> Path:
    """Where it is; it need not exist."""
    return config_folder() / FILE


def environment() -> str:
    """The environment of this process, as the file names it."""
    return str(Path(sys.prefix).absolute())


def read_recorded() -> list[Recorded]:
    """What is recorded, of all environments.

    Raises:
        SettingsError: the file cannot be read or is not of this form. It is left as it is.
    """
    path = recorded_file()
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise _malformed(path, str(error)) from error
    try:
        held = tomllib.loads(text)
    except ValueError as error:
        raise _malformed(path, str(error)) from error
    if held.get("format") != _FORMAT or held.keys() - {"format", "plugin"}:
        raise _malformed(path, f"expected format = {_FORMAT} and tables [[plugin]], given the keys {', '.join(held)}")
    return [_entry(path, table) for table in _tables(path, held.get("plugin", []))]


def change_recorded(change: Callable[[list[Recorded]], Sequence[Recorded]]) -> None:
    """Read the file, change what it holds, and write it anew; whole or not at all.

    Raises:
        SettingsError: as :func:`read_recorded`; then nothing is written.
        OutputError: it cannot be written.
    """
    path = recorded_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            text = "\n".join([_HEAD, *map(_table, change(read_recorded()))])
            # Readable for this person only, as such files are made: a URL may hold a password.
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}-")
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OutputError(
            f"the list of plugins cannot be written: {error.strerror}",
            given=path,
            fix="make the folder writable; what was installed stays installed",
        ) from error


def replaced(held: list[Recorded], added: Sequence[Recorded]) -> list[Recorded]:
    """What is held with what was added in the place of what had its name in its environment."""
    kept = [
        one for one in held if not any(one.environment == new.environment and same(one.name, new.name) for new in added)
    ]
    return [*kept, *added]


def _tables(path: Path, tables: object) -> list[dict[str, object]]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _malformed(path, "plugin is not a list of tables")
    return tables


def _entry(path: Path, table: dict[str, object]) -> Recorded:
    names = [field.name for field in fields(Recorded)]
    if sorted(table) != sorted(names) or not all(isinstance(value, str) for value in table.values()):
        raise _malformed(path, f"a [[plugin]] needs the texts {', '.join(names)}, given {', '.join(table) or 'none'}")
    return Recorded(**table)  # type: ignore[arg-type]


def _table(one: Recorded) -> str:
    lines = [f"{field.name} = {_text(getattr(one, field.name))}" for field in fields(one)]
    return "\n".join(["[[plugin]]", *lines, ""])


def _text(value: str) -> str:
    # A text of JSON is one of TOML, but for this character, which JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for others that change the file. Without locks in the system, the last one to write wins."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.with_name(f".{path.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _malformed(path: Path, what: str) -> SettingsError:
    return SettingsError(
        f"the list of added plugins cannot be used: {what}",
        given=path,
        expected="what `tunesmith plugins add` writes",
        fix="correct it, or move it away; it was left as it is, and nothing was installed or removed",
    )
