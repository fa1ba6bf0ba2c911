# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Cells of a row as the text or labels a task needs, or words about why not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tunesmith.data.rows import Row, RowError, half_character

__all__ = ["is_missing", "label_cell", "scalar_text", "text_cell"]


def is_missing(value: Any) -> bool:
    """None, NaN, or text of white space alone."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, float) and math.isnan(value)


def text_cell(row: Row, column: str) -> str:
    """A cell as text, exactly as it stands; numbers become their usual text.

    Raises:
        RowError: missing, empty, or no text.
    """
    value = _present(row, column)
    text = scalar_text(value)
    if text is None:
        raise RowError(f"{column} is {_kind(value)}; text was expected")
    return _whole(column, text)


def label_cell(row: Row, column: str, separator: str | None) -> tuple[tuple[str, ...], bool]:
    """The labels of a row, and whether they were given as several (a list, or text with a separator).

    Text is stripped; numbers become text, whole ones without a fraction (``1.0`` is ``"1"``). An empty list
    means that the row has no label at all.

    Raises:
        RowError: missing, empty, a label twice, or something that is no label.
    """
    value: Any = row.values.get(column)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return _several(column, value), True
    value = _present(row, column)
    if separator is not None and isinstance(value, str):
        return _several(column, value.split(separator)), True
    return (_label(column, value),), separator is not None


def scalar_text(value: Any) -> str | None:
    """Text of a scalar: ``1.0`` and ``1`` are ``"1"``, booleans as JSON writes them; None for anything else."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return None


def _present(row: Row, column: str) -> Any:
    if column not in row.values:
        raise RowError(f"there is no {column}")
    value = row.values[column]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if is_missing(value):
        raise RowError(f"{column} is {'missing' if not isinstance(value, str) else 'empty'}")
    return value


def _several(column: str, values: Sequence[Any]) -> tuple[str, ...]:
    labels = tuple(_label(column, value) for value in values)
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise RowError(f"{column} names {twice!r} twice")
    return labels


def _label(column: str, value: Any) -> str:
    if is_missing(value):
        raise RowError(f"{column} is empty" if isinstance(value, str) else f"{column} is missing")
    text = scalar_text(value)
    if text is None:
        raise RowError(f"{column} is {_kind(value)}; text or a number was expected")
    text = _whole(column, text.strip())
    if text.lower() == "nan":
        # What table programs write for a missing cell; as a class of its own it would be learned without a word.
        raise RowError(f"{column} is {text!r}, which is how a missing value is written; a label was expected")
    return text


def _whole(column: str, text: str) -> str:
    half = half_character(text)
    if half is not None:
        raise RowError(f"{column} holds half of a character: a {half} without its other half")
    return text


def _kind(value: Any) -> str:
    name = type(value).__name__
    return {"dict": "an object", "list": "a list", "tuple": "a list", "bytes": "bytes"}.get(name, f"of type {name}")
