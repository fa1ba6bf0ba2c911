# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Bodies of ``/v1/embeddings``, ``/v1/classify``, ``/v1/score``, ``/v1/rerank``, ``/tokenize`` and ``/detokenize``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tunesmith.serve.chat_schema import Message
from tunesmith.serve.completions import Prompts, TokenIds
from tunesmith.serve.schema import AtMost, Body, Label, ModelName, ServiceTier, UsageAnswer

__all__ = [
    "ClassifyAnswer",
    "ClassifyBody",
    "DetokenizeAnswer",
    "DetokenizeBody",
    "EmbeddingsAnswer",
    "EmbeddingsBody",
    "RerankAnswer",
    "RerankBody",
    "ScoreAnswer",
    "ScoreBody",
    "TokenizeAnswer",
    "TokenizeBody",
]


class EmbeddingsBody(Body):
    """Texts, or the token ids of texts."""

    model: ModelName
    input: Annotated[str | TokenIds | Prompts, AtMost("inputs", "input", "texts", or_ids=True)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: Label = None
    service_tier: ServiceTier = None


class Embedding(BaseModel):
    """One vector: numbers, or float32 in little-endian order as base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """Vectors, in the order of the texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


Rows = Annotated[list[str | dict[str, Any]], Field(min_length=1), AtMost("inputs", "input", "rows")]


class ClassifyBody(Body):
    """Rows: texts; ``data:image/…;base64,…`` where the model sees images; or objects with the task's columns."""

    model: ModelName
    input: str | dict[str, Any] | Rows
    user: Label = None
    service_tier: ServiceTier = None


class Classified(BaseModel):
    """The answer to one row.

    ``label``, ``labels``, ``probability`` and ``probs`` (in the order of the model's labels) are there where the task
    has them; ``answer`` is all it says.
    """

    index: int
    label: str | None = None
    labels: list[str] | None = None
    probability: float | None = None
    probs: list[float] | None = None
    num_classes: int | None = None
    answer: dict[str, Any]


class ClassifyAnswer(BaseModel):
    """Answers, in the order of the rows."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[Classified]
    usage: UsageAnswer


class ScoreBody(Body):
    """One text and several, or pairs of texts."""

    model: ModelName
    text_1: str | Annotated[list[str], Field(min_length=1), AtMost("inputs", "text_1", "texts")]
    text_2: str | Annotated[list[str], Field(min_length=1), AtMost("inputs", "text_2", "texts")]
    user: Label = None
    service_tier: ServiceTier = None


class Score(BaseModel):
    """Of one pair."""

    index: int
    object: Literal["score"]
    score: float


class ScoreAnswer(BaseModel):
    """Scores, in the order of ``text_2``."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[Score]
    usage: UsageAnswer


class RerankBody(Body):
    """A query, and documents that may answer it."""

    model: ModelName
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[list[str], Field(min_length=1), AtMost("inputs", "documents", "texts")]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool | None = None
    user: Label = None
    service_tier: ServiceTier = None


class Document(BaseModel):
    """As it was sent."""

    text: str


class Ranked(BaseModel):
    """One document; ``index`` is its place in the request."""

    index: int
    relevance_score: float
    document: Document | None = None


class RerankAnswer(BaseModel):
    """Documents, best first."""

    id: str
    model: str
    results: list[Ranked]
    usage: UsageAnswer


class TokenizeBody(Body):
    """A text, or a conversation as the model would be shown it."""

    model: ModelName
    prompt: str | None = None
    messages: Annotated[list[Message], Field(min_length=1), AtMost("inputs", "messages", "messages")] | None = None


class TokenizeAnswer(BaseModel):
    """Token ids; ``max_model_len`` is the longest prompt and answer together, null: no limit."""

    tokens: list[int]
    count: int
    max_model_len: int | None


class DetokenizeBody(Body):
    """Token ids."""

    model: ModelName
    tokens: Annotated[TokenIds, AtMost("prompt_tokens", "tokens", "tokens")]


class DetokenizeAnswer(BaseModel):
    """Their text."""

    prompt: str
