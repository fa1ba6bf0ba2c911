# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Calls of functions in what a model writes: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>`` (Hermes, Qwen).

A call is told when it is whole, and only when it is one: JSON with the name of a function that was offered. Anything
else that looks like one stays text, to the last character.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tunesmith.engine.requests import Constraint
from tunesmith.serve.json_body import parse_json

__all__ = ["Call", "ToolCallParser", "must_call"]

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
# llguidance's: else white space may go on for ever between two brackets, and with some models it does.
_COMPACT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
_LONGEST = 1_000_000  # characters of a call; more is text


@dataclass(frozen=True, slots=True)
class Call:
    """A function that the model wants called.

    Attributes:
        index: of the calls of one answer, from 0.
        id: by which the result will name it.
        name: of the function.
        arguments: a JSON object, as text.
    """

    index: int
    name: str
    arguments: str
    id: str = field(default_factory=lambda: f"call_{secrets.token_hex(12)}")


Piece: TypeAlias = "str | Call"


class ToolCallParser:
    """Fed with an answer piece by piece, it gives back text and calls in their order.

    White space before a call and behind the last is dropped. Text that may yet become the beginning of a call is held
    back.

    Args:
        names: of the functions that may be called; without any, everything is text.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._held = ""
        self._inside = False
        self.calls = 0

    def feed(self, text: str) -> list[Piece]:
        """What has become certain."""
        if not self._names:
            return [text] if text else []
        if not self._held and text and "<" not in text and not text[-1].isspace():  # most tokens
            return [text]
        self._held += text
        return list(self._advance())

    def finish(self) -> list[Piece]:
        """The rest: a call that was not closed is text."""
        rest, self._held, self._inside = self._held, "", False
        if self.calls and not rest.strip():
            return []
        return [rest] if rest else []

    def _advance(self) -> Iterator[Piece]:
        while True:
            if self._inside:
                end = self._held.find(_CLOSE)
                if end < 0 and len(self._held) <= _LONGEST:
                    return
                end = len(self._held) if end < 0 else end + len(_CLOSE)
                whole, self._held, self._inside = self._held[:end], self._held[end:], False
                call = self._call(whole.strip().removeprefix(_OPEN).removesuffix(_CLOSE))
                if call is None:
                    yield whole
                else:
                    yield call
                continue
            start = self._held.find(_OPEN)
            if start >= 0:
                before = self._held[:start]
                if before.strip():
                    yield before.rstrip()
                    before = before[len(before.rstrip()) :]
                # White space goes with the call: it is dropped with it, or given back with what turned out to be text.
                self._held, self._inside = before + self._held[start:], True
                continue
            certain = len(self._held) - _beginning(self._held)
            certain = len(self._held[:certain].rstrip())  # white space may stand before a call
            if certain:
                yield self._held[:certain]
                self._held = self._held[certain:]
            return

    def _call(self, body: str) -> Call | None:
        try:
            value = parse_json(body.encode())
        except ValueError:
            return None
        if not isinstance(value, dict) or value.keys() - {"name", "arguments"}:
            return None
        name = value.get("name")
        if not isinstance(name, str) or name not in self._names:
            return None
        arguments = value.get("arguments", {})
        if isinstance(arguments, str):  # some models write the object as text
            try:
                arguments = parse_json(arguments.encode())
            except ValueError:
                return None
        if not isinstance(arguments, dict):
            return None
        self.calls += 1
        return Call(self.calls - 1, name, json.dumps(arguments, ensure_ascii=False))


def _beginning(text: str) -> int:
    """How many of the last characters may be the beginning of a call."""
    for length in range(min(len(text), len(_OPEN) - 1), 0, -1):
        if _OPEN.startswith(text[-length:]):
            return length
    return 0


def must_call(tools: Sequence[Mapping[str, Any]], *, only: str | None = None) -> Constraint:
    """An answer that is one call or more (of one function: exactly one call), with arguments of the function's schema.

    Args:
        tools: as OpenAI's: ``{"type": "function", "function": {"name": …, "parameters": {…}}}``.
        only: name of the function that must be called.
    """
    shapes = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"].get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
        if only in (None, tool["function"]["name"])
    ]
    schema = json.dumps((shapes[0] if len(shapes) == 1 else {"anyOf": shapes}) | _COMPACT, ensure_ascii=False)
    calls = "call" if only is not None else 'call ("\\n" call)*'
    opening, closing = json.dumps(f"{_OPEN}\n"), json.dumps(f"\n{_CLOSE}")
    return Constraint("lark", f"start: {calls}\ncall: {opening} body {closing}\nbody: %json {schema}\n")
