# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``--set train.epochs=3``: single values put over a recipe.

The value is read as YAML: ``3`` is a number, ``[a.csv, b.csv]`` a list, ``'3'`` a text, nothing at all is
``null`` ("chosen for you"). A value that starts with neither a quote nor a bracket needs no quoting,
whatever it holds: ``data.train=*.csv`` and ``data.label_separator=|`` mean what they say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tunesmith.errors import RecipeError
from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.words import section_of, shown
from tunesmith.recipe.yaml_text import read_flow, read_plain

__all__ = ["Override", "parse_overrides", "put"]

_SHOWN = 120  # characters of an override in an error
_SHORT_FORMS = frozenset(
    name for name, field in Recipe.model_fields.items() if (kind := section_of(field)) and "name" in kind.model_fields
)
"""Sections that may be written as a bare name: ``model: NAME``."""


@dataclass(frozen=True, slots=True)
class Override:
    """One value to put over a recipe.

    Attributes:
        text: as the user wrote it, cut to one line.
        path: the keys that lead to the value.
        value: what it becomes.
    """

    text: str
    path: tuple[str, ...]
    value: Any


def parse_overrides(texts: Iterable[str]) -> list[Override]:
    """Texts such as ``"train.epochs=3"`` as paths and values.

    Raises:
        RecipeError: a text without ``=``, an empty key, a value that is not YAML.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Override:
    key, equals, value = text.partition("=")
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise RecipeError(
            f"--set {text}: " + ("an empty key" if equals else "no = sign"),
            given=text,
            expected="KEY=VALUE, e.g. train.epochs=3",
            fix="put the whole in quotes where the shell would split it",
        )
    return Override(text, path, _value(value.strip(), text))


def _value(value: str, text: str) -> Any:
    if not value.startswith(("'", '"', "[", "{")):
        return read_plain(value)
    try:
        return read_flow(value, f"--set {text}")
    except RecipeError as error:
        raise RecipeError(
            f"--set {text}: the value cannot be read",
            given=error.given or error.what,
            expected="a YAML value, e.g. 3, 'text', [a.csv, b.csv] or {text: body}",
            fix="put texts with special characters in quotes inside the brackets",
        ) from error


def put(data: dict[str, Any], override: Override) -> tuple[str, ...]:
    """Set one value in ``data``, in place; sections on the way are made where they are missing.

    A whole section replaces what stood there: ``method=full`` forgets the rank of a ``lora`` section.

    Returns:
        The path of the topmost key that was made or changed, for telling people where a value came from.

    Raises:
        RecipeError: the path leads into a single value.
    """
    section, made = data, None
    for depth, key in enumerate(override.path[:-1], start=1):
        inner = section.get(key)
        if depth == 1 and key in _SHORT_FORMS and isinstance(inner, str):
            inner = {"name": inner}
        if inner is None:
            inner, made = {}, made or override.path[:depth]
        if not isinstance(inner, dict):
            name = ".".join(override.path[:depth])
            raise RecipeError(
                f"--set {override.text}: {name} is a single value and has no keys",
                given=f"{name}: {shown(inner)}",
                expected=f"--set {name}=VALUE",
            )
        section[key] = inner
        section = inner
    section[override.path[-1]] = override.value
    return made or override.path
