# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Changes of rows before a task reads them (``data.transform``): every row of every split of a job, always the same.

They prepare what a job learns from and is scored on. Rows that a finished model is asked about are left as they are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.data.rows import Problem, Row, RowError
from tunesmith.errors import PluginError
from tunesmith.recipe.chosen import make_chosen
from tunesmith.recipe.section import Section

if TYPE_CHECKING:
    from tunesmith._plugins import Provided
    from tunesmith.recipe import TransformSection
    from tunesmith.registry import Registry

__all__ = ["RowTransform", "Transforms"]


class RowTransform(Section):
    """One change of rows. A subclass for each; its fields are its keys in a recipe, each with a default.

    What comes out must follow from the fields and from what is given alone. An object is made for each job, so it may
    count (in private attributes) what people must know.
    """

    @abstractmethod
    def change(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values of a row, changed; what is given stays as it is.

        Args:
            values: the task's words to values: ``{"text": …, "label": …}``. A chat has a list of objects.

        Raises:
            RowError: this row cannot be used; it is told with the others, by file and line, and nothing trains.
        """

    def counted(self) -> list[str]:
        """What was counted so far, as sentences without a full stop: "12 of 900 rows changed"."""
        return []


class Transforms:
    """The transforms that a recipe asks for, in order (``data.transform``)."""

    def __init__(self, asked: Sequence[TransformSection], registry: Registry) -> None:
        self._steps = [
            (registry.find("transform", one.name), make_chosen(one, "transform", RowTransform, registry))  # type: ignore[type-abstract]
            for one in asked
        ]

    def apply(self, rows: Iterable[Row], problems: list[Problem]) -> Iterator[Row]:
        """The rows, changed; what cannot be is a problem.

        Raises:
            PluginError: a transform fails, or gives something else than the values of a row.
        """
        for row in rows:
            try:
                yield self._changed(row)
            except RowError as error:
                problems.append(Problem(row.origin, str(error)))

    def notes(self) -> Sequence[str]:
        """What was counted, by the name of each transform."""
        return [f"{provided.spec.name}: {text}" for provided, step in self._steps for text in step.counted()]

    def _changed(self, row: Row) -> Row:
        for provided, step in self._steps:
            try:
                values = step.change(row.values)
            except RowError:
                raise
            except Exception as error:
                raise _failed(provided, row, f"{type(error).__name__}: {error}") from error
            if not isinstance(values, Mapping):
                raise _failed(provided, row, f"it gave {type(values).__name__}")
            row = Row(values, row.origin)
        return row


def _failed(provided: Provided, row: Row, what: str) -> PluginError:
    return PluginError(
        f"the transform {provided.spec.name!r} of the plugin {provided.plugin!r} failed on {row.origin}",
        given=what,
        expected="the values of the row, changed, as a mapping",
        fix=[f"update or correct the plugin {provided.plugin!r}", "or leave the transform out of data.transform"],
    )
