# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""An archive: the files of one folder of machine code, whole, with a keyed digest that is checked before all else.

Its content is executed, and parts of it are read with pickle, by the compilers' own caches. So nothing of an archive
is looked into that was not made by somebody who has the key: HMAC-SHA256 over its form, its name and every byte. The
name says for which machine and for what it was made, so one cannot be passed off as another.

Form: ``tunesmith-code-1`` and a line feed, 32 bytes of digest, then a tar compressed with gzip.
"""

from __future__ import annotations

import hmac
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

__all__ = ["MOST_BYTES", "number_of", "pack", "unpack"]

_FORM: Final = b"tunesmith-code-1\n"
_DIGEST: Final = 32
MOST_BYTES: Final = 1_000_000_000
"""Of an archive's files together."""
_NUMBER: Final = b"tunesmith-code number of a key"
"""No archive's digest is over this: they are over what begins with its form."""


def number_of(key: bytes) -> str:
    """What a key is told apart by in the names of archives: 16 hexadecimal digits, of which nobody gets the key."""
    return hmac.new(key, _NUMBER, "sha256").hexdigest()[:16]


def pack(files: Mapping[str, bytes], name: str, key: bytes) -> bytes:
    """An archive.

    Args:
        files: contents, by paths with ``/`` below the folder.
        name: of the archive.
        key: of those who share it.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o600
            tar.addfile(entry, io.BytesIO(files[path]))
    content = packed.getvalue()
    return _FORM + _mac(content, name, key) + content


def unpack(archive: bytes, name: str, key: bytes) -> dict[str, bytes]:
    """The files of an archive.

    Raises:
        ValueError: it was not made with the key, under this name, by this version; or it does not hold what it should.
    """
    start = len(_FORM) + _DIGEST
    if not archive.startswith(_FORM) or len(archive) < start:
        raise ValueError("it is no archive of machine code of this version")
    content = archive[start:]
    if not hmac.compare_digest(archive[len(_FORM) : start], _mac(content, name, key)):
        raise ValueError("it was changed, or made with another key, or for another machine")
    files, left = {}, MOST_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            for entry in tar:
                left -= entry.size
                if not entry.isreg() or not _below(entry.name) or left < 0:
                    raise ValueError(f"it has an entry that no archive should have: {entry.name[:100]!r}")
                file = tar.extractfile(entry)
                assert file is not None  # of a regular file there is one
                files[entry.name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    return files


def _below(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and not any(p == ".." or "\\" in p or ":" in p for p in parts)


def _mac(content: bytes, name: str, key: bytes) -> bytes:
    digest = hmac.new(key, _FORM + name.encode() + b"\0", "sha256")
    digest.update(content)
    return digest.digest()
