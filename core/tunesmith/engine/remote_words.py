# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""An engine's requests in OpenAI's words, and answers in those words as an engine's."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPResponse
from typing import Any

from tunesmith.engine.answers import Choice, Generation, Token, Usage
from tunesmith.engine.protocol import conversation
from tunesmith.engine.requests import GenerateRequest
from tunesmith.errors import RequestError, UnfinishedError

__all__ = ["LONGEST_LINE", "body_of", "message_of", "read_answer"]

LONGEST_LINE = 2**20
"""Bytes of one event; a server that sends more is not what it seems."""


def body_of(request: GenerateRequest, model: str) -> tuple[str, dict[str, Any]]:
    """Path and body of a request.

    Raises:
        RequestError: what it asks for has no words there.
    """
    sampling, messages = request.sampling, conversation(request.prompt)
    if messages is None and not isinstance(request.prompt, str):
        raise _no_words("prompt", "token ids", "a text or messages")
    if request.stop_tokens is not None:
        raise _no_words("stop_tokens", "ids", "stop_strings")
    for name, value, neutral in (
        ("adapter", request.adapter, None),
        ("logprobs", request.logprobs, None),
        ("tools", request.tools, ()),
        ("top_k", sampling.top_k, 0),
        ("min_p", sampling.min_p, 0.0),
        ("repetition_penalty", sampling.repetition_penalty, 1.0),
    ):
        if value != neutral:
            raise _no_words(name, str(value), "nothing")
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
    }
    body |= {"messages": [dict(message) for message in messages]} if messages else {"prompt": request.prompt}
    optional: dict[str, Any] = {
        "max_tokens": request.max_new_tokens,
        "n": request.choices if request.choices > 1 else None,
        "stop": list(request.stop_strings) or None,
        "presence_penalty": sampling.presence_penalty or None,
        "frequency_penalty": sampling.frequency_penalty or None,
        "logit_bias": {str(token): bias for token, bias in sampling.logit_bias} or None,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if request.constraint is not None:
        if request.constraint.kind != "json_schema":
            raise _no_words("constraint", request.constraint.kind, "json_schema")
        schema = {"name": "answer", "schema": json.loads(request.constraint.source)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return ("/chat/completions" if messages else "/completions"), body


def _no_words(parameter: str, given: str, expected: str) -> RequestError:
    return RequestError(
        f"{parameter} cannot be said to a server with OpenAI's API",
        parameter=parameter,
        given=given[:100],
        expected=expected,
        fix="leave it out, or ask a model of this process",
    )


def read_answer(request: GenerateRequest, response: HTTPResponse, tell: Callable[[Token], None]) -> Generation:
    """Events to tokens, each told as it comes, and the whole answer.

    Raises:
        UnfinishedError: the server failed, or broke off.
        ValueError: what it sends is not what it should.
    """
    made: list[list[Token]] = [[] for _ in range(request.choices)]
    usage = Usage(0)
    for event in _events(response):
        if isinstance(event.get("error"), Mapping):
            raise UnfinishedError("the other server failed in the middle of its answer", given=str(event["error"]))
        counted = event.get("usage")
        if isinstance(counted, Mapping):
            usage = Usage(int(counted.get("prompt_tokens", 0)), 0, int(counted.get("completion_tokens", 0)))
        for choice in event.get("choices", ()):
            number = int(choice.get("index", 0))
            text = choice["text"] if "text" in choice else (choice.get("delta") or {}).get("content")
            finish = choice.get("finish_reason")
            if (text or finish) and number < len(made):
                token = Token(id=-1, text=text or "", logprob=math.nan, finish=finish, choice=number)
                made[number].append(token)
                tell(token)
    if not all(tokens and tokens[-1].finish for tokens in made):
        raise UnfinishedError("the other server broke off before its answer was whole")
    choices = [Choice("".join(one.text for one in all_), all_[-1].finish or "stop", tuple(all_)) for all_ in made]
    return Generation(tuple(choices), usage)


def _events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The data of server-sent events, up to ``[DONE]``."""
    while True:
        line = response.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE:
            raise ValueError(f"an event of more than {LONGEST_LINE:,} bytes")
        name, _, value = line.strip().partition(b":")
        if name != b"data":
            continue
        if value.strip() == b"[DONE]":
            return
        event = json.loads(value)
        if isinstance(event, dict):
            yield event


def message_of(body: bytes) -> str:
    """What the body of an error says."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, Mapping) else error)[:500]
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")
