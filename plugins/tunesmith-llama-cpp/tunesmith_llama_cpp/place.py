# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where an address leads: a file, what is written beside it, and what was asked for with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunesmith.errors import ModelError

__all__ = ["Place", "find"]

_FILE, _RENDERING, _FORMAT = "model.gguf", "rendering.json", 1  # as `tunesmith export --to gguf` writes them
_OPTIONS = ("context", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What an address means.

    Attributes:
        file: in GGUF.
        name: what the model is called unless somebody says otherwise.
        task: as ``rendering.json`` beside the file has it, e.g. ``chat``; "": there is none.
        state: likewise: stop tokens and settings of sampling.
        context: longest prompt and answer together, in tokens; ``None``: what the model allows.
        threads: that compute; ``None``: as many as PyTorch's.
    """

    file: Path
    name: str
    task: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    context: int | None = None
    threads: int | None = None


def find(address: str) -> Place:
    """``PATH``, or ``PATH#context=TOKENS,threads=NUMBER``; the path of a GGUF file, or of the folder of an export.

    Raises:
        ModelError: there is no such file, it is not GGUF, or an option that does not exist.
    """
    path, options = Path(address).expanduser(), ""
    if not path.exists() and "#" in address:
        before, _, options = address.rpartition("#")
        path = Path(before).expanduser()
    file = path / _FILE if path.is_dir() else path
    _check(file, path)
    task, state = _rendering(file.parent / _RENDERING)
    return Place(
        file=file,
        name=path.resolve().name if path.is_dir() else path.stem,
        task=task,
        state=state,
        **_options(options),
    )


def _check(file: Path, path: Path) -> None:
    fix = "export one: tunesmith export RUN --to gguf --out FOLDER"
    if not file.is_file():
        given = f"{path}, a folder without {_FILE}" if path.is_dir() else str(path)
        raise ModelError(
            "there is no GGUF file for llama.cpp", given=given, expected="a GGUF file, or the folder of one", fix=fix
        )
    with file.open("rb") as stream:
        begin = stream.read(4)
    if begin != b"GGUF":
        raise ModelError(
            "this is not a GGUF file", given=f"{file}, which begins with {begin!r}", expected="b'GGUF'", fix=fix
        )


def _rendering(file: Path) -> tuple[str, Mapping[str, Any]]:
    if not file.is_file():
        return "", {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        task, state = content["task"], content["state"]
        if not isinstance(task, str) or not isinstance(state, dict):
            raise ValueError("no task and state")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} cannot be read",
            given=f"{type(error).__name__}: {error}",
            expected=f"what tunesmith export writes: format {_FORMAT}",
            fix="export the model again",
        ) from error
    return task.removeprefix("tunesmith/"), state


def _options(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(",") if text else ():
        key, equals, value = part.partition("=")
        if key not in _OPTIONS or not equals or not value.isascii() or not value.isdigit() or int(value) < 1:
            raise ModelError(
                "no such option of a llama-cpp address",
                given=f"#{text}",
                expected=f"{' or '.join(_OPTIONS)} with a number above 0, e.g. #context=4096,threads=2",
                fix="leave it out, or write it so",
            )
        found[key] = int(value)
    return found
