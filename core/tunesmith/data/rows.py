# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What readers yield."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.errors import Origin, Problem

__all__ = ["Column", "Origin", "Problem", "ReadOptions", "Row", "RowError", "half_character"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: column name to value, and where it stands.

    Values are what the format holds: text for CSV (an empty cell is ``""``); JSON types for JSON;
    a ``pathlib.Path`` for images in folders and ``bytes`` for those in Parquet; a ``numpy`` uint8 array
    (H, W) or (H, W, C) for idx images.
    """

    values: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may need to know beside the path (from ``data`` of the recipe).

    Attributes:
        encoding: of text files.
        text_unit: what one document of a plain text is.
        column_names: names of the columns, in order, of files that do not name them; a file that does keeps its own.
        part: which of several tables in the file is meant (``FILE#PART``). Only given where ``ReaderSpec.parts``.
    """

    encoding: str = "utf-8"
    text_unit: Literal["file", "paragraph", "line"] = "file"
    column_names: tuple[str, ...] = ()
    part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a task reads.

    Attributes:
        name: the task's word for it: ``text``, ``label``, ``image``, ``messages``.
        summary: one line for lists and starter recipes.
        target: it holds the answer; predict works without it.
        aliases: names accepted without a mapping when the file has exactly one of them.
        optional: rows are whole without it; the task decides what it then means.
    """

    name: str
    summary: str
    target: bool = False
    aliases: tuple[str, ...] = ()
    optional: bool = False


class RowError(ValueError):
    """Raised by ``Task.parse``: why this row cannot be used. The reader of it adds file and line."""


_HALF = re.compile("[\ud800-\udfff]")


def half_character(text: str) -> str | None:
    """A half of a UTF-16 pair that stands alone, as ``\\ud83d``; ``None`` if there is none.

    JSON can write it, and so can bytes in a command line that are no text; UTF-8 and tokenizers have no such thing.
    """
    match = _HALF.search(text)
    return None if match is None else f"\\u{ord(match.group()):04x}"
