# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plugin's own settings in a recipe: ``plugins: {privacy: {epsilon: 8}}``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from tunesmith.errors import NotFoundError, RecipeError
from tunesmith.recipe.chosen import filled, section_class, told
from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.section import Section

if TYPE_CHECKING:
    from tunesmith.registry import Registry

__all__ = ["plugin_settings", "resolve_plugins"]

S = TypeVar("S", bound=Section)


def plugin_settings(recipe: Recipe, plugin: str, section: type[S]) -> S:
    """What a recipe says to a plugin; the section's defaults where it says nothing.

    Args:
        plugin: its name.
        section: the class that its ``RecipeSectionSpec`` names.

    Raises:
        RecipeError: keys or values that the section does not take.
    """
    try:
        return filled(section, recipe.plugins.get(plugin, {}))
    except ValidationError as error:
        raise _refused(told(error, f"plugins.{plugin}", section), {plugin: section}) from error


def resolve_plugins(recipe: Recipe, registry: Registry) -> Recipe:
    """``plugins`` with every value of every section written out.

    Raises:
        RecipeError: a plugin that is not there or takes no settings; keys or values that it does not take.
        PluginError: its section cannot be loaded, or is none.
    """
    if not recipe.plugins:
        return recipe
    problems: list[str] = []
    known: dict[str, type[Section]] = {}
    resolved: dict[str, dict[str, Any]] = {}
    for plugin, values in recipe.plugins.items():
        section = _section(plugin, registry)
        try:
            resolved[plugin] = filled(section, values).model_dump(mode="json")
        except ValidationError as error:
            problems += told(error, f"plugins.{plugin}", section)
            known[plugin] = section
    if problems:
        raise _refused(problems, known)
    return recipe.model_copy(update={"plugins": resolved})


def _section(plugin: str, registry: Registry) -> type[Section]:
    try:
        return section_class("recipe_section", f"{plugin}/{plugin}", Section, registry)
    except NotFoundError as error:
        names = [one.plugin for one in registry.all("recipe_section")]
        near = difflib.get_close_matches(plugin, names, n=1)
        fix = [f"did you mean 'plugins.{near[0]}'?"] if near else []
        fix += [line for line in error.fix if line.startswith("the plugin")]
        raise RecipeError(
            f"there is no plugin {plugin!r} that takes settings",
            given=f"plugins.{plugin}",
            expected=f"one of {', '.join(names)}" if names else "no settings: no plugin here takes any",
            fix=[*fix, "see `tunesmith plugins list`"],
        ) from error


def _refused(problems: list[str], known: dict[str, type[Section]]) -> RecipeError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return RecipeError(
        "\n".join([f"plugins: {count}", *(f"    {problem}" for problem in problems)]),
        fix=[f"plugins.{name} takes {', '.join(kind.model_fields) or 'no keys'}" for name, kind in known.items()],
    )
