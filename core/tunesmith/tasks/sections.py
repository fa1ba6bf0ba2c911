# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a task shows in a report: plain data, drawn by :mod:`tunesmith.evaluate.report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Matrix", "Section", "Table", "Text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Base: a heading and a sentence under it."""

    title: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix(Section):
    """A confusion matrix: ``counts[true][predicted]``."""

    labels: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Section):
    """Rows of text and numbers; ``images`` may hold one PNG (bytes) per row, drawn ``image_width`` pixels wide."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    images: Sequence[bytes] | None = None
    image_width: int = 56


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Section):
    """Passages as they are, e.g. samples of a language model; each is (caption, text)."""

    passages: Sequence[tuple[str, str]]
