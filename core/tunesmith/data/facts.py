# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which files were read, and exactly what was in them: for the manifest of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.data.readers.idx import labels_file
from tunesmith.data.rows import Row
from tunesmith.data.sources import DatasetSource, FileSource, Source
from tunesmith.errors import DataError

__all__ = ["FileFact", "facts_of"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file, folder of images, or data set.

    Attributes:
        name: as the user wrote it, or what a pattern or hub reference led to.
        sha256: of the file's bytes as they lie on disk (packed ones packed); of names and contents for a
            folder of images; of the rows as canonical JSON for a ``dataset:``.
        bytes: size on disk; 0 for a ``dataset:``.
        rows: usable rows read from it.
    """

    name: str
    sha256: str
    bytes: int
    rows: int


def facts_of(source: Source, rows: Sequence[Row]) -> Iterator[FileFact]:
    """The facts of one source; two for idx, whose labels lie in a file of their own."""
    if isinstance(source, DatasetSource):
        yield FileFact(source.name, _rows_digest(rows), 0, len(rows))
    elif source.path.is_dir():
        yield _folder_fact(source, rows)
    else:
        yield _file_fact(source.name, source.path, len(rows))
        labels = labels_file(source.path) if source.reader == "tunesmith/idx" else None
        if labels is not None:
            yield _file_fact(str(labels), labels, len(rows))


def _file_fact(name: str, path: Path, rows: int) -> FileFact:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise DataError(f"{path}: cannot be read", given=error.strerror or str(error)) from error
    return FileFact(name, digest.hexdigest(), size, rows)


def _folder_fact(source: FileSource, rows: Sequence[Row]) -> FileFact:
    digest, size = hashlib.sha256(), 0
    for row in rows:
        path = Path(row.origin.file)
        fact = _file_fact(path.name, path, 1)
        digest.update(f"{path.relative_to(source.path).as_posix()}\0{fact.sha256}\n".encode())
        size += fact.bytes
    return FileFact(source.name, digest.hexdigest(), size, len(rows))


def _rows_digest(rows: Sequence[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(dict(row.values), sort_keys=True, ensure_ascii=False, default=_as_json).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _as_json(value: Any) -> Any:
    """What JSON has no word for: images as the digest of their bytes, everything else as its text."""
    data = value if isinstance(value, bytes) else value.tobytes() if hasattr(value, "tobytes") else None
    return str(value) if data is None else hashlib.sha256(data).hexdigest()
