# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From plain data to a recipe: overrides put over it, checked against the schema as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tunesmith.errors import RecipeError
from tunesmith.recipe.overrides import parse_overrides, put
from tunesmith.recipe.problems import Place, explain
from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.words import shown
from tunesmith.recipe.yaml_text import Lines

__all__ = ["parse_placed", "parse_recipe"]


def parse_recipe(
    mapping: Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    source: str = "recipe",
    lines: Lines | None = None,
) -> Recipe:
    """Check plain data, as it comes out of a YAML, TOML or JSON file, and make a recipe of it.

    Args:
        mapping: the recipe; it is left as it is.
        overrides: texts such as ``"train.epochs=3"``; they win over ``mapping``, later ones over earlier ones.
        source: what to call it in errors.
        lines: where values stand, for errors; the path of keys to a 1-based line.

    Raises:
        RecipeError: everything that is wrong, together.
    """
    places = {path: f"line {line}" for path, line in (lines or {}).items()}
    return parse_placed(mapping, overrides=overrides, source=source, places=places)


def parse_placed(
    mapping: Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    source: str,
    places: Mapping[Place, str],
) -> Recipe:
    """As :func:`parse_recipe`, with a word for where each value came from: ``line 7``, ``--train``."""
    if not isinstance(mapping, Mapping):
        raise RecipeError(
            f"{source} is not a recipe",
            given=shown(mapping),
            expected="keys and values: task, model, data, output …",
            fix="tunesmith recipe new TASK > recipe.yaml",
        )
    data, known = _copied(mapping), dict(places)
    for override in parse_overrides(overrides):
        changed = put(data, override)
        known = {path: place for path, place in known.items() if path[: len(changed)] != changed}
        known[changed] = f"--set {override.text}"
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise _refused(explain(error, known), source) from error


def _copied(value: Any) -> Any:
    """Fresh containers all the way down: an override must change neither the caller's data nor a YAML alias."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _refused(problems: Sequence[str], source: str) -> RecipeError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return RecipeError(
        "\n".join([f"{source}: {count}", *(f"    {problem}" for problem in problems)]),
        fix="`tunesmith recipe new TASK` prints every key with its meaning",
    )
