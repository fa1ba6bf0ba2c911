# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.serve.tool_calls import Call, ToolCallParser, must_call

CALL = '<tool_call>\n{"name": "add", "arguments": {"a": "<b> \\" }"}}\n</tool_call>'


def parse(text, sizes=(1000,), names=("add", "sub")):
    """Pieces, with texts that follow each other joined; calls as (index, name, arguments)."""
    parser, found, at = ToolCallParser(names), [], 0
    while at < len(text):
        size = sizes[len(found) % len(sizes)] if sizes else 1
        found += parser.feed(text[at : at + size])
        at += size
    found += parser.finish()
    joined = []
    for piece in found:
        if isinstance(piece, Call):
            joined.append((piece.index, piece.name, json.loads(piece.arguments)))
        elif joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_calls_and_text_in_any_pieces(size):
    text = f"I will add.\n{CALL}\n{CALL.replace('add', 'sub')}\n"
    arguments = {"a": '<b> " }'}
    assert parse(text, (size,)) == ["I will add.", (0, "add", arguments), (1, "sub", arguments)]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "a < b and <tool",
        "<tool_call>",
        '<tool_call>{"name": "add", "arguments": {}}',
        "<tool_call>garbage</tool_call>",
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        '<tool_call>{"name": ["add"], "arguments": {}}</tool_call>',
        '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "add", "arguments": "x"}</tool_call>',
        '<tool_call>{"name": "add", "arguments": {"a": NaN}}</tool_call>',
        '<tool_call>{"name": "add", "name": "sub", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "add", "arguments": {}, "more": 1}</tool_call>',
        "<tool_call>" + "[" * 5000 + "</tool_call>",
        "</tool_call> <tool_call><tool_call></tool_call>",
        "  leading and trailing  \n",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_call_stays_text(text, size):
    assert parse(text, (size,)) == [text]


def test_arguments_written_as_text_are_taken_for_the_object_they_hold():
    text = '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>'
    assert parse(text) == [(0, "add", {"a": 1})]
    assert parse('<tool_call>{"name": "add"}</tool_call>') == [(0, "add", {})]


def test_without_functions_everything_is_text_at_once():
    parser = ToolCallParser(())
    assert parser.feed("<tool_call>") == ["<tool_call>"]
    assert parser.finish() == []


def test_text_is_given_as_soon_as_it_is_certain():
    parser = ToolCallParser({"add"})
    assert parser.feed("Hello") == ["Hello"]
    assert parser.feed(" <to") == []
    assert parser.feed("day>") == [" <today>"]


@given(
    st.lists(st.sampled_from([CALL, "<tool_call>", "</tool_call>", "{", "}", "x", " ", "\n", "<"])), st.integers(1, 9)
)
def test_pieces_do_not_matter_and_nothing_but_white_space_is_lost(parts, size):
    text = "".join(parts)
    whole, pieces = parse(text), parse(text, (size,))
    assert [piece if isinstance(piece, str) else "call" for piece in pieces] == [
        piece if isinstance(piece, str) else "call" for piece in whole
    ]
    lost = text
    for piece in whole:
        part = piece if isinstance(piece, str) else CALL
        start = lost.find(part)
        assert start >= 0
        assert not lost[:start].strip()
        lost = lost[start + len(part) :]
    assert not lost.strip()


def test_a_call_that_must_be_made():
    tools = [
        {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "required": ["a"]}}},
        {"type": "function", "function": {"name": "now"}},
    ]
    lines = must_call(tools).source.splitlines()
    assert lines[0] == 'start: call ("\\n" call)*'
    assert lines[1] == 'call: "<tool_call>\\n" body "\\n</tool_call>"'
    shapes = json.loads(lines[2].removeprefix("body: %json "))["anyOf"]
    assert [shape["properties"]["name"]["const"] for shape in shapes] == ["add", "now"]
    assert shapes[0]["properties"]["arguments"]["required"] == ["a"]
    only = must_call(tools, only="now").source.splitlines()
    assert only[0] == "start: call"
    assert json.loads(only[2].removeprefix("body: %json "))["properties"]["name"] == {"const": "now"}
