# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From the parameters of OpenAI's requests to those of an engine's, checked against what the server and engine can."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from tunesmith.engine.answers import Token, TokenScore, Usage
from tunesmith.engine.protocol import EngineInfo
from tunesmith.engine.requests import Constraint, Sampling
from tunesmith.engine.stream import Stream
from tunesmith.serve.chat_schema import ResponseFormat, SamplingBody
from tunesmith.serve.limits import Limits
from tunesmith.serve.problems import invalid, within
from tunesmith.serve.schema import UsageAnswer
from tunesmith.serve.sse import plain_json

__all__ = [
    "NAMES",
    "check_chars",
    "choices_of",
    "constraint_of",
    "merged",
    "need",
    "new_tokens",
    "sampling_of",
    "schema_text",
    "scored",
    "stops_of",
    "usage_of",
]

NAMES: dict[str, str] = {
    "prompt": "messages",
    "max_new_tokens": "max_completion_tokens",
    "choices": "n",
    "stop_strings": "stop",
    "logprobs": "top_logprobs",
    "constraint": "response_format",
    "adapter": "model",
}
"""How an engine's parameters are called in a chat request."""

_STOP_CHARS = 256


def need(info: EngineInfo, feature: str, param: str, what: str) -> None:
    """Refuse what the engine cannot do.

    Raises:
        HttpError: 400.
    """
    if feature not in info.features:
        raise invalid(
            f"{what}: the model {info.name} cannot do this; to do: leave {param} out", param, "unsupported_parameter"
        )


def sampling_of(body: SamplingBody, info: EngineInfo, limits: Limits) -> Sampling:
    """How tokens are chosen: what is not said is as the model's own settings have it, or as in OpenAI's API.

    Without a seed each request draws its own.
    """
    if body.presence_penalty or body.frequency_penalty or body.repetition_penalty not in (None, 1):
        param = next(
            name
            for name in ("presence_penalty", "frequency_penalty", "repetition_penalty")
            if getattr(body, name) not in (None, 0 if name != "repetition_penalty" else 1)
        )
        need(info, "penalties", param, "penalties")
    bias: list[tuple[int, float]] = []
    for text, value in (body.logit_bias or {}).items():
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise invalid(f"logit_bias names tokens by their ids; given: {text[:40]!r}", "logit_bias", "invalid_value")
        bias.append((int(text), value))
    if bias:
        need(info, "logit_bias", "logit_bias", "logit_bias")
        within(len(bias), limits.logit_bias, "logit_bias", "tokens")
    return Sampling(
        temperature=info.sampling.temperature if body.temperature is None else body.temperature,
        top_k=info.sampling.top_k if body.top_k is None else body.top_k,
        top_p=info.sampling.top_p if body.top_p is None else body.top_p,
        min_p=body.min_p or 0.0,
        repetition_penalty=1.0 if body.repetition_penalty is None else body.repetition_penalty,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        logit_bias=tuple(bias),
        seed=secrets.randbits(62) if body.seed is None else body.seed,
    )


def stops_of(stop: str | Sequence[str] | None, limits: Limits) -> tuple[str, ...]:
    """Texts that end an answer."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if "" in stops:
        raise invalid("an empty text cannot end an answer", "stop", "invalid_value")
    within(max(map(len, stops), default=0), _STOP_CHARS, "stop", "characters in one text")
    return stops


def new_tokens(given: int | None, param: str, limits: Limits, default: int | None = None) -> int:
    """How long an answer may be."""
    wanted = given if given is not None else default if default is not None else limits.new_tokens
    if given is not None:
        within(given, limits.new_tokens, param, "tokens")
    return min(wanted, limits.new_tokens)


def choices_of(n: int | None, prompts: int, info: EngineInfo, limits: Limits) -> int:
    """How many answers to each prompt."""
    wanted = n or 1
    within(wanted * prompts, limits.choices, "n", "answers")
    if wanted > 1:
        need(info, "choices", "n", "more than one answer")
    return wanted


def constraint_of(wanted: ResponseFormat | None, info: EngineInfo, limits: Limits) -> Constraint | None:
    """What the answer must conform to."""
    if wanted is None or wanted.type == "text":
        return None
    need(info, "constraint", "response_format", "answers of a given form")
    if wanted.type == "json_object":
        return Constraint("json_schema", '{"type":"object"}')
    if wanted.json_schema is None:
        raise invalid(
            "the type json_schema comes with a json_schema", "response_format.json_schema", "missing_parameter"
        )
    return Constraint(
        "json_schema", schema_text(wanted.json_schema.schema_, "response_format.json_schema.schema", limits)
    )


def schema_text(schema: Mapping[str, Any], param: str, limits: Limits) -> str:
    """A schema as text, of bounded length."""
    text = plain_json(schema)
    within(len(text), limits.schema_chars, param, "characters")
    return text


def check_chars(texts: Iterable[str], param: str, limits: Limits) -> None:
    """Refuse prompts that are too long before anything reads them."""
    within(sum(map(len, texts)), limits.prompt_chars, param, "characters")


def usage_of(usage: Usage) -> UsageAnswer:
    """As OpenAI's."""
    return UsageAnswer.model_validate(
        {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        }
    )


def scored(token: Token) -> dict[str, Any]:
    """A token of an answer with its log-probabilities."""
    own = token.score or TokenScore(token.id, token.text.encode(), token.logprob)
    return _scored(own) | {"top_logprobs": [_scored(each) for each in token.alternatives]}


def _scored(score: TokenScore) -> dict[str, Any]:
    return {"token": score.text, "logprob": max(score.logprob, -9999.0), "bytes": list(score.bytes)}


async def merged(streams: Sequence[Stream]) -> AsyncIterator[tuple[int, list[Token]]]:
    """The tokens of several answers as they come, with the number of their stream."""
    if len(streams) == 1:
        async for tokens in streams[0].bursts(patient=True):
            yield 0, tokens
        return
    queue: asyncio.Queue[tuple[int, list[Token] | BaseException | None]] = asyncio.Queue(maxsize=2 * len(streams))

    async def feed(number: int, stream: Stream) -> None:
        try:
            async for tokens in stream.bursts(patient=True):
                await queue.put((number, tokens))
            await queue.put((number, None))
        except Exception as error:
            await queue.put((number, error))

    feeders = [asyncio.ensure_future(feed(number, stream)) for number, stream in enumerate(streams)]
    try:
        going = len(feeders)
        while going:
            number, item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                going -= 1
            else:
                yield number, item
    finally:
        for feeder in feeders:
            feeder.cancel()
