# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers that people compared, in the shapes that data comes in.

The words are those of TRL's preference data: ``prompt``, ``chosen`` and ``rejected``, each text or messages; a prompt
may be left out where the two answers are whole conversations. ``prompt``, ``completion`` and ``label`` are one answer
that is good or bad by itself. A prompt may also have any shape of a conversation
(:mod:`tunesmith.data.conversations`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tunesmith.data.conversations import CONVERSATION_COLUMNS, Message, answer, conversation, shape
from tunesmith.data.rows import Column, RowError

__all__ = [
    "COMPARISON_COLUMNS",
    "JUDGED_COLUMNS",
    "compared_answers",
    "empty_answers",
    "judged_answer",
    "prompt_messages",
]

_PROMPT_WORDS = ("prompt", "messages", "conversations", "instruction", "input", "system", "history")
_PROMPT_COLUMNS = tuple(
    next(column for column in CONVERSATION_COLUMNS if column.name == name) for name in _PROMPT_WORDS
)

COMPARISON_COLUMNS = (
    *_PROMPT_COLUMNS,
    Column(name="chosen", summary="the better answer: text, or messages", optional=True, target=True),
    Column(name="rejected", summary="the worse answer: text, or messages", optional=True, target=True),
)
"""The words of tasks on pairs of answers; optional, since a row needs those of one shape only."""

JUDGED_COLUMNS = (
    Column(name="completion", summary="an answer that is good or bad by itself", optional=True, target=True),
    Column(name="label", summary="of a completion: true for good, false for bad", optional=True, target=True),
)
"""What a row has instead of ``chosen`` and ``rejected``."""


def prompt_messages(values: Mapping[str, Any]) -> tuple[Message, ...]:
    """The conversation up to the answer.

    Raises:
        RowError: there is none, or it ends with an answer.
    """
    given = {word: values.get(word) for word in _PROMPT_WORDS}
    if isinstance(given["prompt"], list):
        if given["messages"] is not None or given["conversations"] is not None:
            raise RowError("a prompt of messages, and messages beside it: which is it?")
        sharegpt = any(isinstance(turn, Mapping) and "from" in turn for turn in given["prompt"][:1])
        given["conversations" if sharegpt else "messages"] = given.pop("prompt")
    messages = tuple(conversation(given, labelled=False))
    if messages[-1].role == "assistant":
        raise RowError("the prompt ends with an answer; it must end with what is answered")
    return messages


def compared_answers(values: Mapping[str, Any]) -> tuple[tuple[Message, ...], Message, Message]:
    """Prompt, better and worse answer of a row. The worse may be empty text: a model that said nothing.

    Raises:
        RowError: an answer is missing or is none, or the two belong to different prompts.
    """
    for name in ("chosen", "rejected"):
        if values.get(name) is None:
            raise RowError(f"there is no {name} answer; given {', '.join(_present(values)) or 'nothing'}")
    whole = [isinstance(values[name], list) and len(values[name]) > 1 for name in ("chosen", "rejected")]
    if any(whole):
        if not all(whole):
            raise RowError("one of chosen and rejected is a whole conversation, the other an answer alone")
        return _whole_conversations(values)
    return (
        prompt_messages(values),
        answer(values["chosen"], "chosen"),
        answer(values["rejected"], "rejected", may_be_empty=True),
    )


def empty_answers(rejected: Iterable[Message | None]) -> str | None:
    """A sentence about the worse answers that are empty, or ``None``."""
    count = sum(message is not None and not message.content.strip() for message in rejected)
    if not count:
        return None
    rows = "row" if count == 1 else "rows"
    return f"{count:,} {rows} whose rejected answer is empty: to say nothing is learned as wrong"


def judged_answer(values: Mapping[str, Any]) -> tuple[tuple[Message, ...], Message, bool]:
    """Prompt, answer, and whether it is good.

    Raises:
        RowError: something is missing, or the label is neither true nor false.
    """
    if values.get("completion") is None:
        raise RowError(f"there is no completion; given {', '.join(_present(values)) or 'nothing'}")
    label: Any = values.get("label")
    label = label.item() if hasattr(label, "item") else label
    label = label.strip().lower() if isinstance(label, str) else label
    if label not in (True, "true", "1", False, "false", "0"):
        raise RowError(f"label must be true or false, given {values.get('label')!r}")
    return prompt_messages(values), answer(values["completion"], "completion"), label in (True, "true", "1")


def _whole_conversations(values: Mapping[str, Any]) -> tuple[tuple[Message, ...], Message, Message]:
    sides = []
    for name in ("chosen", "rejected"):
        first = values[name][0]
        word = "conversations" if isinstance(first, Mapping) and "from" in first else "messages"
        try:
            sides.append(tuple(conversation({word: values[name], "system": values.get("system")})))
        except RowError as error:
            raise RowError(f"{name}: {error}") from None
    chosen, rejected = sides
    if chosen[:-1] != rejected[:-1]:
        raise RowError("chosen and rejected answer different prompts")
    beside = {word: value for word in _PROMPT_WORDS[:-2] if (value := values.get(word)) is not None}
    if shape(beside) is not None and prompt_messages(beside)[-1] not in chosen[:-1]:
        raise RowError("the prompt is not what chosen and rejected answer")
    return chosen[:-1], chosen[-1], rejected[-1]


def _present(values: Mapping[str, Any]) -> list[str]:
    return [str(name) for name, value in values.items() if value is not None]
