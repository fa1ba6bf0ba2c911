# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Bodies of ``/v1/responses``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tunesmith.serve.schema import AtMost, Body, Finite, Label, ModelName, Neutral, ServiceTier

__all__ = [
    "FunctionCallItem",
    "FunctionOutputItem",
    "InputMessage",
    "ResponseAnswer",
    "ResponsesBody",
]


class InputText(Body):
    """A piece of a message."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: Annotated[Any, Neutral([], why="texts have no annotations")] = None
    logprobs: Annotated[Any, Neutral([], why="texts come without")] = None


class InputMessage(Body):
    """One message of the conversation so far."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[InputText], AtMost("inputs", "input", "parts")]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: Annotated[Any, Neutral(why="there are no phases")] = None


class FunctionCallItem(Body):
    """A call that the model made."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class FunctionOutputItem(Body):
    """What the function gave back."""

    type: Literal["function_call_output"]
    call_id: str
    output: str
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class ResponseTool(Body):
    """A function that may be called; ``parameters`` is a JSON schema."""

    type: Literal["function"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(Body):
    """The one that must be called."""

    type: Literal["function"]
    name: str


class TextFormat(Body):
    """Text, any JSON object, or JSON of a schema."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    description: str | None = None
    strict: bool | None = None


class TextOptions(Body):
    """What the answer looks like."""

    format: TextFormat | None = None
    verbosity: Annotated[Any, Neutral("medium", why="a model is as brief as it was trained to be")] = None


class ResponsesBody(Body):
    """A conversation to answer. Nothing is stored: the whole of it comes with every request."""

    model: ModelName
    input: (
        str
        | Annotated[
            list[InputMessage | FunctionCallItem | FunctionOutputItem],
            Field(min_length=1),
            AtMost("inputs", "input", "items"),
        ]
    )
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[Finite, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Finite, Field(gt=0, le=1)] | None = None
    tools: Annotated[list[ResponseTool], AtMost("tools", "tools", "functions")] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    text: TextOptions | None = None
    stream: bool | None = None
    metadata: dict[str, str] | None = None
    user: Label = None
    safety_identifier: Label = None
    service_tier: ServiceTier = None
    prompt_cache_key: Label = None
    store: Annotated[Any, Neutral(False, why="nothing is stored")] = None
    previous_response_id: Annotated[Any, Neutral(why="nothing is stored; send the whole conversation as input")] = None
    conversation: Annotated[Any, Neutral(why="nothing is stored; send the whole conversation as input")] = None
    prompt: Annotated[Any, Neutral(why="nothing is stored; send the text as input")] = None
    background: Annotated[Any, Neutral(False, why="nothing is stored, so nobody could ask for it later")] = None
    include: Annotated[Any, Neutral([], why="there is nothing more to include")] = None
    truncation: Annotated[Any, Neutral("disabled", why="nothing is cut")] = None
    reasoning: Annotated[Any, Neutral(why="a model reasons as it was trained to")] = None
    parallel_tool_calls: Annotated[Any, Neutral(True, why="a model calls as many functions as it likes")] = None
    max_tool_calls: Annotated[Any, Neutral(why="functions are called by the client")] = None
    top_logprobs: Annotated[Any, Neutral(0, why="ask /v1/chat/completions for log-probabilities")] = None
    stream_options: Annotated[Any, Neutral(why="usage always comes with the last event")] = None
    context_management: Annotated[Any, Neutral(why="nothing is cut")] = None


class OutputText(BaseModel):
    """A piece of the answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


class OutputMessage(BaseModel):
    """What the model said."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: Literal["in_progress", "completed", "incomplete"]
    content: list[OutputText]


class OutputCall(BaseModel):
    """What it wants called."""

    id: str
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    status: Literal["in_progress", "completed", "incomplete"]


class IncompleteDetails(BaseModel):
    """Why an answer ends early."""

    reason: Literal["max_output_tokens"]


class InputDetails(BaseModel):
    """Of the tokens read: found in the prefix cache."""

    cached_tokens: int


class OutputDetails(BaseModel):
    """Of the tokens made."""

    reasoning_tokens: Literal[0]


class ResponseUsage(BaseModel):
    """Tokens read and made."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class ResponseAnswer(BaseModel):
    """An answer, whole or (in events) under way."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete"]
    error: None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    model: str
    output: list[OutputMessage | OutputCall]
    parallel_tool_calls: Literal[True]
    previous_response_id: None
    store: Literal[False]
    temperature: float
    top_p: float
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    truncation: Literal["disabled"]
    metadata: dict[str, str]
    usage: ResponseUsage | None
