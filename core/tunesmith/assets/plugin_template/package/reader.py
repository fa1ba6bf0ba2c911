# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Cards: a row is some lines of `name: value`, and a blank line ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tunesmith.data.readers.opened import text_lines
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row

__all__ = ["read"]


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """One row a card.

    A reader never raises for one bad row: it gives a `Problem` in its place, and all of them are told together. What
    concerns the whole file (it is not there, it is not text) is a `DataError`, which `text_lines` raises for us.
    """
    for origin, card in _cards(path, options.encoding):
        yield _row(origin, card)


def _cards(path: Path, encoding: str) -> Iterator[tuple[Origin, list[str]]]:
    """The lines of each card, and where its first line stands: people look a message up by that number."""
    card: list[str] = []
    start = 1
    for number, line in enumerate(text_lines(path, encoding), start=1):
        if line.strip():
            start = start if card else number
            card.append(line)
        elif card:
            yield Origin(str(path), start), card
            card = []
    if card:
        yield Origin(str(path), start), card


def _row(origin: Origin, card: list[str]) -> Row | Problem:
    values: dict[str, str] = {}
    for line in card:
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not name:
            return Problem(origin, f"{line.strip()!r} is not `name: value`")
        if name in values:  # the second would take the place of the first in silence
            return Problem(origin, f"{name!r} is there twice")
        values[name] = value.strip()
    return Row(values, origin)
