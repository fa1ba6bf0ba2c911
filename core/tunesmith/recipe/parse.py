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

MOST_VALUES = 100_000
DEEPEST = 50
SHOWN = 20
"""Problems that are told; of the others there is the number."""


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
    data, known = _Copy(source).of(mapping), dict(places)
    for override in parse_overrides(overrides):
        changed = put(data, override)
        known = {path: place for path, place in known.items() if path[: len(changed)] != changed}
        known[changed] = f"--set {override.text}"
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise _refused(explain(error, known), source) from error


class _Copy:
    """Fresh containers all the way down: an override must change neither the caller's data nor a YAML alias.

    Ten lines of aliases that repeat each other stand for more values than any memory holds; so they are counted.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._values = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        self._values += 1
        if depth > DEEPEST:
            raise RecipeError(f"{self._source}: the values are nested too deeply", expected=f"at most {DEEPEST} levels")
        if self._values > MOST_VALUES:
            raise RecipeError(
                f"{self._source} holds too many values for a recipe",
                given=f"more than {MOST_VALUES:,}, values that an alias repeats included",
                expected="a page of settings",
                fix="rows belong into a file of their own: data.train",
            )
        if isinstance(value, Mapping):
            return {key: self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        return value


def _refused(problems: Sequence[str], source: str) -> RecipeError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    more = [f"    … and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return RecipeError(
        "\n".join([f"{source}: {count}", *(f"    {problem}" for problem in problems[:SHOWN]), *more]),
        fix="`tunesmith recipe new TASK` prints every key with its meaning",
    )
