# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every section of a recipe is, and the short forms that values may be given in."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

__all__ = [
    "PathText",
    "Section",
    "Sources",
    "Switch",
    "are_or_is",
    "bare_name",
    "distinct",
    "empty",
    "one_or_many",
    "pair",
]


def one_or_many(value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return [os.fspath(value)]
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [os.fspath(item) if isinstance(item, os.PathLike) else item for item in value]
    return value


def bare_name(value: Any) -> Any:
    return {"name": os.fspath(value)} if isinstance(value, (str, os.PathLike)) else empty(value)


def empty(value: Any) -> Any:
    return {} if value is None else value  # `train:` with nothing, or only comments, below it


def path_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def distinct(names: list[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is there twice; every column needs a name of its own")
    return names


def pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # YAML, TOML and JSON have no tuples


def no_number(value: Any) -> Any:
    if type(value) in (int, float):  # 1 == True in Python
        raise PydanticKnownError("literal_error", {"expected": "auto, true or false"})
    return value


def are_or_is(keys: list[str]) -> str:
    """The subject of a rule: ``'rank' is``, ``'rank' and 'alpha' are``."""
    *front, last = [f"'{key}'" for key in keys]
    return f"{', '.join(front)} and {last} are" if front else f"{last} is"


# `json_schema_input_type` tells the JSON schema of the short forms that the validator accepts.
Sources = Annotated[
    list[Annotated[str, Field(min_length=1)]], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])
]
PathText = Annotated[str, BeforeValidator(path_text, json_schema_input_type=str)]
Switch = Annotated[Literal["auto", True, False], BeforeValidator(no_number)]


class Section(BaseModel):
    """A part of a recipe: strict, immutable, no unknown keys.

    Strict means that nothing is converted on the quiet: ``"3"`` is no number and ``1`` is not ``true``.
    Whole numbers are accepted where a number is asked for; NaN and infinity never are.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )
