# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Digests of what a finished run holds, so that damage and changes are found later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tunesmith.runs.hashing import file_digest

__all__ = ["artefact_digests"]

_FILES = ("metrics.jsonl", "report.html", "golden.json")


def artefact_digests(run: Path) -> dict[str, str]:
    """``sha256:…`` of the model's files, the records, the report and the golden set, by their names in the run folder.

    Checkpoints are not among them: they hold digests of their own. Nor is the recipe: the manifest holds a copy.

    Raises:
        OSError: a file cannot be read.
    """
    return {path.relative_to(run).as_posix(): file_digest(path) for path in _artefacts(run)}


def _artefacts(run: Path) -> Iterator[Path]:
    yield from (run / name for name in _FILES if (run / name).is_file())
    yield from sorted(path for path in (run / "model").rglob("*") if path.is_file())
