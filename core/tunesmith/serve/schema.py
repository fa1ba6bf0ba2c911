# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the bodies of all endpoints share: nothing is converted, nothing unknown is taken."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tunesmith.serve.limits import LIMITS
from tunesmith.serve.problems import within

__all__ = ["AtMost", "Body", "Finite", "FirstWrong", "Label", "ModelName", "Neutral", "ServiceTier", "UsageAnswer"]


class Body(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", strict=True)


ModelName = Annotated[str, Field(min_length=1, max_length=300, description="One of those that /v1/models lists.")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Label = Annotated[
    str | None,
    Field(max_length=512, description="A label of the caller's own. It changes no answer and is kept nowhere."),
]

ServiceTier = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=100,
        description="The class of the request: one that the server's scheduler has, or `auto` or `default`: as usual.",
    ),
]


class Neutral:
    """Marks a parameter that is known and not supported: it is taken where it says what happens anyway.

    Args:
        values: that change nothing, besides null.
        why: for the one who sends another.
    """

    def __init__(self, *values: Any, why: str) -> None:
        self._values = values
        self._why = why

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"enum": [*self._values, None], "description": f"Nothing else is supported: {self._why}."}

    def _check(self, value: Any) -> Any:
        if value is None or any(type(value) is type(each) and value == each for each in self._values):
            return value
        raise PydanticCustomError("unsupported_parameter", "{why}", {"why": self._why})


class FirstWrong:
    """Marks a list of which the first wrong item is told, and no other.

    Else a body of some megabytes with something wrong in every place has a complaint for each of them, which takes
    minutes and gigabytes. (pydantic's ``FailFast``, which cannot stand in a union: it has no hash.)
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _first_wrong(handler(source))


def _first_wrong(schema: CoreSchema) -> CoreSchema:
    if schema["type"] == "list":
        cast(core_schema.ListSchema, schema)["fail_fast"] = True
    return schema


class AtMost:
    """Marks a list that the server bounds: one that is too long is refused before anything is made of its items.

    Of its items the first wrong one is told (see :class:`FirstWrong`).

    Args:
        limit: a name of ``Limits``.
        param: what the list is called.
        unit: of what.
        or_ids: it may also be a list of token ids, which has a limit of its own.
    """

    def __init__(self, limit: str, param: str, unit: str, *, or_ids: bool = False) -> None:
        self._limit = limit
        self._param = param
        self._unit = unit
        self._or_ids = or_ids

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, _first_wrong(handler(source)))

    def _check(self, value: Any) -> Any:
        if isinstance(value, list):
            ids = self._or_ids and bool(value) and type(value[0]) is int
            limit, unit = ("prompt_tokens", "tokens") if ids else (self._limit, self._unit)
            within(len(value), getattr(LIMITS.get(), limit), self._param, unit)
        return value


class UsageDetails(BaseModel):
    """Of the prompt's tokens: found in the prefix cache."""

    cached_tokens: int


class UsageAnswer(BaseModel):
    """Tokens read and made."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int
    prompt_tokens_details: UsageDetails | None = None
