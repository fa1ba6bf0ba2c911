# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a search may change: keys of the recipe, each with a range or a list of values.

======================  ==================================================================
``log:1e-5..1e-3``      a number, drawn evenly on a logarithmic scale
``0..0.3``, ``1..4``    a number; a whole one where the recipe's key holds whole numbers
``8,16,32``             one of these values, each written as in a recipe (``[q_proj,v_proj]``)
======================  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe
from tunesmith.recipe.dump import inline
from tunesmith.recipe.overrides import Override, put
from tunesmith.recipe.parse import parse_placed
from tunesmith.recipe.words import described, field_at, shown
from tunesmith.recipe.yaml_text import read_flow

__all__ = ["Dimension", "parse_space", "with_values"]

_NUMBER = r"([-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)"
_RANGE = re.compile(rf"(log:)?\s*{_NUMBER}\s*\.\.\s*{_NUMBER}\Z")
_DIGITS = 4
"""Significant digits of a number that was drawn: what the table shows is exactly what was trained."""
_DECIDING = ("output", "task", "evaluate", "data.validation", "data.test", "data.split")
"""Keys that decide what is measured, or where it goes: figures of two trials could not be compared."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One key of the recipe and the values it may take.

    Attributes:
        key: dotted, ``train.learning_rate``.
        text: the range or list as it was written.
        choices: the values, or None for a range.
        low: the smallest value of a range, included.
        high: the largest, included.
        log: drawn evenly on a logarithmic scale.
        whole: whole numbers only.
    """

    key: str
    text: str
    choices: tuple[Any, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Each choice as a recipe writes it: for tables, and for a study that stores texts only."""
        return tuple(inline(choice) for choice in self.choices or ())

    def value(self, drawn: Any) -> Any:
        """What was drawn (a number, or a label of a choice) as a value of the recipe."""
        if self.choices is not None:
            return self.choices[self.labels.index(drawn)]
        if self.whole:
            return int(drawn)
        return min(max(float(f"{drawn:.{_DIGITS}g}"), self.low), self.high)

    @property
    def corners(self) -> tuple[Any, ...]:
        """The values at which a recipe would first break: every choice, both ends of a range."""
        if self.choices is not None:
            return self.choices
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


def parse_space(recipe: Recipe, over: Mapping[str, str | Sequence[Any]]) -> tuple[Dimension, ...]:
    """The dimensions of a search, checked against the recipe: no trial can fail for a value it was given.

    Every value is put into the recipe beside every value of every other key, so that also two that exclude each
    other (``method=full`` with ``method.rank=8``) are found here.

    Args:
        recipe: the job that is varied.
        over: key to a range or list as above, or to a list of values.

    Raises:
        RecipeError: an unknown key, a value the recipe refuses, a range that is none; names the key.
    """
    if not over:
        raise RecipeError(
            "a search needs something to change",
            given="no key",
            expected="at least one key with a range or values",
            fix="--over train.learning_rate=log:1e-5..1e-3",
        )
    dimensions = tuple(_dimension(recipe, key.strip(), spec) for key, spec in over.items())
    _check(recipe, dimensions)
    return dimensions


def with_values(recipe: Recipe, values: Mapping[str, Any], *, places: Mapping[str, str] | None = None) -> Recipe:
    """The recipe with some values replaced, by dotted key; checked as a whole.

    Args:
        places: key to where its value came from, for errors. Default: the key and value themselves.

    Raises:
        RecipeError: the values do not go together.
    """
    data = recipe.model_dump(exclude_unset=True)
    told: dict[tuple[str | int, ...], str] = {}
    for key, value in values.items():
        path = tuple(key.split("."))
        put(data, Override(f"{key}={inline(value)}", path, value))
        told[path] = (places or {}).get(key, f"{key}={inline(value)}")
    changed = ", ".join(f"{key}={inline(value)}" for key, value in values.items() if value is not None)
    return parse_placed(data, source=f"the recipe with {changed}" if changed else "the recipe", places=told)


def _dimension(recipe: Recipe, key: str, spec: str | Sequence[Any]) -> Dimension:
    field = field_at(Recipe, key.split("."))
    where = f"--over {key}={spec if isinstance(spec, str) else inline(list(spec))}"
    if field is None:
        with_values(recipe, {key: None}, places={key: where})  # says what the key may have meant
        raise RecipeError(f"{where}: not a key of a recipe")
    deciding = next((name for name in _DECIDING if key == name or key.startswith(f"{name}.")), None)
    if deciding is not None:
        raise RecipeError(
            f"{where}: a search cannot change {key}",
            given=key,
            expected="a key that leaves alone what is measured, and where it goes",
            fix=f"give {key} one value for all trials: --set {key}=VALUE",
        )
    if not isinstance(spec, str):
        return _of_choices(key, where, list(spec))
    found = _RANGE.match(spec.strip())
    if found:
        return _of_range(key, where, spec, found, described(field))
    if spec.strip().startswith("log:"):
        raise RecipeError(f"{where}: not a range", given=spec, expected="log:LOW..HIGH, e.g. log:1e-5..1e-3")
    try:
        values = read_flow(f"[{spec}]", where)
    except RecipeError as error:
        raise RecipeError(
            f"{where}: the values cannot be read",
            given=error.given or error.what,
            expected="LOW..HIGH, log:LOW..HIGH, or values with commas, e.g. 8,16,32 or [q_proj],[q_proj,v_proj]",
        ) from error
    return _of_choices(key, where, values)


def _of_range(key: str, where: str, spec: str, found: re.Match[str], kind: str) -> Dimension:
    log, low, high = bool(found[1]), float(found[2]), float(found[3])
    whole = kind.startswith("a whole number")
    if not whole and not kind.startswith("a number"):
        raise RecipeError(f"{where}: a range fits numbers only", given=spec, expected=f"values of {key}: {kind}")
    if whole and not (low.is_integer() and high.is_integer()):
        raise RecipeError(f"{where}: {key} is a whole number", given=spec, expected="whole ends, e.g. 1..8")
    if not low < high:
        raise RecipeError(f"{where}: the range is empty", given=spec, expected="LOW..HIGH with LOW below HIGH")
    if log and low <= 0:
        raise RecipeError(
            f"{where}: a logarithmic scale has no {found[2]}",
            given=spec,
            expected="LOW above 0",
            fix=f"start above 0, or leave the scale out: {key}={found[2]}..{found[3]}",
        )
    return Dimension(key, spec, low=low, high=high, log=log, whole=whole)


def _of_choices(key: str, where: str, values: list[Any]) -> Dimension:
    labels = [inline(value) for value in values]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if len(values) < 2 or twice:
        raise RecipeError(
            f"{where}: " + (f"{', '.join(twice)} stands twice" if twice else "nothing to choose between"),
            given=shown(values),
            expected="two or more different values with commas between them, or LOW..HIGH",
            fix=None if twice else f"a value for all trials is given with --set {key}=VALUE",
        )
    return Dimension(key, ",".join(labels), choices=tuple(values))


def _check(recipe: Recipe, dimensions: Sequence[Dimension]) -> None:
    places = {dimension.key: f"--over {dimension.key}={dimension.text}" for dimension in dimensions}
    _check_nesting(places)
    first = {dimension.key: dimension.corners[0] for dimension in dimensions}
    pairs = list(combinations(dimensions, 2)) or [(dimensions[0], dimensions[0])]
    for one, other in pairs:
        for value, another in product(one.corners, other.corners):
            with_values(recipe, first | {one.key: value, other.key: another}, places=places)


def _check_nesting(places: Mapping[str, str]) -> None:
    """``method`` and ``method.rank``: whichever comes first would undo the other."""
    for outer, inner in product(places, places):
        if inner.startswith(f"{outer}."):
            raise RecipeError(
                f"{places[outer]} and {places[inner]} exclude each other",
                given=f"{outer}, and {inner} inside it",
                expected="keys that do not lie in one another",
                fix=f"write the whole section as values of {outer}, e.g. {{name: lora, rank: 8}}"
                if outer == "method"
                else f"leave {inner} out",
            )
