# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a recipe chooses by name, with keys of its own: transforms, objectives, trackers, sections of the report.

Its class is a :class:`Section`, a pydantic model whose fields are those keys. The recipe is read before it is known
which plugin has the name, so the keys are checked when the job is prepared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ConfigDict, Field, ValidationError
from pydantic_core import to_json

from tunesmith.errors import PluginError, RecipeError
from tunesmith.recipe.section import Section
from tunesmith.recipe.words import closest, described, shown

if TYPE_CHECKING:
    from tunesmith.registry import Registry

__all__ = ["ChosenSection", "filled", "make_chosen", "resolve_chosen", "section_class", "told"]

S = TypeVar("S", bound=Section)
C = TypeVar("C", bound="ChosenSection")


class ChosenSection(Section):
    """A name, and the keys of what has the name. ``NAME`` is short for ``{name: NAME}``."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1)
    """Its name."""

    def keys(self) -> dict[str, Any]:
        """The keys beside the name, as they were given."""
        return self.model_dump(exclude={"name"})


def section_class(kind: str, name: str, base: type[S], registry: Registry) -> type[S]:
    """The class behind a name.

    Raises:
        NotFoundError: nothing has the name, or more than one plugin does.
        PluginError: its target cannot be imported, or is no subclass of ``base``.
    """
    found = registry.load(kind, name)
    if isinstance(found, type) and issubclass(found, base):
        return found
    provided = registry.find(kind, name)
    public = f"{base.__module__.rpartition('.')[0]}.{base.__name__}"
    raise PluginError(
        f"the {kind.replace('_', ' ')} {name!r} of the plugin {provided.plugin!r} cannot be used",
        given=provided.spec.target,
        expected=f"a subclass of {public}",
        fix=f"update or correct the plugin {provided.plugin!r}",
    )


def make_chosen(chosen: ChosenSection, kind: str, base: type[S], registry: Registry) -> S:
    """What a section of a resolved recipe names.

    Raises:
        ValidationError: its keys are not those of the class.
    """
    return filled(section_class(kind, chosen.name, base, registry), chosen.keys())


def filled(section: type[S], values: Mapping[str, Any]) -> S:
    """A section of plain data, strictly, but with a list where a field is a tuple and text where it is a path or date.

    That is what JSON and YAML have, and what a resolved recipe holds: so the fields of a plugin's section may be of any
    type that pydantic writes as JSON.

    Raises:
        ValidationError: its keys or values are not those of the section.
    """
    return section.model_validate_json(to_json(values, inf_nan_mode="constants"))


def resolve_chosen(asked: Sequence[C], key: str, kind: str, base: type[Section], registry: Registry) -> list[C]:
    """The same with every value written out.

    Args:
        key: where they stand in the recipe, e.g. ``data.augment``.

    Raises:
        RecipeError: keys or values that it does not take, of all of them together.
        NotFoundError, PluginError: as :func:`section_class`.
    """
    problems: list[str] = []
    known: dict[str, str] = {}
    resolved = []
    for place, section in enumerate(asked):
        try:
            values = make_chosen(section, kind, base, registry).model_dump(mode="json")
        except ValidationError as error:
            found = section_class(kind, section.name, base, registry)
            problems += told(error, f"{key}[{place}]", found)
            known[section.name] = ", ".join(found.model_fields) or "no keys"
        else:
            resolved.append(type(section).model_validate({"name": section.name, **values}))
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RecipeError(
            "\n".join([f"{key}: {count}", *(f"    {problem}" for problem in problems)]),
            fix=[f"{name} takes {keys}" for name, keys in known.items()],
        )
    return resolved


def told(error: ValidationError, key: str, kind: type[Section]) -> list[str]:
    """One line for each problem of a section's own keys; ``key`` is where the section stands."""
    lines = []
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"]]
        where = ".".join([key, *path])
        field = kind.model_fields.get(path[0]) if path else None
        if detail["type"] == "extra_forbidden":
            near = closest(path[-1], kind.model_fields)
            lines.append(f"{where}: unknown key" + (f"; did you mean {near!r}?" if near else ""))
        elif detail["type"] in ("value_error", "missing") or field is None:
            lines.append(f"{where}: {detail['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"{where}: expected {described(field)}, given {shown(detail['input'])}")
    return lines
