# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From the name and the keys in a recipe to the objective of a task."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tunesmith.errors import NotFoundError, PluginError, RecipeError
from tunesmith.plugin import ObjectiveSpec
from tunesmith.recipe.chosen import filled, section_class, told
from tunesmith.recipe.schema import ObjectiveSection
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.tasks.objectives import ChosenObjective, Objective

if TYPE_CHECKING:
    from tunesmith._plugins import Provided
    from tunesmith.registry import Registry
    from tunesmith.tasks.minimizing import Minimizing

__all__ = ["choose_objective"]


def choose_objective(section: ObjectiveSection, task: Minimizing, registry: Registry) -> ChosenObjective | None:
    """What a recipe asks for, with every value; the task's default where it names none.

    Returns:
        ``None``: the task has one loss only, and nothing was asked for.

    Raises:
        RecipeError: no such objective, one of other tasks, or keys and values that it does not take.
        PluginError: a plugin's objective cannot be loaded, or is none.
    """
    default = task.default_objective
    if default is None:
        _refuse(section)
        return None
    usable = _usable(task, registry)
    found = (
        registry.find("objective", default) if section.name is None else _named(section.name, task, usable, registry)
    )
    kind = _checked_class(found, task, registry)
    keys = section.keys()
    try:
        objective = filled(kind, keys)
    except ValidationError as error:
        raise _wrong_keys(error, found, kind, usable, registry) from error
    resolved = {"name": section.name or written(found), **objective.model_dump(mode="json")}
    return ChosenObjective(ObjectiveSection.model_validate(resolved), found.plugin, objective)


def written(one: Provided) -> str:
    """Its name as a recipe holds it: short for built-ins, full for others."""
    return one.spec.name if one.plugin == "tunesmith" else one.full_name


# ---- which fit -------------------------------------------------------------------------------------------------------


def _usable(task: Minimizing, registry: Registry) -> list[Provided]:
    """Objectives for this task or for a task that it is a kind of; its default in any case."""
    classes = {f"{kind.__module__}:{kind.__qualname__}" for kind in type(task).__mro__}
    tasks = [one for one in registry.all("task") if one.spec.target in classes]
    names = {name for one in tasks for name in (one.full_name, one.spec.name)}
    return [
        one
        for one in registry.all("objective")
        if names.intersection(_tasks(one)) or one.full_name == task.default_objective
    ]


def _tasks(one: Provided) -> tuple[str, ...]:
    return one.spec.tasks if isinstance(one.spec, ObjectiveSpec) else ()


def _refuse(section: ObjectiveSection) -> None:
    given = {key: value for key, value in section.model_dump().items() if value is not None}
    if given:
        raise RecipeError(
            "the task has no such objective",
            given=", ".join(f"objective.{key}: {value}" for key, value in given.items()),
            expected="no objective: this task has one loss only",
            fix="leave `objective` out",
        )


def _named(name: str, task: Minimizing, usable: Sequence[Provided], registry: Registry) -> Provided:
    names = [written(one) for one in usable]
    try:
        found = registry.find("objective", name)
    except NotFoundError as error:
        near = difflib.get_close_matches(name, [*names, *(one.spec.name for one in usable)], n=1)
        fix = [f"did you mean {near[0]!r}?"] if near else []
        fix += [line for line in error.fix if not line.startswith("did you mean")]
        what = error.what if error.what.startswith("more than one") else f"there is no objective {name!r}"
        raise RecipeError(what, given=f"objective.name: {name}", expected=" or ".join(names), fix=fix) from error
    if found not in usable:
        raise RecipeError(
            f"the objective {name!r} is for {_either(_tasks(found))}, not for this task",
            given=f"objective.name: {name}",
            expected=" or ".join(names),
            fix=f"--set objective={names[0]}, or leave `objective` out",
        )
    return found


def _checked_class(found: Provided, task: Minimizing, registry: Registry) -> type[Objective]:
    """The class behind a name, if the task can give it what it needs."""
    kind = section_class("objective", found.full_name, Objective, registry)  # type: ignore[type-abstract]
    terms = getattr(kind, "terms", None)
    wrong = None
    if inspect.isabstract(kind):
        wrong, expected = "it has no method losses", "losses(self, terms), which gives one loss a row"
    elif not isinstance(terms, tuple) or not terms or not set(terms) <= set(task.terms):
        wrong, expected = f"terms = {terms!r}", f"a tuple of names of {', '.join(task.terms)}"
    elif kind.couples and not isinstance(task, CoupledTask):
        wrong, expected = "couples = True", "no coupling: the rows of this task are computed part by part"
    if wrong is None:
        return kind
    raise PluginError(
        f"the objective {written(found)!r} of the plugin {found.plugin!r} cannot be used with this task",
        given=f"{found.spec.target}: {wrong}",
        expected=expected,
        fix=f"update or correct the plugin {found.plugin!r}",
    )


# ---- keys ------------------------------------------------------------------------------------------------------------


def _wrong_keys(
    error: ValidationError, found: Provided, kind: type[Objective], usable: Sequence[Provided], registry: Registry
) -> RecipeError:
    lines = told(error, "objective", kind)
    fix = [f"{written(found)} takes {', '.join(kind.model_fields) or 'no keys'}"]
    for place, line in enumerate(lines):
        where, _, rest = line.partition(": ")
        owners = _owners(where.rpartition(".")[2], registry) if rest == "unknown key" else []
        if owners:
            lines[place] += f"; it belongs to {_either([written(one) for one in owners])}"
            here = [one for one in owners if one in usable]
            if here:
                fix.append(f"or name the objective it belongs to: --set objective.name={written(here[0])}")
            else:
                tasks = dict.fromkeys(name for one in owners for name in _tasks(one))
                lines[place] += f", of {_either(list(tasks))}"
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return RecipeError("\n".join([f"objective: {count}", *(f"    {line}" for line in lines)]), fix=fix)


def _owners(key: str, registry: Registry) -> list[Provided]:
    """Objectives that take a key; those that cannot be loaded are none."""
    owners = []
    for one in registry.all("objective"):
        try:
            kind = section_class("objective", one.full_name, Objective, registry)  # type: ignore[type-abstract]
        except PluginError:
            continue
        if key in kind.model_fields:
            owners.append(one)
    return owners


def _either(names: Sequence[str]) -> str:
    *front, last = names
    return f"{', '.join(front)} or {last}" if front else last
