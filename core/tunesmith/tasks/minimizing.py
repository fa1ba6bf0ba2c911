# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The part of a task that knows what is minimized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from tunesmith.errors import ModelError, TunesmithError
from tunesmith.recipe.schema import ObjectiveSection

if TYPE_CHECKING:
    from tunesmith.registry import Registry
    from tunesmith.tasks.objectives import ChosenObjective

__all__ = ["Minimizing"]


class Minimizing:
    """A choice of objectives, one of which is in use."""

    terms: ClassVar[Mapping[str, str]] = {}
    """What an objective may read of a batch: name to shape and meaning."""
    default_objective: ClassVar[str | None] = None
    """Full name of what is minimized where the recipe names nothing. None: a loss of the task's own, and no choice."""

    def __init__(self) -> None:
        self.objective = ObjectiveSection()
        """As chosen, with every value."""
        self._chosen: ChosenObjective | None = None
        self._lost: TunesmithError | None = None

    def choose_objective(self, section: ObjectiveSection, registry: Registry | None = None) -> ObjectiveSection:
        """Take the recipe's objective; called once, before any row is parsed.

        Args:
            registry: where it is looked up; the process's own by default.

        Returns:
            The objective with every value that was left open.

        Raises:
            RecipeError: this task has no such objective, or no choice at all; or keys that are not the objective's.
            PluginError: a plugin's objective cannot be used.
        """
        from tunesmith.registry import get_registry
        from tunesmith.tasks.objective_choice import choose_objective

        self._chosen = choose_objective(section, self, registry or get_registry())
        self.objective = ObjectiveSection() if self._chosen is None else self._chosen.section
        return self.objective

    @property
    def chosen(self) -> ChosenObjective:
        """The objective in use, which gives the losses; the default until one was chosen.

        Raises:
            ModelError: it is a saved model's, and its plugin is not here.
        """
        if self._lost is not None:
            raise ModelError(
                f"the objective {self.objective.name!r}, which this model was trained with, is not here",
                given=self._lost.what,
                expected="the plugin that brings it; the model answers without, but has no loss",
                fix=self._lost.fix or None,
            ) from self._lost
        if self._chosen is None:
            self.choose_objective(ObjectiveSection())
        if self._chosen is None:
            raise TypeError(f"{type(self).__name__} names no default_objective")
        return self._chosen

    def objective_reads(self, term: str) -> bool:
        """Whether the objective in use reads a term; True of one that is not here, so that nothing saved is lost."""
        return self._lost is not None or self.chosen.reads(term)

    def objective_state(self) -> dict[str, Any]:
        """For ``state``: the objective under ``objective``, unless it is the default with its own values."""
        if self._lost is None:
            default = self.default_objective or ""
            plain = self._chosen is None or self._chosen.objective == type(self._chosen.objective)()
            if plain and self.objective.name in (None, default, default.removeprefix("tunesmith/")):
                return {}
        return {"objective": self.objective.model_dump(mode="json")}

    def restore_objective(self, saved: object) -> None:
        """Take what was saved of the objective, a mapping as the recipe's; anything else stands for the default.

        One that cannot be had, since its plugin is not here, is missed only when a loss is asked for.
        """
        if not isinstance(saved, Mapping):
            return
        try:
            self.objective = ObjectiveSection.model_validate(dict(saved))
            self.choose_objective(self.objective)
        except ValidationError as error:
            self._lost = ModelError("rendering.json: 'objective' cannot be used", given=error.errors()[0]["msg"])
        except TunesmithError as error:
            self._lost = error
