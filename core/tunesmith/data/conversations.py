# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Conversations in the shapes that data comes in, as one list of messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from tunesmith.data.rows import Column, RowError, half_character

__all__ = ["CONVERSATION_COLUMNS", "Message", "Role", "answer", "conversation", "shape"]

Role = Literal["system", "user", "assistant", "tool"]

CONVERSATION_COLUMNS = (
    Column(name="messages", summary="turns with role and content (OpenAI)", optional=True),
    Column(name="conversations", summary="turns with from and value (ShareGPT)", optional=True),
    Column(name="instruction", summary="what is asked (Alpaca)", optional=True),
    Column(name="input", summary="what the instruction is about (Alpaca)", optional=True),
    Column(name="output", summary="the answer (Alpaca)", optional=True, target=True),
    Column(name="prompt", summary="what is asked", optional=True),
    Column(name="completion", summary="the answer", optional=True, target=True),
    Column(name="system", summary="instructions for the whole conversation", optional=True),
    Column(name="history", summary="earlier turns as pairs of question and answer (Alpaca)", optional=True),
)
"""The words of a conversation task: all optional, since a row needs those of one shape only."""

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
}
_ANSWERS = ("completion", "response", "answer")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    Attributes:
        role: who speaks.
        content: what is said; empty only for an assistant's turn that consists of ``tool_calls``.
        tool_calls: calls as OpenAI writes them, ``{"function": {"name": …, "arguments": …}}``. ShareGPT's
            ``function_call`` turns are text, as they stand in the data, and have none.
    """

    role: Role
    content: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()


def shape(values: Mapping[str, Any]) -> str | None:
    """Which shape a row has: ``messages``, ``sharegpt``, ``alpaca``, ``prompt-completion``, or ``None``.

    A row with the columns of several shapes has the first of them in this order.
    """
    for name in ("messages", "conversations"):
        turns = values.get(name)
        if turns is not None:
            first = turns[0] if isinstance(turns, list) and turns else None
            return "sharegpt" if _is_sharegpt(first, name) else "messages"
    if values.get("instruction") is not None:
        return "alpaca"
    return "prompt-completion" if values.get("prompt") is not None else None


def conversation(values: Mapping[str, Any], *, labelled: bool = True) -> list[Message]:
    """The messages of a row.

    Shapes: OpenAI ``messages`` (role, content), ShareGPT ``conversations`` (from, value; a ``system``
    column beside it), Alpaca ``instruction`` with ``input``, ``output``, ``system``, ``history``, and
    ``prompt`` with ``completion``, ``response`` or ``answer``. Alpaca's instruction and input are joined by
    an empty line.

    A conversation to learn from starts with the user (after the system's instructions) and ends with the
    assistant; in between the order is free, since real data has two questions in a row and calls of tools.

    Args:
        labelled: False when predicting: the answer may be missing.

    Raises:
        RowError: no shape fits, an unknown role, an empty turn, the assistant first, no answer at the end.
    """
    kind = shape(values)
    if kind in ("messages", "sharegpt"):
        messages = _turns(values)
    elif kind == "alpaca":
        messages = _alpaca(values)
    elif kind == "prompt-completion":
        messages = _prompt(values)
    else:
        raise RowError(
            "no conversation: expected messages, conversations, instruction and output, or prompt and completion;"
            f" given {', '.join(map(str, values)) or 'nothing'}"
        )
    _check(messages, labelled)
    return messages


def answer(value: Any, where: str, *, may_be_empty: bool = False) -> Message:
    """One answer of the assistant: text, a turn (OpenAI, ShareGPT), or a list of one turn.

    Args:
        where: what to call it in errors.
        may_be_empty: text of nothing, or of white space, is an answer too.

    Raises:
        RowError: no text, several turns, or somebody else's.
    """
    if isinstance(value, list):
        if len(value) != 1:
            raise RowError(f"{where} must be one answer, given {len(value)} turns")
        value = value[0]
    if not isinstance(value, Mapping):
        return Message("assistant", _content(value, where, may_be_empty=may_be_empty))
    message = _turn(value, where)
    if message.role != "assistant":
        raise RowError(f"{where} must be said by the assistant, given role {message.role!r}")
    return message


def _is_sharegpt(turn: Any, column: str) -> bool:
    return "from" in turn if isinstance(turn, Mapping) else column == "conversations"


def _turns(values: Mapping[str, Any]) -> list[Message]:
    name = "messages" if values.get("messages") is not None else "conversations"
    turns = values[name]
    if not isinstance(turns, list):
        raise RowError(f"{name} must be a list of turns, given {_kind(turns)}")
    if not turns:
        raise RowError(f"{name} is an empty list")
    messages = [_turn(turn, f"turn {number} of {name}") for number, turn in enumerate(turns, start=1)]
    if messages[0].role == "system":
        return messages
    return [*_system(values), *messages]


def _turn(turn: Any, where: str) -> Message:
    if not isinstance(turn, Mapping):
        raise RowError(f"{where} must be an object with role and content, given {_kind(turn)}")
    who, said = ("from", "value") if "from" in turn else ("role", "content")
    if who not in turn:
        raise RowError(f"{where} has no role; given {', '.join(map(str, turn)) or 'an empty object'}")
    name = turn[who]
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise RowError(f"{where}: unknown role {name!r}; expected one of {', '.join(_ROLES)}")
    calls = _calls(turn.get("tool_calls"), where)
    if calls and role != "assistant":
        raise RowError(f"{where}: tool_calls belong to the assistant, given role {name!r}")
    if calls and turn.get(said) is None:
        return Message(role, "", calls)
    return Message(role, _content(turn.get(said), f"{where} ({name})", may_be_empty=bool(calls)), calls)


def _calls(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(call, Mapping) for call in value):
        raise RowError(f"{where}: tool_calls must be a list of objects")
    return tuple(cast("Iterable[Mapping[str, Any]]", value))


def _content(value: Any, where: str, *, may_be_empty: bool = False) -> str:
    """Text, or OpenAI's list of text parts."""
    if isinstance(value, list):
        kinds = [part.get("type") if isinstance(part, Mapping) else _kind(part) for part in value]
        other = next((kind for kind in kinds if kind != "text"), None)
        if other is not None:
            raise RowError(f"{where}: only text can be learned, given a part of type {other!r}")
        value = "".join(str(part["text"]) for part in value if part.get("text") is not None)
    if value is None:
        raise RowError(f"{where} has no content")
    if not isinstance(value, str):
        raise RowError(f"{where} must be text, given {_kind(value)}")
    if not value.strip() and not may_be_empty:
        raise RowError(f"{where} is empty")
    half = half_character(value)
    if half is not None:
        raise RowError(f"{where} holds half of a character: a {half} without its other half")
    return value


def _alpaca(values: Mapping[str, Any]) -> list[Message]:
    asked = _content(values["instruction"], "instruction")
    about = values.get("input")
    if about is not None and not (isinstance(about, str) and not about.strip()):
        asked = f"{asked}\n\n{_content(about, 'input')}"
    answer = [Message("assistant", _content(values["output"], "output"))] if values.get("output") is not None else []
    return [*_system(values), *_history(values.get("history")), Message("user", asked), *answer]


def _history(pairs: Any) -> Iterable[Message]:
    if pairs is None:
        return
    if not isinstance(pairs, list):
        raise RowError(f"history must be a list of pairs, given {_kind(pairs)}")
    for number, pair in enumerate(pairs, start=1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError(f"pair {number} of history must be [question, answer], given {_kind(pair)}")
        yield Message("user", _content(pair[0], f"the question in pair {number} of history"))
        yield Message("assistant", _content(pair[1], f"the answer in pair {number} of history"))


def _prompt(values: Mapping[str, Any]) -> list[Message]:
    answers = [name for name in _ANSWERS if values.get(name) is not None]
    if answers[:1] == ["completion"]:  # the task's own word, perhaps mapped from a column that is still there
        answers = ["completion"]
    if len(answers) > 1:
        raise RowError(f"several answers to one prompt: {', '.join(answers)}; map one: data.columns.completion=COLUMN")
    asked = Message("user", _content(values["prompt"], "prompt"))
    return [*_system(values), asked, *(Message("assistant", _content(values[name], name)) for name in answers)]


def _system(values: Mapping[str, Any]) -> list[Message]:
    value = values.get("system")
    return [] if value is None or value == "" else [Message("system", _content(value, "system"))]


def _check(messages: list[Message], labelled: bool) -> None:
    roles = [message.role for message in messages]
    spoken = [role for role in roles if role != "system"]
    if spoken[:1] == ["assistant"]:
        raise RowError("the conversation starts with the assistant; a user's turn must come first")
    if "user" not in spoken:
        raise RowError(f"no user's turn; given {', '.join(roles)}")
    if not labelled:
        return
    if "assistant" not in spoken:
        raise RowError(f"no assistant's turn, so there is nothing to learn; given {', '.join(roles)}")
    if roles[-1] != "assistant":
        raise RowError(f"the conversation ends with the {roles[-1]}: there is nothing to learn at the end")


def _kind(value: Any) -> str:
    return "null" if value is None else "text" if isinstance(value, str) else type(value).__name__
