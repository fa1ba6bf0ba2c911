# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``data.transform: [mask-pii]``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from tunesmith.data import RowTransform
from tunesmith.data.rows import RowError, half_character
from tunesmith_privacy.detector import Detection
from tunesmith_privacy.masking import Masker, check_template, texts_of

__all__ = ["ANSWERS", "MaskPii"]

ANSWERS = frozenset({"label", "tags", "entities"})
"""Columns of names of classes. Masked, they would be other classes; they are where ``columns`` names them."""


class MaskPii(Detection, RowTransform):
    """Personal data in every text of a row, replaced. What is found, and what is not, is in docs/how-to/privacy.md.

    Numbers, paths and bytes stay as they are, and so do names of classes.
    """

    replace: str = "<{entity}>"
    """What stands in its place; `{entity}` in it is what was found."""
    pseudonym: bool = False
    """Number the values, so that the same one is the same token in all rows of a job: `<EMAIL_ADDRESS_1>`."""
    columns: list[Annotated[str, Field(min_length=1)]] | None = Field(default=None, min_length=1)
    """Which columns to mask, by the task's words for them. Default: all but `label`, `tags` and `entities`."""

    _rows: int = PrivateAttr(0)
    _changed: int = PrivateAttr(0)
    _seen: set[str] = PrivateAttr(default_factory=set)

    @model_validator(mode="after")
    def _replaces(self) -> MaskPii:
        check_template(self.replace, pseudonym=self.pseudonym)
        return self

    @cached_property
    def _masker(self) -> Masker:
        return Masker(self.detector(), replace=self.replace, pseudonym=self.pseudonym, remember=True)

    def change(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        self._rows += 1
        self._seen.update(values)
        before = self._masker.counts.total()
        masked = {
            column: self._column(column, value) if self._wanted(column) else value for column, value in values.items()
        }
        if self._masker.counts.total() == before:
            return values
        self._changed += 1
        _refuse_moved(values, masked)
        return masked

    def counted(self) -> list[str]:
        counts, rows = self._masker.counts, f"{self._rows:,} rows" if self._rows != 1 else "1 row"
        sentences = [f"no value masked in {rows}"]
        if counts:
            total = counts.total()
            kinds = ", ".join(f"{count:,} {entity}" for entity, count in _by_count(counts))
            values = "1 value" if total == 1 else f"{total:,} values"
            sentences = [f"{values} masked in {self._changed:,} of {rows}: {kinds}"]
        absent = [column for column in self.columns or () if column not in self._seen]
        if absent and self._rows:
            sentences.append(f"no row has the column {', '.join(map(repr, absent))}, which was to be masked")
        return sentences

    def _wanted(self, column: str) -> bool:
        return column not in ANSWERS if self.columns is None else column in self.columns

    def _column(self, column: str, value: Any) -> Any:
        for _, text in texts_of(value, column):
            half = half_character(text)
            if half is not None:
                raise RowError(f"{column} holds half of a character: a {half} without its other half")
        return self._masker.value(value)


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _refuse_moved(values: Mapping[str, Any], masked: Mapping[str, Any]) -> None:
    """Places that a row gives as numbers of characters, in a text that is now another.

    Raises:
        RowError: they would point at something else.
    """
    answers = values.get("answers")
    numbered = isinstance(answers, Mapping) and "answer_start" in answers
    for text, places, given in (("text", "entities", "entities" in values), ("context", "answers", numbered)):
        if given and values.get(text) != masked.get(text):
            raise RowError(
                f"{places} says by numbers of characters where something stands in {text}, and masking moved it: "
                f"mask the file before it is marked, or leave {text} out of the transform's columns"
            )
