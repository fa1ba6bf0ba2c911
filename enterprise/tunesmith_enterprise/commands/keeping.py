# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""License files in their folders: written whole or not at all, and found again by the licenses in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunesmith.errors import OutputError
from tunesmith.licensing import Document, SignedDocumentError, dearmor_all, read_envelope
from tunesmith.licensing.contents import License, parse_license
from tunesmith.licensing.files import read_text_file
from tunesmith_enterprise.entitlement.places import Places

__all__ = [
    "SUFFIX",
    "KeptFile",
    "file_name",
    "kept_files",
    "license_folder",
    "licenses_in",
    "remove_file",
    "write_file",
    "write_new",
]

SUFFIX: Final = ".lic"
_LONGEST: Final = 100  # characters of a file's name; file systems take 255 bytes


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file in a folder of licenses, and the ids of the licenses that stand in it, believed or not."""

    path: Path
    ids: tuple[str, ...]


def licenses_in(documents: Sequence[Document]) -> list[License]:
    """The licenses of a text as they say of themselves; those that cannot be read are left out."""
    found = []
    for document in documents:
        if document.kind == "license":
            with contextlib.suppress(SignedDocumentError):
                found.append(parse_license(read_envelope(document.envelope).payload))
    return found


def file_name(ids: Sequence[str], documents: Sequence[Document]) -> str:
    """The name of the file for a text. A text with the same licenses gets the same name, and so replaces the older.

    Ids of licenses are made of ``a-z 0-9 . _ -`` and begin with a letter or a digit: they lead out of no folder.
    """
    if not ids:
        return "+".join(dict.fromkeys(document.kind for document in documents)) + SUFFIX
    name = "+".join(sorted(set(ids)))
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 17]}+{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return name + SUFFIX


def kept_files(folder: Path) -> Iterator[KeptFile]:
    """The license files of a folder, by name; what cannot be read has no ids."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return
    for path in paths:
        try:
            documents = dearmor_all(read_text_file(path))
        except SignedDocumentError:
            documents = []
        yield KeptFile(path, tuple(one.license_id for one in licenses_in(documents)))


def write_file(folder: Path, name: str, content: bytes, *, shared: bool) -> Path:
    """Put a file into a folder: whoever looks sees the old one or the new one, also after a loss of power.

    Args:
        shared: for everybody on this machine to read; else for its owner only.

    Raises:
        OutputError: it cannot be written; what was there is as it was.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755 if shared else 0o700)
        number, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=folder)  # 0600, and no name that is read
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
                file.flush()
                if shared and hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _settle(folder)
    except OSError as error:
        raise OutputError(
            "the license cannot be written",
            given=f"{path}: {error.strerror}",
            expected="a folder that can be written",
            fix=[
                "look at its owner, its permissions and the room on its disk",
                "or put the file where a secret store can, and name it in TUNESMITH_LICENSE_FILE",
            ],
        ) from error
    return path


def license_folder(places: Places, *, system: bool = False) -> Path:
    """The person's folder of licenses, or the machine's.

    Raises:
        OutputError: there is none.
    """
    folder = places.system if system else places.user
    if folder is None:
        raise OutputError(
            "this account has no home folder in which a license could be kept",
            expected="a home folder, or XDG_CONFIG_HOME",
            fix=["set XDG_CONFIG_HOME to a folder that stays", "or hand the license over in TUNESMITH_LICENSE"],
        )
    return folder


def write_new(path: Path, text: str) -> None:
    """A file for somebody else; one that is there is left alone.

    Raises:
        OutputError: it exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(
            "the file exists, and is left alone", given=path, expected="a name that is free", fix="choose another --out"
        ) from None
    except OSError as error:
        raise OutputError(
            f"the file cannot be written: {error.strerror}", given=path, fix="choose another --out"
        ) from error


def remove_file(path: Path) -> None:
    """Delete a file, so that it stays deleted.

    Raises:
        OutputError: it cannot be deleted.
    """
    try:
        path.unlink()
        _settle(path.parent)
    except OSError as error:
        raise OutputError(
            "the file cannot be removed", given=f"{path}: {error.strerror}", fix="look at the permissions of its folder"
        ) from error


def _settle(folder: Path) -> None:
    """Wait until the disk has what the folder lists. Windows opens no folders, and sees to it itself."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
