# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``POST /v1/completions``: a text to go on from."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from tunesmith.engine.answers import Generation, Token
from tunesmith.engine.answers import Usage as EngineUsage
from tunesmith.engine.requests import GenerateRequest, Prompt
from tunesmith.engine.stream import Stream
from tunesmith.serve.chat_schema import ResponseFormat, SamplingBody
from tunesmith.serve.exchange import Exchange
from tunesmith.serve.generation import (
    NAMES,
    check_chars,
    choices_of,
    constraint_of,
    merged,
    need,
    new_tokens,
    sampling_of,
    scored,
    stops_of,
    usage_of,
)
from tunesmith.serve.metrics import Clock
from tunesmith.serve.problems import invalid, within
from tunesmith.serve.schema import AtMost, FirstWrong, Neutral, UsageAnswer
from tunesmith.serve.service import Service, answer, service_of
from tunesmith.serve.sse import DONE, EventStream, plain_json, quoted

__all__ = ["CompletionAnswer", "CompletionBody", "completions", "prompts_of"]

_DEFAULT_TOKENS = 16  # OpenAI's

TokenIds = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1), FirstWrong()]
Prompts = Annotated[list[str | TokenIds], Field(min_length=1), FirstWrong()]


class CompletionBody(SamplingBody):
    """One prompt or several, each a text or token ids."""

    prompt: Annotated[str | TokenIds | Prompts, AtMost("inputs", "prompt", "texts", or_ids=True)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: Annotated[int, Field(ge=0)] | None = None
    response_format: ResponseFormat | None = None
    best_of: Annotated[Any, Neutral(1, why="no answer is better than another")] = None
    echo: Annotated[Any, Neutral(False, why="the prompt is not said again")] = None
    suffix: Annotated[Any, Neutral(why="nothing is written into gaps")] = None


class TextLogprobs(BaseModel):
    """Of an answer's tokens; ``text_offset`` counts characters from its beginning."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(BaseModel):
    """One answer."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class CompletionAnswer(BaseModel):
    """An answer in one piece; a piece of one (``stream``) looks the same."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: UsageAnswer | None = None


async def completions(request: Request, body: CompletionBody) -> Response:
    """What comes after a text."""
    service, exchange = service_of(request)
    asked, streams = await _submit(service, exchange, body)
    head = {
        "id": f"cmpl-{secrets.token_hex(12)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": body.model,
    }
    if body.stream:
        clock = service.metrics.clock(exchange.model, exchange.started)
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return EventStream(_events(streams, _Pieces(head, asked[0].choices, usage), clock, exchange))
    generations: list[Generation] = [await stream for stream in streams]
    for generation in generations:
        exchange.count(generation.usage)
    choices = [
        {
            "index": number,
            "text": choice.text,
            "logprobs": None if body.logprobs is None else _Offsets().of(choice.tokens),
            "finish_reason": choice.finish,
        }
        for number, choice in enumerate(choice for generation in generations for choice in generation.choices)
    ]
    return answer(CompletionAnswer.model_validate(head | {"choices": choices, "usage": usage_of(exchange.usage)}))


async def _submit(
    service: Service, exchange: Exchange, body: CompletionBody
) -> tuple[list[GenerateRequest], list[Stream]]:
    target, limits = service.target(exchange, body.model, "generate", body.service_tier), service.limits
    info = target.engine.info
    prompts = prompts_of(body.prompt, "prompt", service)
    if any(not isinstance(prompt, str) for prompt in prompts):
        need(info, "token_prompts", "prompt", "prompts of token ids")
    if body.logprobs is not None:
        need(info, "logprobs", "logprobs", "log-probabilities")
        within(body.logprobs, limits.top_logprobs, "logprobs", "tokens")
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options comes with stream: true", "stream_options", "invalid_value")
    choices = choices_of(body.n, len(prompts), info, limits)
    shared: dict[str, Any] = {
        "max_new_tokens": new_tokens(body.max_tokens, "max_tokens", limits, _DEFAULT_TOKENS),
        "choices": choices,
        "stop_strings": stops_of(body.stop, limits),
        "logprobs": body.logprobs,
        "constraint": constraint_of(body.response_format, info, limits),
        "adapter": target.adapter,
        "cache_salt": exchange.cache_salt,
    }
    names = NAMES | {"prompt": "prompt", "max_new_tokens": "max_tokens", "logprobs": "logprobs"}
    # Without a seed every prompt draws its own: two that are alike get two answers.
    asked = [GenerateRequest(prompt=each, sampling=sampling_of(body, info, limits), **shared) for each in prompts]
    shorten = body.max_tokens is None
    return asked, [await service.submit(exchange, target, each, names, may_shorten=shorten) for each in asked]


def prompts_of(given: str | Sequence[Any], param: str, service: Service) -> list[Prompt]:
    """One text, one list of ids, or a list of either."""
    if isinstance(given, str):
        prompts: list[Prompt] = [given]
    elif isinstance(given[0], int):
        prompts = [tuple(given)]
    else:
        prompts = [each if isinstance(each, str) else tuple(each) for each in given]
    if "" in prompts:
        raise invalid("an empty text is nothing to go on from", param, "invalid_value")
    check_chars((each for each in prompts if isinstance(each, str)), param, service.limits)
    within(
        sum(len(each) for each in prompts if not isinstance(each, str)), service.limits.prompt_tokens, param, "tokens"
    )
    return prompts


@dataclass(slots=True)
class _Offsets:
    """Where the next token begins in the text of its choice."""

    at: int = 0

    def of(self, tokens: Sequence[Token]) -> dict[str, Any]:
        """Log-probabilities as the older endpoint has them."""
        told: dict[str, Any] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in tokens:
            entry = scored(token)
            told["tokens"].append(entry["token"])
            told["token_logprobs"].append(entry["logprob"])
            told["top_logprobs"].append({each["token"]: each["logprob"] for each in entry["top_logprobs"]})
            told["text_offset"].append(self.at)
            self.at += len(token.text)
        return told


class _Pieces:
    """Tokens to pieces of an answer."""

    def __init__(self, head: Mapping[str, Any], choices: int, usage: bool) -> None:
        start = plain_json(head)
        self._head = f'data: {start[:-1]},"choices":['
        self._tail = '],"usage":null}\n\n' if usage else "]}\n\n"
        self._choices = choices
        self._usage = usage
        self._offsets: dict[int, _Offsets] = {}

    def of(self, prompt: int, tokens: Sequence[Token]) -> bytes:
        """What has become certain with some tokens, in a piece for each; may be nothing."""
        return "".join([self._of(prompt * self._choices + token.choice, token) for token in tokens]).encode()

    def _of(self, index: int, token: Token) -> str:
        if not (token.text or token.finish or token.score):
            return ""
        if token.score is None:
            finish = "null" if token.finish is None else quoted(token.finish)
            text = f'{{"index":{index},"text":{quoted(token.text)},"logprobs":null,"finish_reason":{finish}}}'
        else:
            logprobs = self._offsets.setdefault(index, _Offsets()).of([token])
            choice = {"index": index, "text": token.text, "logprobs": logprobs, "finish_reason": token.finish}
            text = plain_json(choice)
        return self._head + text + self._tail

    def last(self, usage: EngineUsage) -> bytes:
        """Usage, where it was asked for; and the end."""
        if not self._usage:
            return DONE
        text = usage_of(usage).model_dump_json(exclude_unset=True)
        return f'{self._head}],"usage":{text}}}\n\n'.encode() + DONE


async def _events(streams: Sequence[Stream], pieces: _Pieces, clock: Clock, exchange: Exchange) -> AsyncIterator[bytes]:
    async for prompt, tokens in merged(streams):
        clock.tick(prompt, tokens)
        piece = pieces.of(prompt, tokens)
        if piece:
            yield piece
    for stream in streams:
        generation: Generation = await stream
        exchange.count(generation.usage)
    yield pieces.last(exchange.usage)
