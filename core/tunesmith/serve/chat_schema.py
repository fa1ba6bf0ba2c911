# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Bodies of ``/v1/chat/completions``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tunesmith.serve.schema import AtMost, Body, Finite, Label, ModelName, Neutral, ServiceTier, UsageAnswer

__all__ = [
    "ChatAnswer",
    "ChatBody",
    "Choice",
    "ChosenTool",
    "Function",
    "FunctionTool",
    "Logprobs",
    "Message",
    "ResponseFormat",
    "SamplingBody",
    "ScoredToken",
    "StreamOptions",
    "ToolCall",
]


class TextPart(Body):
    """A piece of a message's content. Images and sounds are not taken."""

    type: Literal["text"]
    text: str


class CalledFunction(Body):
    """What a model wants called; ``arguments`` is JSON as text."""

    name: str
    arguments: str


class ToolCall(Body):
    """A call that the model made."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(Body):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[TextPart], AtMost("inputs", "messages", "parts")] | None = None
    name: str | None = None
    tool_calls: Annotated[list[ToolCall], AtMost("tools", "tool_calls", "calls")] | None = None
    tool_call_id: str | None = None
    refusal: Annotated[Any, Neutral(why="messages hold text or tool calls")] = None
    audio: Annotated[Any, Neutral(why="messages hold text or tool calls")] = None
    function_call: Annotated[Any, Neutral(why="send tool_calls")] = None


class Function(Body):
    """What a model may call; ``parameters`` is a JSON schema."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Body):
    """A function among a request's tools."""

    type: Literal["function"]
    function: Function


class FunctionName(Body):
    """Which."""

    name: str


class ChosenTool(Body):
    """The one that must be called."""

    type: Literal["function"]
    function: FunctionName


class JsonSchema(Body):
    """What the answer must conform to."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Body):
    """Text, any JSON object, or JSON of a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Body):
    """``include_usage``: one more piece at the end, with the tokens read and made."""

    include_usage: bool | None = None
    include_obfuscation: Annotated[Any, Neutral(False, why="pieces are not padded")] = None


class SamplingBody(Body):
    """How the tokens of an answer are chosen; null is the default everywhere.

    ``top_k``, ``min_p`` and ``repetition_penalty`` are not OpenAI's; its clients send them as ``extra_body``.
    """

    model: ModelName
    temperature: Annotated[Finite, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Finite, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[Finite, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[Finite, Field(gt=0, le=10)] | None = None
    presence_penalty: Annotated[Finite, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[Finite, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[Finite, Field(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**62)] | None = None
    stop: str | Annotated[list[str], AtMost("stops", "stop", "texts")] | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Label = None
    service_tier: ServiceTier = None


class ChatBody(SamplingBody):
    """A conversation to answer."""

    messages: Annotated[list[Message], Field(min_length=1), AtMost("inputs", "messages", "messages")]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[FunctionTool], Field(min_length=1), AtMost("tools", "tools", "functions")] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | None = None
    parallel_tool_calls: Annotated[Any, Neutral(True, why="a model calls as many functions as it likes")] = None
    safety_identifier: Label = None
    prompt_cache_key: Label = None
    store: Annotated[Any, Neutral(False, why="nothing is stored")] = None
    metadata: Annotated[Any, Neutral({}, why="nothing is stored")] = None
    modalities: Annotated[Any, Neutral(["text"], why="answers are text")] = None
    audio: Annotated[Any, Neutral(why="answers are text")] = None
    prediction: Annotated[Any, Neutral(why="answers are not predicted")] = None
    reasoning_effort: Annotated[Any, Neutral(why="a model reasons as it was trained to")] = None
    verbosity: Annotated[Any, Neutral("medium", why="a model is as brief as it was trained to be")] = None
    web_search_options: Annotated[Any, Neutral(why="nothing is searched")] = None
    functions: Annotated[Any, Neutral(why="send tools")] = None
    function_call: Annotated[Any, Neutral(why="send tool_choice")] = None


class ScoredToken(BaseModel):
    """A token and its log-probability, in nats; ``bytes`` where the text is no whole character."""

    token: str
    logprob: float
    bytes: list[int]


class ChosenToken(ScoredToken):
    """The same with the likeliest tokens at its place."""

    top_logprobs: list[ScoredToken]


class Logprobs(BaseModel):
    """Of an answer's tokens."""

    content: list[ChosenToken]
    refusal: None = None


class AnswerMessage(BaseModel):
    """What the model said, or wants called."""

    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | None = None


class Choice(BaseModel):
    """One answer."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatAnswer(BaseModel):
    """An answer in one piece. In pieces (``stream``) it comes as server-sent events, ``chat.completion.chunk``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: UsageAnswer
