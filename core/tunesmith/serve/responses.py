# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``POST /v1/responses``, without a memory: every request brings the whole conversation."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from tunesmith.engine.answers import Generation, Usage
from tunesmith.engine.requests import GenerateRequest
from tunesmith.engine.stream import Stream
from tunesmith.serve.chat import messages_of
from tunesmith.serve.chat_schema import (
    ChosenTool,
    FunctionTool,
    Message,
    ResponseFormat,
    SamplingBody,
)
from tunesmith.serve.exchange import Exchange
from tunesmith.serve.generation import NAMES, constraint_of, new_tokens, sampling_of
from tunesmith.serve.metrics import Clock
from tunesmith.serve.models import Target
from tunesmith.serve.problems import invalid
from tunesmith.serve.responses_schema import (
    FunctionCallItem,
    FunctionOutputItem,
    InputMessage,
    NamedTool,
    ResponseAnswer,
    ResponsesBody,
)
from tunesmith.serve.service import Service, answer, service_of
from tunesmith.serve.sse import EventStream, event, quoted
from tunesmith.serve.tool_calls import Call, ToolCallParser
from tunesmith.serve.tools import Tools, tools_of

__all__ = ["responses"]

_NAMES = NAMES | {"prompt": "input", "max_new_tokens": "max_output_tokens", "constraint": "text.format"}


async def responses(request: Request, body: ResponsesBody) -> Response:
    """The next answer of a conversation."""
    service, exchange = service_of(request)
    target = service.target(exchange, body.model, "generate", body.service_tier)
    tools = tools_of(_tools(body), _choice(body), target.engine.info, service.limits)
    asked = _asked(body, target, tools, service, exchange)
    stream = await service.submit(exchange, target, asked, _NAMES, may_shorten=body.max_output_tokens is None)
    response = _Response(body, tools)
    if body.stream:
        clock = service.metrics.clock(target.name, exchange.started)
        return EventStream(_events(stream, response, clock, exchange))
    generation: Generation = await stream
    exchange.count(generation.usage)
    choice = generation.choices[0]
    for _ in chain(response.feed(choice.text), response.finish(choice.finish, generation.usage)):
        pass  # the events are for those who asked for a stream
    return answer(ResponseAnswer.model_validate(response.whole()))


def _tools(body: ResponsesBody) -> list[FunctionTool] | None:
    return [
        FunctionTool.model_validate(
            {"type": "function", "function": tool.model_dump(exclude={"type"}, exclude_none=True)}
        )
        for tool in body.tools or ()
    ] or None


def _choice(body: ResponsesBody) -> str | ChosenTool | None:
    if isinstance(body.tool_choice, NamedTool):
        return ChosenTool.model_validate({"type": "function", "function": {"name": body.tool_choice.name}})
    return body.tool_choice


def _asked(body: ResponsesBody, target: Target, tools: Tools, service: Service, exchange: Exchange) -> GenerateRequest:
    info, limits = target.engine.info, service.limits
    constraint = constraint_of(_format(body), info, limits)
    if constraint is not None and tools.names:
        raise invalid("an answer of a given form cannot be a call", "text.format", "unsupported_parameter")
    sampling = SamplingBody(model=body.model, temperature=body.temperature, top_p=body.top_p)
    return GenerateRequest(
        prompt=messages_of(list(_messages(body)), info.chats, limits),
        max_new_tokens=new_tokens(body.max_output_tokens, "max_output_tokens", limits),
        sampling=sampling_of(sampling, info, limits),
        constraint=constraint or tools.constraint,
        tools=tools.told,
        adapter=target.adapter,
        cache_salt=exchange.cache_salt,
    )


def _format(body: ResponsesBody) -> ResponseFormat | None:
    wanted = body.text.format if body.text else None
    if wanted is None:
        return None
    if wanted.type != "json_schema":
        return ResponseFormat(type=wanted.type)
    if wanted.schema_ is None:
        raise invalid("the type json_schema comes with a schema", "text.format.schema", "missing_parameter")
    return ResponseFormat.model_validate(
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted.schema_}}
    )


def _messages(body: ResponsesBody) -> Iterator[Message]:
    """Items as messages; calls that follow each other are one message of the assistant."""
    if body.instructions is not None:
        yield Message(role="system", content=body.instructions)
    if isinstance(body.input, str):
        yield Message(role="user", content=body.input)
        return
    calls: list[dict[str, Any]] = []
    for item in body.input:
        if isinstance(item, FunctionCallItem):
            function = {"name": item.name, "arguments": item.arguments}
            calls.append({"id": item.call_id, "type": "function", "function": function})
            continue
        if calls:
            yield Message.model_validate({"role": "assistant", "tool_calls": calls})
            calls = []
        if isinstance(item, FunctionOutputItem):
            yield Message(role="tool", tool_call_id=item.call_id, content=item.output)
        else:
            yield Message(role=item.role, content=_text(item))
    if calls:
        yield Message.model_validate({"role": "assistant", "tool_calls": calls})


def _text(item: InputMessage) -> str:
    return item.content if isinstance(item.content, str) else "".join(part.text for part in item.content)


class _Response:
    """An answer in the making. What changes it gives back the events that tell of it."""

    def __init__(self, body: ResponsesBody, tools: Tools) -> None:
        self._parser = ToolCallParser(tools.names)
        self._number = 0
        self._open: dict[str, Any] | None = None  # the message that text is added to
        self._body: dict[str, Any] = {
            "id": f"resp_{secrets.token_hex(24)}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "model": body.model,
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": False,
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "top_p": 1.0 if body.top_p is None else body.top_p,
            "text": body.text.model_dump(exclude_none=True, by_alias=True)
            if body.text
            else {"format": {"type": "text"}},
            "tool_choice": _plain(body.tool_choice) or "auto",
            "tools": [tool.model_dump() for tool in body.tools or ()],
            "truncation": "disabled",
            "metadata": body.metadata or {},
            "usage": None,
        }

    def whole(self) -> dict[str, Any]:
        """As it stands."""
        return self._body

    def begin(self) -> Iterator[bytes]:
        """That there will be one."""
        yield self._event("response.created", response=self._body)
        yield self._event("response.in_progress", response=self._body)

    def feed(self, text: str) -> Iterator[bytes]:
        """More of what the model writes."""
        for piece in self._parser.feed(text):
            yield from self._add(piece)

    def finish(self, reason: str, usage: Usage) -> Iterator[bytes]:
        """The end of it."""
        for piece in self._parser.finish():
            yield from self._add(piece)
        if not self._body["output"]:
            yield from self._add("")
        status = "completed" if reason == "stop" else "incomplete"
        yield from self._close(status)
        self._body["status"] = status
        if status == "incomplete":
            self._body["incomplete_details"] = {"reason": "max_output_tokens"}
        self._body["usage"] = {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens},
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }
        yield self._event(f"response.{status}", response=self._body)

    def _add(self, piece: str | Call) -> Iterator[bytes]:
        if isinstance(piece, Call):
            yield from self._close("completed")
            yield from self._called(piece)
            return
        if self._open is None:
            yield from self._opened()
        assert self._open is not None
        part = self._open["content"][0]
        part["text"] += piece
        if piece:
            yield self._delta(piece)

    def _opened(self) -> Iterator[bytes]:
        item = {"id": f"msg_{secrets.token_hex(24)}", "type": "message", "role": "assistant", "status": "in_progress"}
        self._body["output"].append(item | {"content": []})
        self._open = self._body["output"][-1]
        yield self._event("response.output_item.added", output_index=self._last(), item=self._open)
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        self._open["content"].append(part)
        yield self._event("response.content_part.added", **self._place(), part=part)

    def _close(self, status: str) -> Iterator[bytes]:
        if self._open is None:
            return
        part = self._open["content"][0]
        yield self._event("response.output_text.done", **self._place(), text=part["text"], logprobs=[])
        yield self._event("response.content_part.done", **self._place(), part=part)
        self._open["status"] = status
        yield self._event("response.output_item.done", output_index=self._last(), item=self._open)
        self._open = None

    def _called(self, call: Call) -> Iterator[bytes]:
        item = {
            "id": f"fc_{secrets.token_hex(24)}",
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": "",
            "status": "in_progress",
        }
        self._body["output"].append(item)
        place = {"item_id": item["id"], "output_index": self._last()}
        yield self._event("response.output_item.added", output_index=self._last(), item=item)
        yield self._event("response.function_call_arguments.delta", **place, delta=call.arguments)
        yield self._event("response.function_call_arguments.done", **place, name=call.name, arguments=call.arguments)
        item |= {"arguments": call.arguments, "status": "completed"}
        yield self._event("response.output_item.done", output_index=self._last(), item=item)

    def _last(self) -> int:
        return len(self._body["output"]) - 1

    def _place(self) -> dict[str, Any]:
        assert self._open is not None
        return {"item_id": self._open["id"], "output_index": self._last(), "content_index": 0}

    def _delta(self, text: str) -> bytes:
        """As ``_event``, for what comes with nearly every token."""
        assert self._open is not None
        kind, number = "response.output_text.delta", self._number
        self._number += 1
        return (
            f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":{number},"item_id":"{self._open["id"]}",'
            f'"output_index":{self._last()},"content_index":0,"delta":{quoted(text)},"logprobs":[]}}\n\n'
        ).encode()

    def _event(self, kind: str, **facts: Any) -> bytes:
        sent = event({"type": kind, "sequence_number": self._number, **facts}, kind)
        self._number += 1
        return sent


def _plain(choice: str | NamedTool | None) -> str | dict[str, Any] | None:
    return choice.model_dump() if isinstance(choice, NamedTool) else choice


async def _events(stream: Stream, response: _Response, clock: Clock, exchange: Exchange) -> AsyncIterator[bytes]:
    started, reason = False, "stop"
    async for tokens in stream.bursts(patient=True):
        clock.tick(0, tokens)
        reason = tokens[-1].finish or reason
        pieces = [] if started else [*response.begin()]
        for token in tokens:
            pieces += response.feed(token.text)
        started = True
        if pieces:
            yield b"".join(pieces)
    generation: Generation = await stream
    exchange.count(generation.usage)
    pieces = [*(() if started else response.begin()), *response.finish(reason, generation.usage)]
    yield b"".join(pieces)
