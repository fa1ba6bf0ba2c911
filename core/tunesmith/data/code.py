# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The source that makes something that is kept, as a digest: a part of its key.

A version number alone would let a plugin that is being written find what its older self made.
"""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

__all__ = ["code_digest"]


def code_digest(kind: type, *rooms: ModuleType) -> str:
    """SHA-256 over the source of a class, of those it derives from, of their packages, and of ``rooms``.

    Code that lies in an archive is left out; there the version has to do.
    """
    import tunesmith.data

    modules = {sys.modules.get(base.__module__) for base in kind.__mro__}
    files = {Path(found) for module in modules if (found := getattr(module, "__file__", None))}
    folders = {Path(room.__file__ or "").parent for room in (tunesmith.data, *rooms)}
    folders |= {file.parent for file in files if (file.parent / "__init__.py").is_file()}
    return _digest(tuple(sorted(folders)), tuple(sorted(files)))


@lru_cache(maxsize=8)
def _digest(folders: tuple[Path, ...], files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted({*files, *(path for folder in folders for path in folder.rglob("*.py"))}):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
