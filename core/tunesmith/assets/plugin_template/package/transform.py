# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A change of rows before a task reads them: texts from web pages and e-mail have white space of all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PrivateAttr

from tunesmith.data import RowError, RowTransform

__all__ = ["Squeeze"]


class Squeeze(RowTransform):
    """One space in the place of any white space."""

    column: str = "text"
    """Which of the task's columns. Every field is a key beside `name` in the recipe, and needs a default."""

    _rows: int = PrivateAttr(default=0)
    _changed: int = PrivateAttr(default=0)

    def change(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        text = values.get(self.column)
        if not isinstance(text, str):
            # Told with the other bad rows, by file and line; a row that is left alone in silence is a riddle later.
            raise RowError(f"{self.column} is {'missing' if text is None else 'no text'}")
        squeezed = " ".join(text.split())
        self._rows += 1
        self._changed += squeezed != text
        return {**values, self.column: squeezed}  # a new mapping: what is given stays as it is

    def counted(self) -> list[str]:
        return [f"white space of {self._changed:,} of {self._rows:,} rows squeezed"] if self._changed else []
