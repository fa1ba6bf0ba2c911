# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A folder and a key that machines share, and what a process does that compiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.plugin import MachineCode
from tunesmith_enterprise.optimizations.compile_cache.settings import CacheWanted

__all__ = ["JOB", "KEY", "compiling", "event", "shared_file", "wanted"]

KEY = b"k" * 32
JOB = "f" * 64


@pytest.fixture
def wanted(tmp_path: Path) -> CacheWanted:
    (tmp_path / "shared").mkdir(mode=0o770)
    secret = tmp_path / "shared.key"
    secret.write_bytes(KEY + b"\n")
    secret.chmod(0o600)
    return CacheWanted(tmp_path / "shared", secret, 5_000_000_000)


def event(folder: Path, *, ready: bool, kind: str = "numba") -> MachineCode:
    return MachineCode(kind=kind, key=folder.name, folder=str(folder), ready=ready)


def compiling(tell: Callable[[MachineCode], None], folder: Path) -> None:
    """As a process does that compiles into a folder."""
    folder.mkdir()
    tell(event(folder, ready=False))
    (folder / "a.so").write_bytes(b"code")
    tell(event(folder, ready=True))


def shared_file(wanted: CacheWanted) -> Path:
    (found,) = wanted.folder.iterdir()
    return found
