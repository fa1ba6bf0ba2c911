# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The functions of a request, as its engine is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.engine.protocol import EngineInfo
from tunesmith.engine.requests import Constraint
from tunesmith.serve.chat_schema import ChosenTool, FunctionTool
from tunesmith.serve.generation import need, schema_text
from tunesmith.serve.limits import Limits
from tunesmith.serve.problems import invalid
from tunesmith.serve.tool_calls import must_call

__all__ = ["Tools", "tools_of"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What the model may call.

    Attributes:
        told: as the chat template takes them.
        names: of the functions; without any, no answer holds a call.
        constraint: where it must call.
    """

    told: tuple[Mapping[str, Any], ...] = ()
    names: frozenset[str] = frozenset()
    constraint: Constraint | None = None


def tools_of(
    tools: Sequence[FunctionTool] | None, choice: str | ChosenTool | None, info: EngineInfo, limits: Limits
) -> Tools:
    """Of the parameters ``tools`` and ``tool_choice``.

    With ``none`` the model is not told of them at all.

    Raises:
        HttpError: the engine knows no tools, or cannot be made to call one; a name comes twice or is not there.
    """
    if not tools:
        if choice not in (None, "none", "auto"):
            raise invalid("tool_choice asks for a call, and there are no tools", "tool_choice", "invalid_value")
        return Tools()
    need(info, "tools", "tools", "tools")
    names = [tool.function.name for tool in tools]
    if len(set(names)) < len(names):
        raise invalid("two functions have one name", "tools", "invalid_value")
    for number, tool in enumerate(tools):
        schema_text(tool.function.parameters or {}, f"tools[{number}].function.parameters", limits)
    if choice == "none":
        return Tools()
    told = tuple(tool.model_dump(exclude_none=True) for tool in tools)
    if choice in (None, "auto"):
        return Tools(told, frozenset(names))
    need(info, "constraint", "tool_choice", "calls that must be made")
    if not isinstance(choice, ChosenTool):
        return Tools(told, frozenset(names), must_call(told))
    name = choice.function.name
    if name not in names:
        raise invalid(
            f"tool_choice names a function that is not among the tools: {name[:80]!r}", "tool_choice", "invalid_value"
        )
    return Tools(told, frozenset({name}), must_call(told, only=name))
