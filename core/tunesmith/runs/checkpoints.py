# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Checkpoints as files: which are there, and whether they are what was written. Needs no PyTorch.

::

    checkpoints/
      step-00000120/          whole once it has this name
        state.json            format, progress, the digest of every other file, and one of all this
        *.safetensors
      .step-00000160.partial  being written, or left by a process that was killed while writing
      damaged-step-00000200   found damaged when a job was resumed, and set aside
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunesmith.runs.hashing import file_digest

__all__ = ["STATE", "checkpoint_damage", "checkpoint_state", "complete_checkpoints", "state_text"]

STATE = "state.json"
FORMAT = 2


def complete_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first, by their names alone; none where the folder is not there."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def state_text(progress: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """``state.json`` of a checkpoint.

    Args:
        progress: plain numbers; floats come back as they were.
        files: name to ``sha256:…`` of every other file.
    """
    content = {"progress": dict(progress), "files": dict(files)}
    return json.dumps({"format": FORMAT, **content, "digest": _digest(content)}, indent=1) + "\n"


def checkpoint_state(path: Path) -> dict[str, Any]:
    """``progress`` and ``files`` of a checkpoint.

    Raises:
        ValueError: why not, as a clause: "state.json cannot be read (…)".
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        content = {key: state[key] for key in ("progress", "files")}
        written, found = state["format"], state.get("digest")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{STATE} cannot be read ({type(error).__name__}: {error})") from error
    if written != FORMAT:
        raise ValueError(f"{STATE} is of format {written}, and this Tunesmith writes format {FORMAT}")
    if found != _digest(content):
        raise ValueError(f"{STATE} has changed since it was written")
    return content


def checkpoint_damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, as a clause; None where every byte is as it was written. Reads all of it."""
    try:
        files = checkpoint_state(path)["files"]
        for name, digest in files.items():
            if not (path / name).is_file():
                return f"{name} is missing"
            if file_digest(path / name) != digest:
                return f"{name} has changed since it was written"
    except ValueError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    return None


def _digest(content: Mapping[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}"
