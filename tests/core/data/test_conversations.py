# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Conversations in every shape, and why some teach nothing."""

from __future__ import annotations

import pytest

from tunesmith.data import Message, RowError, conversation, shape

HI = [Message("user", "hi"), Message("assistant", "hello")]
CALL = {"id": "1", "type": "function", "function": {"name": "now", "arguments": "{}"}}


def _openai(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def _sharegpt(*turns, **more):
    return {"conversations": [{"from": name, "value": value} for name, value in turns], **more}


@pytest.mark.parametrize(
    ("values", "kind", "messages"),
    [
        (_openai(("user", "hi"), ("assistant", "hello")), "messages", HI),
        (
            _openai(("developer", "be kind"), ("user", "hi"), ("assistant", "hello")),
            "messages",
            [Message("system", "be kind"), *HI],
        ),
        (_sharegpt(("human", "hi"), ("gpt", "hello")), "sharegpt", HI),
        (
            _sharegpt(("human", "hi"), ("gpt", "hello"), system="be kind"),
            "sharegpt",
            [Message("system", "be kind"), *HI],
        ),
        ({"conversations": _openai(("user", "hi"), ("assistant", "hello"))["messages"]}, "messages", HI),
        ({"instruction": "hi", "input": "", "output": "hello"}, "alpaca", HI),
        ({"instruction": "hi", "input": None, "output": "hello", "system": ""}, "alpaca", HI),
        (
            {"instruction": "add", "input": "1 2", "output": "3", "system": "s", "history": [["q", "a"]]},
            "alpaca",
            [
                Message("system", "s"),
                Message("user", "q"),
                Message("assistant", "a"),
                Message("user", "add\n\n1 2"),
                Message("assistant", "3"),
            ],
        ),
        ({"prompt": "hi", "completion": "hello"}, "prompt-completion", HI),
        ({"prompt": "hi", "response": "hello"}, "prompt-completion", HI),
        ({"prompt": "hi", "answer": "hello"}, "prompt-completion", HI),
        ({"question": "hi", "answer": "x", "prompt": "hi", "completion": "hello"}, "prompt-completion", HI),
        ({"prompt": "x", "prompt_id": 1, **_openai(("user", "hi"), ("assistant", "hello"))}, "messages", HI),
    ],
)
def test_every_shape(values, kind, messages):
    assert shape(values) == kind
    assert conversation(values) == messages


def test_tools_are_turns():
    values = _sharegpt(("human", "time?"), ("function_call", '{"name": "now"}'), ("observation", "12"), ("gpt", "noon"))
    assert [message.role for message in conversation(values)] == ["user", "assistant", "tool", "assistant"]
    values = {
        "messages": [
            {"role": "user", "content": "time?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "12", "tool_call_id": "1"},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}, {"type": "text", "text": "on"}]},
        ]
    }
    messages = conversation(values)
    assert messages[1] == Message("assistant", "", (CALL,))
    assert messages[3].content == "noon"


def test_order_is_free_in_between():
    assert len(conversation(_openai(("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "d")))) == 4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text": "x"}, "no conversation: expected messages, conversations, instruction and output, or prompt"),
        ({}, "given nothing"),
        ({"messages": None}, "no conversation"),
        ({"messages": []}, "messages is an empty list"),
        ({"messages": "hi"}, "messages must be a list of turns, given text"),
        ({"messages": ["hi"]}, "turn 1 of messages must be an object with role and content, given text"),
        ({"messages": [{"content": "hi"}]}, "turn 1 of messages has no role; given content"),
        (_openai(("user", "a"), ("robot", "b")), "turn 2 of messages: unknown role 'robot'; expected one of system"),
        (_openai(("user", " \n"), ("assistant", "b")), "turn 1 of messages (user) is empty"),
        (_openai(("user", "a"), ("assistant", None)), "turn 2 of messages (assistant) has no content"),
        (_openai(("user", "a"), ("assistant", 3)), "must be text, given int"),
        (_openai(("user", [{"type": "image_url"}]), ("assistant", "b")), "only text can be learned"),
        (_openai(("user", "a")), "no assistant's turn, so there is nothing to learn"),
        (_openai(("system", "a"), ("assistant", "b")), "starts with the assistant"),
        (_openai(("system", "a")), "no user's turn; given system"),
        (
            _openai(("user", "a"), ("assistant", "b"), ("user", "c")),
            "ends with the user: there is nothing to learn at the end",
        ),
        (_sharegpt(("human", "a"), ("gpt", "b"), ("observation", "c")), "ends with the tool"),
        ({"messages": [{"role": "user", "content": "a", "tool_calls": [CALL]}]}, "tool_calls belong to the assistant"),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": "x"}]}, "tool_calls must be a list"),
        ({"instruction": "a", "output": ""}, "output is empty"),
        ({"instruction": "a", "output": "\ud83d"}, "output holds half of a character: a \\ud83d without"),
        ({"instruction": "a"}, "no assistant's turn"),
        ({"instruction": "", "output": "b"}, "instruction is empty"),
        ({"instruction": "a", "output": "b", "history": [["q"]]}, "pair 1 of history must be [question, answer]"),
        ({"instruction": "a", "output": "b", "history": "x"}, "history must be a list of pairs, given text"),
        ({"prompt": "a"}, "no assistant's turn"),
        ({"prompt": "a", "response": "b", "answer": "c"}, "several answers to one prompt: response, answer"),
        ({"prompt": 3, "completion": "b"}, "prompt must be text, given int"),
    ],
)
def test_why_a_row_cannot_be_used(values, words):
    with pytest.raises(RowError) as caught:
        conversation(values)
    assert words in str(caught.value)


def test_predicting_needs_no_answer():
    assert conversation({"prompt": "hi"}, labelled=False) == [Message("user", "hi")]
    assert len(conversation(_openai(("user", "a"), ("assistant", "b"), ("user", "c")), labelled=False)) == 3
    with pytest.raises(RowError, match="starts with the assistant"):
        conversation(_openai(("assistant", "a")), labelled=False)


def test_no_shape():
    assert shape({"text": "x"}) is None
    assert shape({"messages": []}) == "messages"
    assert shape({"conversations": []}) == "sharegpt"
