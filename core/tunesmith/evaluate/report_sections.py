# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Sections of a run's report that plugins bring (``evaluate.sections``)."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import RecipeError
from tunesmith.plugin import ReportSectionSpec
from tunesmith.recipe import Recipe
from tunesmith.recipe.chosen import make_chosen, resolve_chosen
from tunesmith.recipe.section import Section
from tunesmith.registry import Registry
from tunesmith.tasks.sections import Matrix, Table, Text
from tunesmith.tasks.sections import Section as Part

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.tasks.base import Encoded, Task

__all__ = ["Finished", "ReportSection", "make_report_sections", "resolve_report_sections"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a section of the report may look at: the saved model, opened anew, and held-out rows.

    Attributes:
        run: the run folder.
        recipe: resolved.
        task: restored from what was saved.
        model: in evaluation mode, on ``recipe.train.device``.
        split: ``test``, else ``validation``; ``train`` where nothing was held out.
        examples: of that split.
        items: the same as numbers; ``item.row`` is an index of ``examples``.
        outputs: of the model for these items, in order; empty where nothing was held out.
    """

    run: Path
    recipe: Recipe
    task: Task[Any, Any]
    model: nn.Module
    split: str
    examples: Sequence[Any]
    items: Sequence[Encoded]
    outputs: Sequence[Any]


class ReportSection(Section):
    """Makes a part of the report. A subclass for each; its fields are its keys in a recipe, each with a default.

    It must leave the model as it is. What it raises is told as a note of the run; the report is then written without.
    """

    @abstractmethod
    def make(self, finished: Finished) -> Sequence[Part]:
        """The parts: :class:`tunesmith.tasks.Table`, ``Matrix`` and ``Text``; none where there is nothing to show."""


def resolve_report_sections(recipe: Recipe, registry: Registry) -> Recipe:
    """``evaluate.sections`` with every value written out.

    Raises:
        NotFoundError, PluginError: no such section, or none that can be used.
        RecipeError: one that says nothing about this task; keys or values that it does not take.
    """
    asked = recipe.evaluate.sections
    if not asked:
        return recipe
    task = registry.find("task", recipe.task)
    for place, one in enumerate(asked):
        spec = registry.find("report_section", one.name).spec
        assert isinstance(spec, ReportSectionSpec)
        if spec.tasks and not {task.full_name, task.spec.name}.intersection(spec.tasks):
            raise RecipeError(
                f"the section {one.name!r} says nothing about task {recipe.task!r}",
                given=f"evaluate.sections[{place}]: {one.name}",
                expected=f"task {' or '.join(spec.tasks)}",
                fix="leave the section out",
            )
    resolved = resolve_chosen(asked, "evaluate.sections", "report_section", ReportSection, registry)
    return recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"sections": resolved})})


def make_report_sections(finished: Finished, registry: Registry) -> tuple[list[Part], list[str]]:
    """The parts that the recipe's sections make, in order; and what went wrong, one sentence each."""
    parts: list[Part] = []
    notes: list[str] = []
    for one in finished.recipe.evaluate.sections:
        name = registry.find("report_section", one.name).full_name
        try:
            made = list(make_chosen(one, "report_section", ReportSection, registry).make(finished))  # type: ignore[type-abstract]
            other = next((part for part in made if not isinstance(part, (Matrix, Table, Text))), None)
            if other is not None:
                raise TypeError(f"it gave {type(other).__name__}, expected Matrix, Table or Text of tunesmith.tasks")
        except (Exception, SystemExit) as error:
            _log.exception("the report's section %s failed", name)
            told = " ".join(f"{type(error).__name__}: {error}".split())
            notes.append(f"the report is without the section {name}, which failed: {told}")
        else:
            parts += made
    return parts, notes
