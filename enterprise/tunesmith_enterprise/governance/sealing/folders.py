# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Folders and runs sealed where they lie, and opened elsewhere.

Of each file there is a whole version at every moment: the sealed one is written, flushed, read back and compared, and
only then is the plain one removed. Whenever this is interrupted, doing it again completes it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import DataError, OutputError, RunError, TunesmithError
from tunesmith.runs import Run, flush_folder, writing
from tunesmith_enterprise.governance.sealing.errors import SealedFileError
from tunesmith_enterprise.governance.sealing.files import SUFFIX, header_of, rewrap_file, seal_file, write_opened
from tunesmith_enterprise.governance.sealing.header import CHUNK, Facts
from tunesmith_enterprise.governance.sealing.ring import KeyRing

__all__ = [
    "PLAIN", "Checked", "check_place", "files_of", "rewrap", "seal_folder", "seal_one", "seal_run", "unseal", "verify",
]  # fmt: skip

PLAIN: Final = ("run.json", "run.lock", "recipe.yaml", "metrics.jsonl")
"""Of a run, what stays readable: by it the core lists and compares runs. It holds settings and figures, and no rows."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What :func:`verify` found.

    Attributes:
        sound: how many files opened, whole.
        wrong: what is wrong with each of the others, by its name.
    """

    sound: int
    wrong: dict[str, str]


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, sorted.

    Raises:
        DataError: a link or another thing that is no plain file: what it leads to would stay as it is.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DataError(
                f"{path} is no plain file",
                given="a link" if path.is_symlink() else "a device, socket or pipe",
                expected="files and folders",
                fix="put the file itself in its place, or take it out of the folder",
            )
        if path.is_file():
            found.append(path)
    return found


def seal_one(path: Path, ring: KeyRing, *, name: str = "", group: str = "", chunk: int = CHUNK) -> bool:
    """Seal a file where it lies, to ``NAME.sealed``, and remove the plain one.

    Args:
        name: what is written down as its name. Default: its own.
        group: the set that it belongs to. Default: one of its own.
        chunk: bytes encrypted at a time.

    Returns:
        False: an interrupted call had sealed it already, and only the removal was left.

    Raises:
        DataError: it cannot be read, or changed meanwhile.
        OutputError: ``NAME.sealed`` holds something else, or cannot be written.
        SealKeyError: there is no key.
    """
    target = path.with_name(path.name + SUFFIX)
    fresh = not target.exists()
    if fresh:
        key = ring.sealing
        size = _size(path)
        facts = Facts.new(name or path.name, size, group or secrets.token_hex(16), chunk=chunk)
        digest = seal_file(path, target, facts, key)
    else:
        digest = _digest(path)
    if _opened_digest(target, ring) != digest:
        raise OutputError(
            f"{path} and {target.name} are both there and hold different things, and nothing was removed",
            given="two versions",
            expected=f"{target.name} to be {path.name}, sealed",
            fix=f"look at both (tunesmith unseal {target} --out FILE), and take one of them away",
        )
    with writing(path):
        path.unlink()
        flush_folder(path.parent)
    return fresh


def seal_folder(folder: Path, ring: KeyRing, *, keep: tuple[str, ...] = ()) -> int:
    """Seal every file below a folder where it lies.

    Args:
        keep: names, in the folder, of files that stay plain.

    Returns:
        How many are sealed now that were not before.

    Raises:
        As :func:`seal_one`; files that were sealed before stay so.
        DataError: nothing is there to be sealed, or something is no plain file.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", expected="a folder with the files of a model, or data")
    files = files_of(folder)
    for path in files:
        if path.name.startswith(".") and path.name.endswith(".tmp") and SUFFIX in path.name:  # of a killed call
            path.unlink()
    plain = {path.relative_to(folder).as_posix(): path for path in files if path.exists() and path.suffix != SUFFIX}
    sealed = [path for path in files if path.suffix == SUFFIX]
    todo = {name: path for name, path in plain.items() if name not in keep}
    if not todo and not sealed:
        raise DataError(f"{folder}: nothing to seal", given="no files" if not files else f"only {', '.join(plain)}")
    group = header_of(sealed[0]).facts.set if sealed else secrets.token_hex(16)
    return sum([seal_one(path, ring, name=name, group=group) for name, path in todo.items()])


def seal_run(run: Path, ring: KeyRing) -> int:
    """Seal a run where it lies, but for :data:`PLAIN`; nobody works on it meanwhile.

    Raises:
        As :func:`seal_folder`; RunError: it is no run, or in use.
    """
    opened = Run.open(run)
    with opened.locked():
        return seal_folder(opened.path, ring, keep=PLAIN)


def check_place(path: Path, facts: Facts, name: str, group: str) -> None:
    """Whether a file is the one that was sealed in this place.

    Raises:
        SealedFileError: it is another, or one of another folder.
    """
    if facts.name != name:
        raise SealedFileError(
            f"{path} is another file than its name says",
            given=f"what was {facts.name}",
            expected=name,
            fix="put the files back to where they were sealed; nothing was changed",
        )
    if facts.set != group:
        raise SealedFileError(
            f"{path} was sealed with another folder",
            given=f"a file of the set {facts.set}",
            expected=f"the set {group}, as the others here",
            fix="bring the file back from a copy of this folder; nothing was changed",
        )


def unseal(source: Path, out: Path, ring: KeyRing) -> int:
    """Open a sealed file or folder into another place, which is there whole or not at all.

    Args:
        source: stays as it is. What is not sealed in a folder is copied.
        out: must not be there.

    Returns:
        How many files were opened.

    Raises:
        OutputError: something is there, or the place cannot be written.
        SealedFileError, SealKeyError: a file does not open; nothing is left behind.
    """
    if out.exists() or out.is_symlink():
        raise OutputError(f"{out} is there already, and nothing is overwritten", fix="choose another --out")
    if not out.absolute().parent.is_dir():
        raise OutputError(
            f"there is no folder {out.absolute().parent}",
            given=f"--out {out}",
            expected="a new name in a folder that is there",
            fix=f"make it: mkdir -p {out.parent}",
        )
    with _draft(out) as draft:
        if not source.is_dir():
            _write(source, draft, ring)
            return 1
        draft.mkdir(mode=0o700)
        count, group = 0, ""
        for path in files_of(source):
            name = path.relative_to(source).as_posix()
            place = draft / name.removesuffix(SUFFIX)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.suffix == SUFFIX:
                facts = _write(path, place, ring)
                group = group or facts.set
                check_place(path, facts, name.removesuffix(SUFFIX), group)
                count += 1
            elif name != "run.lock":
                shutil.copyfile(path, place)
        return count


def verify(source: Path, ring: KeyRing) -> Checked:
    """Open every sealed file and throw away what comes out; hold those of a run against what it wrote down."""
    digests = _told(source)
    sealed = [path for path in files_of(source) if path.suffix == SUFFIX] if source.is_dir() else [source]
    wrong, sound, group = {}, 0, ""
    for path in sealed:
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        try:
            digest = hashlib.sha256()
            with open(os.devnull, "wb") as nowhere:
                header = write_opened(path, ring, nowhere, digest)
            if source.is_dir():
                group = group or header.facts.set
                check_place(path, header.facts, name.removesuffix(SUFFIX), group)
        except TunesmithError as error:
            wrong[name] = error.what if error.given is None else f"{error.what}: {error.given}"
            continue
        told = digests.get(name.removesuffix(SUFFIX))
        if told not in (None, f"sha256:{digest.hexdigest()}"):
            wrong[name] = "it is not what the run had when it finished"
        else:
            sound += 1
    for name in digests:
        if not (source / name).is_file() and not (source / f"{name}{SUFFIX}").is_file():
            wrong[name] = "it is not there, and was when the run finished"
    return Checked(sound, wrong)


def rewrap(source: Path, ring: KeyRing) -> tuple[int, int]:
    """Wrap the data keys of a file, or of all below a folder, with the first key.

    Returns:
        How many were changed, and how many there are.

    Raises:
        As :func:`files.rewrap_file`; what was changed before stays changed, and opens.
    """
    sealed = [path for path in files_of(source) if path.suffix == SUFFIX] if source.is_dir() else [source]
    return sum([rewrap_file(path, ring) for path in sealed]), len(sealed)


def _told(source: Path) -> dict[str, Any]:
    try:
        return dict(Run.open(source).manifest.get("artefacts") or {}) if source.is_dir() else {}
    except RunError:
        return {}


def _write(path: Path, place: Path, ring: KeyRing) -> Facts:
    with writing(place), os.fdopen(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        header = write_opened(path, ring, file)
        file.flush()
        os.fsync(file.fileno())
    return header.facts


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A place beside ``out`` that becomes it at the end of the block; gone when the block fails."""
    for left in out.parent.glob(f".{out.name}.*.opening") if out.parent.is_dir() else ():  # of a killed call
        _remove(left)
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}.opening")
    try:
        with writing(out):
            yield draft
            draft.rename(out)
            flush_folder(out.parent)
    finally:
        _remove(draft)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _opened_digest(path: Path, ring: KeyRing) -> str:
    digest = hashlib.sha256()
    with open(os.devnull, "wb") as nowhere:
        write_opened(path, ring, nowhere, digest)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                digest.update(piece)
    except OSError as error:
        raise DataError(f"{path}: cannot be read", given=error.strerror or str(error)) from error
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        if not path.is_file() or path.is_symlink():
            raise DataError(f"{path}: no such file", given="a link" if path.is_symlink() else "no file")
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read", given=error.strerror or str(error)) from error
