# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What pydantic found, told to people: ``line 7: train.epoch: unknown key; did you mean 'epochs'?``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.words import closest, described, field_at, item_section, section_of, shown
from tunesmith.recipe.yaml_text import read_plain

__all__ = ["Place", "explain"]

Place = tuple[str | int, ...]
"""The keys, and indices of lists, that lead to a value."""

_ELSEWHERE = {
    "adapter": "method",
    "base_model": "model",
    "batch_size": "train.rows_per_batch or train.tokens_per_batch",
    "dataset": "data.train",
    "dtype": "train.precision",
    "early_stopping": "evaluate.patience",
    "eval_steps": "evaluate.every",
    "gradient_accumulation": "train.accumulate",
    "gradient_accumulation_steps": "train.accumulate",
    "lora_alpha": "method.alpha",
    "lora_dropout": "method.dropout",
    "lora_rank": "method.rank",
    "lr": "train.learning_rate",
    "lr_scheduler_type": "train.schedule",
    "max_seq_length": "data.max_length",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "output_dir": "output",
    "r": "method.rank",
    "save_steps": "train.save_every",
    "target_modules": "method.targets",
}
"""What other tools call our keys; too far away for a comparison of letters."""


def explain(error: ValidationError, places: Mapping[Place, str]) -> list[str]:
    """One line per problem, in the order of the file.

    Args:
        places: where values came from (``line 7``, ``--set train.epochs=3``), by path; a value without an
            entry is where the nearest section above it is.
    """
    found = [(_place(detail["loc"], places), _told(detail)) for detail in error.errors(include_url=False)]
    found.sort(key=lambda item: _order(item[0]))
    return list(dict.fromkeys(f"{place}: {text}" if place else text for place, text in found))


def _place(path: Place, places: Mapping[Place, str]) -> str:
    for depth in range(len(path), 0, -1):
        if path[:depth] in places:
            return places[path[:depth]]
    return ""


def _order(place: str) -> int:
    number = place.removeprefix("line ")
    return int(number) if number.isdecimal() else sys.maxsize


def _told(detail: ErrorDetails) -> str:
    path, kind, given = detail["loc"], detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return f"{_dotted(path)}: unknown key{_meant(path)}"
    if kind == "value_error":
        return f"{_dotted(path)}: {detail['ctx']['error']}"
    field = field_at(Recipe, path)
    if field is None:  # a key that is no text, from Python
        return f"{_dotted(path)}: {detail['msg']}"
    if kind == "missing" and isinstance(path[-1], int):
        path = path[:-1]  # a pair with one number: what is wrong is the pair
    elif kind == "missing":
        return f"{_dotted(path)}: missing. {field.description}"
    if kind == "string_too_short":
        return f"{_dotted(path)}: expected text, given an empty text"
    if kind == "too_short" and not given:
        return f"{_dotted(path)}: expected at least one, given an empty list"
    inner = _inner(path) if section_of(field) is None and path and _inside(path) else described(field)
    return f"{_dotted(path)}: expected {inner}, given {shown(given)}{_hint(given, inner, field.annotation)}"


def _inside(path: Place) -> bool:
    """The path ends at an item of a list or dict of texts."""
    above = field_at(Recipe, path[:-1])
    return above is not None and above is field_at(Recipe, path) and not isinstance(above.default, tuple)


def _inner(path: Place) -> str:
    above = field_at(Recipe, path[:-1])
    section = None if above is None else item_section(above)
    return "text" if section is None else f"a name, or a section of {', '.join(section.model_fields)} and more"


def _hint(given: Any, expected: str, annotation: Any) -> str:
    if isinstance(given, str):
        options = [option for option in get_args(annotation) if isinstance(option, str)]
        near = closest(given, options)
        if near:
            return f"; did you mean {near!r}?"
        if expected.startswith(("a number", "a whole number")) and isinstance(read_plain(given), (int, float)):
            return "; remove the quotes"
    if expected == "text" and isinstance(given, (bool, int, float)):
        return "; put it in quotes"
    return ""


def _dotted(path: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "recipe"


def _meant(path: Place) -> str:
    """Where the key should have gone, when a guess can be made."""
    word = str(path[-1])
    near = closest(word, _keys_beside(path))
    if near:
        return f"; did you mean {near!r}?"
    if word.lower() in _ELSEWHERE:
        return f"; here it is called {_ELSEWHERE[word.lower()]}"
    homes = [home for home, key in _all_keys(Recipe) if key == word]
    if homes:
        return "; it belongs " + " or ".join(f"under {home}:" if home else "to the top" for home in homes)
    near = closest(word, [key for _, key in _all_keys(Recipe)])
    if near:
        home = next(home for home, key in _all_keys(Recipe) if key == near)
        return f"; did you mean '{home}.{near}'?" if home else f"; did you mean {near!r}, at the top?"
    return f"; known here: {', '.join(_keys_beside(path))}"


def _keys_beside(path: Place) -> list[str]:
    above = field_at(Recipe, path[:-1]) if len(path) > 1 else None
    section = Recipe if above is None else section_of(above)
    return list((section or Recipe).model_fields)


def _all_keys(model: type[BaseModel], home: str = "") -> Iterator[tuple[str, str]]:
    """Every key with the dotted section it stands in; the top's is empty."""
    for key, field in model.model_fields.items():
        yield home, key
        section = section_of(field)
        if section is not None:
            yield from _all_keys(section, f"{home}.{key}".removeprefix("."))
