# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where texts with licenses are looked for: everywhere, in one order, each place apart from the others.

All that is found counts together; the order only says which of two equal documents is named. What one place holds or
lacks is no matter to the next.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import refusal
from tunesmith.licensing.accidents import BEGINNING
from tunesmith.licensing.files import read_text_file
from tunesmith.licensing.reasons import shown
from tunesmith_enterprise.entitlement.evidence import Place, Refused, Source
from tunesmith_enterprise.entitlement.places import Places

__all__ = ["FILES", "LICENSE", "MOST", "Argument", "Found", "Text", "find_texts", "printable"]

LICENSE: Final = "TUNESMITH_LICENSE"
"""Environment variable: what is in a license file, in lines or in one."""
FILES: Final = "TUNESMITH_LICENSE_FILE"
"""Environment variable: names of files and folders, separated as in ``PATH``."""

Argument = bytes | str | os.PathLike[str] | None
"""What a program gives: bytes or a text are what is in a license file, a path is a file or a folder."""

MOST: Final = 256
"""Files of one folder that are read, at most."""
_LOOKED: Final = 4096
"""Entries of one folder that are looked at, at most."""
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}://)")


class Text(NamedTuple):
    """A text that may hold documents."""

    source: Source
    content: bytes


class Found:
    """What the places hold.

    Attributes:
        texts: in the order of the places, and of names within a folder.
        refused: what is named and cannot be read.
        notes: for people.
    """

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.refused: list[Refused] = []
        self.notes: list[str] = []


def find_texts(
    argument: Argument = None, *, environ: Mapping[str, str], places: Places, license_files: Sequence[str] = ()
) -> Found:
    """All texts.

    Args:
        argument: what the program gives, if it does.
        license_files: of the settings.

    In this order: the argument; ``TUNESMITH_LICENSE``; ``TUNESMITH_LICENSE_FILE``; the settings; the person's folder;
    the machine's; the secrets of containers, of which those named ``tunesmith-license…`` are read. In folders, files
    named ``*.lic`` are read, without what begins with a dot. Never raises; nothing found is nothing found.
    """
    found = Found()
    if isinstance(argument, (bytes, str)):
        content = argument if isinstance(argument, bytes) else argument.encode("utf-8", "surrogatepass")
        found.texts.append(Text(Source("argument", "the argument"), content))
    elif argument is not None:
        _look(found, Path(argument), "argument")
    _variable(found, environ.get(LICENSE))
    _files_of_variable(found, environ.get(FILES, ""))
    for name in license_files:
        _named(found, name, "settings", "license_files of the settings")
    if places.user is not None:
        _folder(found, places.user, "user")
    if places.system is not None:
        _folder(found, places.system, "system")
    if places.secrets is not None:
        _secrets(found, places.secrets)
    return found


def _variable(found: Found, value: str | None) -> None:
    if value is None:
        return
    if not value.strip():
        found.notes.append(
            f"the variable {LICENSE} is set and empty: if a license should be in it, look whether the secret reaches "
            "this process"
        )
        return
    found.texts.append(Text(Source("environment", LICENSE), value.encode("utf-8", "surrogatepass")))


def _files_of_variable(found: Found, value: str) -> None:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()  # an env-file of containers keeps them
    source = Source("environment", FILES)
    address = _ADDRESS.match(value)
    if "-----BEGIN" in value or value.startswith(BEGINNING) or "\n" in value:
        error = refusal(
            "path",
            f"the variable {FILES} holds a document where the name of a file has to be",
            expected="absolute names of files or folders",
            fix=f"put it into {LICENSE} instead",
        )
        found.refused.append(Refused(source, error))
    elif address:
        error = refusal(
            "address",
            f"the variable {FILES} holds an address and not the name of a file",
            given=f"something that begins with {shown(address[1].lower())}",
            expected="absolute names of files or folders",
            fix="open the address, save what is there, and give the name of that file; nothing is fetched from here",
        )
        found.refused.append(Refused(source, error))
    else:
        for name in value.split(os.pathsep):
            if name.strip():  # an empty part would be the working folder
                _named(found, name.strip(), "environment", FILES)


def _named(found: Found, name: str, place: Place, where: str) -> None:
    path = Path(os.path.expanduser(name))
    if path.is_absolute():
        _look(found, path, place)
        return
    error = refusal(
        "path",
        f"{where} has a name that depends on the working folder",
        given=shown(name) if "." in name else f"{len(name):,} characters",  # which may be a piece of a license
        expected="an absolute path: a license never comes from wherever a program was started",
        fix="write the whole path",
    )
    found.refused.append(Refused(Source(place, where), error))


def _look(found: Found, path: Path, place: Place) -> None:
    """A file or a folder that somebody named."""
    if os.path.isdir(path):
        _folder(found, path, place)
    else:
        _file(found, path, place)


def _folder(found: Found, folder: Path, place: Place) -> None:
    names = _entries(found, folder, _is_license)
    for name in names or ():
        _file(found, folder / name, place)


def _secrets(found: Found, folder: Path) -> None:
    for name in _entries(found, folder, _is_secret) or ():
        _look(found, folder / name, "secrets")


def _is_license(name: str) -> bool | None:
    return None if name.startswith(".") else name.lower().endswith(".lic")


def _is_secret(name: str) -> bool | None:
    return name.startswith("tunesmith-license") or None  # the others are no matter of ours, not even by name


def _entries(found: Found, folder: Path, wanted: Callable[[str], bool | None]) -> list[str] | None:
    """The names in a folder that are wanted, in order; those for which ``wanted`` says False get a note."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _LOOKED + 1)]
    except FileNotFoundError:
        return None
    except OSError as error:
        found.notes.append(f"the folder {printable(folder)} cannot be looked into: {(error.strerror or '').lower()}")
        return None
    if len(names) > _LOOKED:
        found.notes.append(
            f"the folder {printable(folder)} has more than {_LOOKED:,} entries; the others were not looked at"
        )
        del names[_LOOKED:]
    taken = sorted(name for name in names if wanted(name))
    left = sorted(name for name in names if wanted(name) is False)
    if left:
        found.notes.append(
            f"in {printable(folder)} only files named *.lic are read; left aside: {', '.join(map(shown, left[:3]))}"
            + (f" and {len(left) - 3:,} more" if len(left) > 3 else "")
        )
    if len(taken) > MOST:
        found.notes.append(
            f"the folder {printable(folder)} has {len(taken):,} license files; the first {MOST} of them are read"
        )
        del taken[MOST:]
    if taken:
        _open_to_all(found, folder)
    return taken


def _file(found: Found, path: Path, place: Place) -> None:
    source = Source(place, printable(path), path)
    try:
        content = read_text_file(path)
    except SignedDocumentError as error:
        found.refused.append(Refused(source, _of_link(error, path)))
        return
    found.texts.append(Text(source, content))
    _open_to_all(found, path)


def _of_link(error: SignedDocumentError, path: Path) -> SignedDocumentError:
    if error.reason != "no-file" or not os.path.islink(path):
        return error
    return refusal(
        "no-file",
        "this link leads to no file",
        given=path,
        fix="look whether what it leads to was moved, or is not mounted here",
    )


def _open_to_all(found: Found, path: Path) -> None:
    """A note about what everybody may change. It is no reason to refuse: what is in it is signed."""
    if os.name == "nt":
        return
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # gone since it was read
    if mode & stat.S_IWOTH:
        what = "put files into" if stat.S_ISDIR(mode) else "change"
        found.notes.append(f"everybody on this machine may {what} {printable(path)}: chmod o-w it")


def printable(path: Path) -> str:
    """A path for people: nothing in it that a terminal would obey."""
    text = str(path)
    return text if text.isprintable() else ascii(text)
