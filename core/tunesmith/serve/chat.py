# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``POST /v1/chat/completions``."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from tunesmith.engine.answers import Choice, Generation, Token
from tunesmith.engine.requests import GenerateRequest
from tunesmith.engine.stream import Stream
from tunesmith.serve.chat_schema import ChatAnswer, ChatBody, Message
from tunesmith.serve.exchange import Exchange
from tunesmith.serve.generation import (
    NAMES,
    check_chars,
    choices_of,
    constraint_of,
    need,
    new_tokens,
    sampling_of,
    scored,
    stops_of,
    usage_of,
)
from tunesmith.serve.limits import Limits
from tunesmith.serve.metrics import Clock
from tunesmith.serve.models import Target
from tunesmith.serve.problems import invalid, within
from tunesmith.serve.service import answer, service_of
from tunesmith.serve.sse import DONE, EventStream, plain_json, quoted
from tunesmith.serve.tool_calls import Call, ToolCallParser
from tunesmith.serve.tools import Tools, tools_of

__all__ = ["chat_completions", "messages_of"]


async def chat_completions(request: Request, body: ChatBody) -> Response:
    """The next message of a conversation."""
    service, exchange = service_of(request)
    target = service.target(exchange, body.model, "generate", body.service_tier)
    tools = tools_of(body.tools, body.tool_choice, target.engine.info, service.limits)
    asked = _asked(body, target, tools, service.limits, exchange)
    names = NAMES | {"max_new_tokens": _length_name(body)}
    shorten = body.max_tokens is None and body.max_completion_tokens is None
    stream = await service.submit(exchange, target, asked, names, may_shorten=shorten)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": body.model}
    if not body.stream:
        generation: Generation = await stream
        exchange.count(generation.usage)
        choices = [_choice(index, each, tools, bool(body.logprobs)) for index, each in enumerate(generation.choices)]
        whole = head | {"object": "chat.completion", "choices": choices, "usage": usage_of(generation.usage)}
        return answer(ChatAnswer.model_validate(whole))
    clock = service.metrics.clock(target.name, exchange.started)
    pieces = _Pieces(head, asked.choices, tools, body)
    return EventStream(_events(stream, pieces, clock, exchange))


def messages_of(messages: Sequence[Message], info_chats: bool, limits: Limits) -> tuple[Mapping[str, Any], ...]:
    """Messages as the chat template takes them: parts of text joined, ``developer`` called ``system``, no more."""
    if not info_chats:
        raise invalid(
            "this model goes on with text and answers no messages; to do: POST /v1/completions", "model", "wrong_kind"
        )
    told: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        plain = message.model_dump(exclude_none=True)
        if isinstance(message.content, list):
            plain["content"] = "".join(part.text for part in message.content)
        if plain["role"] == "developer":
            plain["role"] = "system"
        if message.content is None and not message.tool_calls:
            raise invalid("a message has content or tool_calls", f"messages[{number}].content", "missing_parameter")
        if (message.role == "tool") != (message.tool_call_id is not None):
            raise invalid(
                "a tool_call_id belongs to messages of the role tool, and to all of them",
                f"messages[{number}].tool_call_id",
                "invalid_value",
            )
        if message.tool_calls and message.role != "assistant":
            raise invalid("only the assistant calls tools", f"messages[{number}].tool_calls", "invalid_value")
        plain.setdefault("content", "")
        told.append(plain)
    check_chars((text for each in told for text in _texts(each)), "messages", limits)
    return tuple(told)


def _texts(message: Mapping[str, Any]) -> list[str]:
    calls = [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    return [message["content"], message.get("name", ""), *calls]


def _length_name(body: ChatBody) -> str:
    return "max_completion_tokens" if body.max_tokens is None else "max_tokens"


def _asked(body: ChatBody, target: Target, tools: Tools, limits: Limits, exchange: Exchange) -> GenerateRequest:
    info = target.engine.info
    messages = messages_of(body.messages, info.chats, limits)
    length = body.max_completion_tokens if body.max_tokens is None else body.max_tokens
    if body.max_completion_tokens not in (None, length):
        raise invalid("max_tokens and max_completion_tokens are two names of one thing", "max_tokens", "invalid_value")
    if body.top_logprobs is not None and not body.logprobs:
        raise invalid("top_logprobs comes with logprobs: true", "top_logprobs", "invalid_value")
    if body.logprobs:
        need(info, "logprobs", "logprobs", "log-probabilities")
        within(body.top_logprobs or 0, limits.top_logprobs, "top_logprobs", "tokens")
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options comes with stream: true", "stream_options", "invalid_value")
    constraint = constraint_of(body.response_format, info, limits)
    if constraint is not None and tools.names:
        raise invalid("an answer of a given form cannot be a call", "response_format", "unsupported_parameter")
    return GenerateRequest(
        prompt=messages,
        max_new_tokens=new_tokens(length, _length_name(body), limits),
        sampling=sampling_of(body, info, limits),
        choices=choices_of(body.n, 1, info, limits),
        stop_strings=stops_of(body.stop, limits),
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        constraint=constraint or tools.constraint,
        tools=tools.told,
        adapter=target.adapter,
        cache_salt=exchange.cache_salt,
    )


def _choice(index: int, choice: Choice, tools: Tools, logprobs: bool) -> dict[str, Any]:
    parser = ToolCallParser(tools.names)
    pieces = [*parser.feed(choice.text), *parser.finish()]
    calls = [_called(piece) for piece in pieces if isinstance(piece, Call)]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    return {
        "index": index,
        "message": message,
        "logprobs": {"content": [scored(token) for token in choice.tokens], "refusal": None} if logprobs else None,
        "finish_reason": "tool_calls" if calls and choice.finish == "stop" else choice.finish,
    }


def _called(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


class _Pieces:
    """Tokens to ``chat.completion.chunk``s. What is the same in every chunk is written once."""

    def __init__(self, head: Mapping[str, Any], choices: int, tools: Tools, body: ChatBody) -> None:
        self._usage = bool(body.stream_options and body.stream_options.include_usage)
        self._logprobs = bool(body.logprobs)
        start = plain_json({"object": "chat.completion.chunk", **head})
        self._head = f'data: {start[:-1]},"choices":['
        self._tail = '],"usage":null}\n\n' if self._usage else "]}\n\n"
        self._parsers = [ToolCallParser(tools.names) for _ in range(choices)]
        self._text_heads = [f'{self._head}{{"index":{index},"delta":{{"content":' for index in range(choices)]
        self._text_tail = f'}},"logprobs":null,"finish_reason":null}}{self._tail}'

    def first(self) -> bytes:
        """Who speaks, of every choice."""
        role = {"role": "assistant", "content": "", "refusal": None}
        return "".join(self._chunk(index, role) for index in range(len(self._parsers))).encode()

    def of(self, tokens: Sequence[Token]) -> bytes:
        """What has become certain with some tokens, in a chunk for each; may be nothing."""
        return "".join([chunk for token in tokens for chunk in self._of(token)]).encode()

    def _of(self, token: Token) -> list[str]:
        parser = self._parsers[token.choice]
        pieces = parser.feed(token.text)
        if token.finish is None and not self._logprobs and not parser.calls:  # most tokens
            return [self._text(token.choice, piece) for piece in pieces if isinstance(piece, str)]
        if token.finish is not None:
            pieces += parser.finish()
        logprobs = {"content": [scored(token)], "refusal": None} if self._logprobs else None
        deltas = [delta for piece in pieces for delta in _deltas(piece)]
        if not deltas and logprobs:
            deltas = [{"content": ""}]
        sent = [self._chunk(token.choice, delta, None if at else logprobs) for at, delta in enumerate(deltas)]
        if token.finish is not None:
            reason = "tool_calls" if parser.calls and token.finish == "stop" else token.finish
            sent.append(self._chunk(token.choice, {}, finish=reason))
        return sent

    def last(self, generation: Generation) -> bytes:
        """Usage, where it was asked for; and the end."""
        if not self._usage:
            return DONE
        usage = usage_of(generation.usage).model_dump_json(exclude_unset=True)
        return f'{self._head}],"usage":{usage}}}\n\n'.encode() + DONE

    def _text(self, index: int, text: str) -> str:
        """As ``_chunk``, for nothing but text."""
        return self._text_heads[index] + quoted(text) + self._text_tail

    def _chunk(self, index: int, delta: Mapping[str, Any], logprobs: Any = None, finish: str | None = None) -> str:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return f"{self._head}{plain_json(choice)}{self._tail}"


def _deltas(piece: str | Call) -> list[dict[str, Any]]:
    if isinstance(piece, str):
        return [{"content": piece}]
    opened = {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": ""}}
    return [
        {"tool_calls": [{"index": piece.index, **opened}]},
        {"tool_calls": [{"index": piece.index, "function": {"arguments": piece.arguments}}]},
    ]


async def _events(stream: Stream, pieces: _Pieces, clock: Clock, exchange: Exchange) -> AsyncIterator[bytes]:
    started = False
    async for tokens in stream.bursts(patient=True):
        clock.tick(0, tokens)
        piece = pieces.of(tokens)
        if not started:
            piece, started = pieces.first() + piece, True
        if piece:
            yield piece
    generation: Generation = await stream
    exchange.count(generation.usage)
    yield (b"" if started else pieces.first()) + pieces.last(generation)
