# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a file to a recipe."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tunesmith.errors import RecipeError
from tunesmith.recipe.parse import parse_recipe
from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.toml_text import read_toml
from tunesmith.recipe.words import closest
from tunesmith.recipe.yaml_text import read_yaml

__all__ = ["read_recipe"]

_READERS = {".yaml": read_yaml, ".yml": read_yaml, ".toml": read_toml}
_LARGEST = 1_000_000  # bytes; a recipe is a page, and what is larger was given by mistake


def read_recipe(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe from a YAML or TOML file.

    Relative paths in it start at the current working directory, not at the file.

    Args:
        path: ``.yaml``, ``.yml`` or ``.toml``, in UTF-8.
        overrides: texts such as ``"train.epochs=3"``; they win over the file, later ones over earlier ones.

    Raises:
        RecipeError: no such file, not YAML or TOML, or the recipe is wrong: all problems together, with lines.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None or not file.is_file():
        raise _not_a_recipe(file)
    data, lines = reader(_text(file), str(file))
    if data is None:
        raise RecipeError(f"{file} is empty", expected="a recipe", fix="tunesmith recipe new TASK > recipe.yaml")
    return parse_recipe(data, overrides=overrides, source=str(file), lines=lines)


def _text(file: Path) -> str:
    try:
        size = file.stat().st_size
        data = file.read_bytes() if size <= _LARGEST else b""
    except OSError as error:
        raise RecipeError(f"cannot read {file}: {error.strerror or error}") from error
    if size > _LARGEST:
        raise RecipeError(
            f"{file} is too large for a recipe",
            given=f"{size:,} bytes",
            expected=f"at most {_LARGEST:,}",
            fix="rows belong into a file of their own: data.train",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"{file}, line {line}: not UTF-8",
            given=f"byte 0x{data[error.start]:02x} at position {error.start:,}",
            expected="a text file in UTF-8",
            fix="save the file as UTF-8",
        ) from error


def _not_a_recipe(file: Path) -> RecipeError:
    if file.is_dir():
        inside = file / "recipe.yaml"
        fix = f"did you mean {inside}?" if inside.is_file() else "give the file itself"
        return RecipeError(f"{file} is a folder", expected="a recipe file: .yaml, .yml or .toml", fix=fix)
    if not file.exists():
        return RecipeError(f"no such file: {file}", fix=_instead_of(file))
    return RecipeError(
        f"{file} is not a recipe file",
        given=f"the ending {file.suffix!r}" if file.suffix else "no ending",
        expected=".yaml, .yml or .toml",
    )


def _instead_of(file: Path) -> str:
    try:
        names = [entry.name for entry in file.parent.iterdir() if entry.suffix.lower() in _READERS]
    except OSError:
        names = []
    near = closest(file.name, names)
    return f"did you mean {file.with_name(near)}?" if near else "tunesmith recipe new TASK > recipe.yaml"
