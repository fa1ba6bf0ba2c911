# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Sealed models and rows for the process that may have them: into its memory, and onto no disk.

The package's gate is asked before anything is decrypted, about the action ``unseal``: a policy may refuse it, and the
audit log has it. No license is asked for: nothing stands between people and what they made.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from tunesmith.data import Origin, Problem, ReadOptions, Row, read_rows
from tunesmith.errors import DeniedError, ModelError
from tunesmith.plugin import Action, Deny
from tunesmith_enterprise.governance.sealing.files import SUFFIX, header_of, write_opened
from tunesmith_enterprise.governance.sealing.folders import PLAIN, check_place, files_of
from tunesmith_enterprise.governance.sealing.header import Facts, Header
from tunesmith_enterprise.governance.sealing.memory import MemoryFolder, memory_folder
from tunesmith_enterprise.governance.sealing.ring import KeyRing, key_ring

__all__ = ["allow", "open_model", "read_sealed"]

_NEEDED: Final = ("model/", "golden.json")
"""Of a run, what is needed to answer: checkpoints stay closed."""
_DONE: Final = {"seal": "sealed", "unseal": "opened", "unseal-copy": "unsealed", "rewrap": "rewrapped"}


def allow(name: str, subject: str, **details: Any) -> bool:
    """Ask the package's gate whether something may be done to sealed files.

    Args:
        name: ``seal``, ``unseal`` (in memory), ``unseal-copy`` (onto a disk) or ``rewrap``.
        subject: the file or folder.

    Returns:
        Whether the settings ask for governance: then its license was asked for, and its notes were told.

    Raises:
        DeniedError: a policy, a role or the audit log says no.
    """
    from tunesmith_enterprise.gate import authorize

    answer = authorize(Action(name=name, subject=subject, details=details))
    if isinstance(answer, Deny):
        raise DeniedError(
            f"{subject} cannot be {_DONE[name]}",
            given=answer.reason,
            expected="policy, roles and audit log to let it pass",
            fix=answer.fix,
        )
    return answer is not None


@contextmanager
def open_model(address: str) -> Iterator[Path]:
    """The model ``enterprise/sealed:ADDRESS``: a sealed run or model folder, opened in memory.

    Args:
        address: the folder.

    Yields:
        The folder as it was, as far as answering needs it.

    Raises:
        ModelError: there is no such folder, or nothing in it is sealed.
        SealedFileError, SealKeyError: it does not open.
        DeniedError: it may not be opened.
    """
    folder = Path(address).expanduser()
    sealed = [path for path in files_of(folder) if path.suffix == SUFFIX] if folder.is_dir() else []
    if not sealed:
        raise ModelError(
            f"there is no sealed model: {folder}",
            given="a folder without sealed files" if folder.is_dir() else "no folder",
            expected="a run or model folder that was sealed: tunesmith seal run RUN",
            fix=f"if it is not sealed, leave out `enterprise/sealed:` and write {folder}",
        )
    is_run = (folder / "run.json").is_file()
    ring = key_ring()
    headers = {path: header_of(path) for path in sealed}
    allow("unseal", str(folder), keys=_keys(headers), purpose="model")
    group = next(iter(headers.values())).facts.set
    with memory_folder() as opened:
        for path, header in headers.items():
            name = path.relative_to(folder).as_posix().removesuffix(SUFFIX)
            if is_run and not name.startswith(_NEEDED):
                continue
            check_place(path, header.facts, name, group)
            _add(opened, name, path, ring, header.facts)
        for name in PLAIN if is_run else [path.relative_to(folder).as_posix() for path in files_of(folder)]:
            if (folder / name).is_file() and not name.endswith(SUFFIX):
                shutil.copyfile(folder / name, _room(opened.path / name))
        yield opened.path


def read_sealed(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """The rows of a sealed data file; its name before says in which format: ``rows.jsonl.sealed``.

    Raises:
        SealedFileError, SealKeyError: it does not open.
        DeniedError: it may not be opened.
        DataError: as the reader of the inner format.
    """
    from tunesmith.recipe import DataSection
    from tunesmith.registry import get_registry

    header = header_of(path)
    allow("unseal", str(path), keys=_keys({path: header}), purpose="rows")
    with memory_folder() as opened:
        plain = _add(opened, Path(header.facts.name).name, path, key_ring(), header.facts)
        section = DataSection(
            train=[str(plain)],
            encoding=options.encoding,
            text_unit=options.text_unit,
            column_names=list(options.column_names) or None,
        )
        for row in read_rows([str(plain)], section, get_registry()):
            yield replace(row, origin=Origin(str(path), row.origin.line))


def _add(opened: MemoryFolder, name: str, path: Path, ring: KeyRing, facts: Facts) -> Path:
    """Decrypt into memory; what was authenticated must be what the place was checked by."""

    def fill(file: BinaryIO) -> None:
        header = write_opened(path, ring, file)
        if header.facts != facts:
            check_place(path, header.facts, facts.name, facts.set)

    return opened.add(name, fill)


def _keys(headers: dict[Path, Header]) -> list[str]:
    return sorted({slot.key for header in headers.values() for slot in header.slots if slot is not None})


def _room(path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
