# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""TOML with line numbers: the standard parser gives none, so a small search finds where a key stands."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

from tunesmith.errors import RecipeError
from tunesmith.recipe.yaml_text import Lines

__all__ = ["read_toml"]

# By name, so that type checkers need not have the module of the other Python versions.
_toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

_DEEPEST = 20  # keys of a path that is noted; the schema has three
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_TABLE = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")


def read_toml(text: str, source: str) -> tuple[Any, Lines]:
    """The value of a TOML text, and the line of every key that starts one.

    Keys inside ``{…}`` have no line of their own; the one of the table they stand in counts.

    Raises:
        RecipeError: not TOML, a key twice.
    """
    try:
        value = _toml.loads(text)
    except _toml.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        reason = str(error)[: found.start()] if found else str(error)
        raise RecipeError(
            f"{source}, line {line}: not valid TOML",
            given=reason,
            expected='`key = value` lines under [section] headers; texts in "quotes"',
        ) from error
    except RecursionError as error:
        raise RecipeError(f"{source}: the values are nested too deeply") from error
    return value, _lines(text)


def _lines(text: str) -> Lines:
    lines: dict[tuple[str | int, ...], int] = {(): 1}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _TABLE.match(line):
            table = _path(header[1])
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            path = (*table, *_path(assignment[1]))
            for depth in range(len(table) + 1, min(len(path), _DEEPEST) + 1):
                lines.setdefault(path[:depth], number)
    return lines


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, dotted))
