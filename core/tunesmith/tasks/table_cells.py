# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Cells of a table: numbers, texts, and the many ways to write that there is nothing."""

from __future__ import annotations

import re
from typing import Any

from tunesmith.data.rows import RowError, half_character
from tunesmith.tasks.cells import scalar_text

__all__ = ["LARGEST", "MISSING", "Cell", "cell_number", "cell_text", "table_cell"]

Cell = str | float | None
"""Text without white space around it, a finite number, or None for what is missing."""

MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "?"})
"""Texts that stand for a missing cell, in any case: what table programs and public data sets write."""
LARGEST = 1e100
"""Greater numbers are refused: their squares are beyond a float64, and no measurement is so large."""

# Stricter than float(): no "1_000", no "infinity", no digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


def table_cell(name: str, value: Any) -> Cell:
    """What a row holds in a column.

    Args:
        name: of the column, for messages.
        value: text, a number, a boolean (``true`` and ``false``), NaN or None.

    Raises:
        RowError: infinite, too large, or neither number nor text.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING:
            return None
        half = half_character(text)
        if half is not None:
            raise RowError(f"{name} holds half of a character: a {half} without its other half")
        return text
    if isinstance(value, bool):
        return scalar_text(value)
    if isinstance(value, (int, float)):
        if value != value:
            return None
        if abs(value) > LARGEST:  # a whole number of Python's may be larger than any float
            shown = f"{value:g}" if isinstance(value, float) else "too large"
            raise RowError(f"{name} is {shown}; a finite number of at most {LARGEST:g} was expected")
        return float(value)
    raise RowError(f"{name} is of type {type(value).__name__}; a number or text was expected")


def cell_number(cell: Cell) -> float | None:
    """The number in a cell, or None where it holds none: ``" 3.5 "`` and ``.28`` are numbers, ``1,000`` is none."""
    if not isinstance(cell, str):
        return cell
    if _NUMBER.match(cell) is None:
        return None
    number = float(cell)
    return number if abs(number) <= LARGEST else None


def cell_text(cell: Cell) -> str | None:
    """The category in a cell: text as it stands, a number as its usual text (``3.0`` is ``"3"``)."""
    return scalar_text(cell) if isinstance(cell, float) else cell
