# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tunesmith.data.conversations import Message
from tunesmith.data.preferences import compared_answers, empty_answers, judged_answer, prompt_messages
from tunesmith.data.rows import RowError

ASKED = (Message("user", "Hi"),)
GOOD, BAD = Message("assistant", "Hello!"), Message("assistant", "Go away")
TURNS = [{"role": "user", "content": "Hi"}]


def said(text):
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "Hi", "chosen": "Hello!", "rejected": "Go away"},
        {"prompt": TURNS, "chosen": [said("Hello!")], "rejected": [said("Go away")]},
        {"prompt": TURNS, "chosen": said("Hello!"), "rejected": "Go away"},
        {"chosen": [*TURNS, said("Hello!")], "rejected": [*TURNS, said("Go away")]},
        {"prompt": "Hi", "chosen": [*TURNS, said("Hello!")], "rejected": [*TURNS, said("Go away")]},
        {"messages": TURNS, "chosen": "Hello!", "rejected": "Go away"},
        {"instruction": "Hi", "input": "", "chosen": "Hello!", "rejected": "Go away", "output": "not read"},
        {
            "conversations": [{"from": "human", "value": "Hi"}],
            "chosen": {"from": "gpt", "value": "Hello!"},
            "rejected": {"from": "gpt", "value": "Go away"},
        },
    ],
    ids=["text", "messages", "turns", "implicit", "both", "openai", "alpaca", "sharegpt"],
)
def test_every_shape_is_the_same_comparison(values):
    assert compared_answers(values) == (ASKED, GOOD, BAD)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": "Hi", "chosen": "Hello!"}, "there is no rejected answer; given prompt, chosen"),
        ({"chosen": "a", "rejected": "b"}, "no conversation"),
        ({"prompt": "Hi", "chosen": " ", "rejected": "b"}, "chosen is empty"),
        ({"prompt": "Hi", "chosen": 3, "rejected": "b"}, "chosen must be text, given int"),
        (
            {"prompt": "Hi", "chosen": "a", "rejected": TURNS},
            "rejected must be said by the assistant, given role 'user'",
        ),
        ({"prompt": [*TURNS, said("x")], "chosen": "a", "rejected": "b"}, "the prompt ends with an answer"),
        ({"prompt": TURNS, "messages": TURNS, "chosen": "a", "rejected": "b"}, "which is it"),
        ({"chosen": [*TURNS, said("a")], "rejected": "b"}, "the other an answer alone"),
        (
            {"chosen": [*TURNS, said("a")], "rejected": [{"role": "user", "content": "Ho"}, said("b")]},
            "chosen and rejected answer different prompts",
        ),
        (
            {"prompt": "Ho", "chosen": [*TURNS, said("a")], "rejected": [*TURNS, said("b")]},
            "the prompt is not what chosen and rejected answer",
        ),
        ({"chosen": [*TURNS, *TURNS], "rejected": [*TURNS, said("b")]}, "chosen: no assistant's turn"),
    ],
)
def test_rows_that_cannot_be_used(values, words):
    with pytest.raises(RowError, match=words):
        compared_answers(values)


@pytest.mark.parametrize(("label", "good"), [(True, True), ("true", True), (1, True), ("False", False), (0, False)])
def test_one_answer_with_a_label(label, good):
    assert judged_answer({"prompt": "Hi", "completion": "Hello!", "label": label}) == (ASKED, GOOD, good)


@pytest.mark.parametrize("label", [None, "maybe", 2, [True]])
def test_a_label_is_true_or_false(label):
    with pytest.raises(RowError, match="label must be true or false"):
        judged_answer({"prompt": "Hi", "completion": "Hello!", "label": label})


def test_an_answer_to_avoid_may_be_empty_and_is_counted():
    _, _, rejected = compared_answers({"prompt": "Hi", "chosen": "Hello!", "rejected": ""})
    assert empty_answers([rejected, BAD, None]) == (
        "1 row whose rejected answer is empty: to say nothing is learned as wrong"
    )
    assert empty_answers([BAD]) is None


def test_a_system_prompt_belongs_to_the_prompt():
    messages = prompt_messages({"prompt": "Hi", "system": "Be kind"})
    assert messages == (Message("system", "Be kind"), *ASKED)
