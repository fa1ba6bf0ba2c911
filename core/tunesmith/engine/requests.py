# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of an engine: plain data, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tunesmith.errors import RequestError

__all__ = [
    "OWN",
    "Constraint",
    "EmbedRequest",
    "GenerateRequest",
    "Message",
    "Origin",
    "PredictRequest",
    "Prompt",
    "RankRequest",
    "Request",
    "Sampling",
]

Message: TypeAlias = Mapping[str, Any]
"""``{"role": …, "content": …}``, and ``tool_calls`` or ``tool_call_id`` where tools are used."""

Prompt: TypeAlias = "str | tuple[Message, ...] | tuple[int, ...]"
"""A text to go on from, a conversation to answer, or token ids."""


def _check(name: str, value: object, holds: bool, expected: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        holds = False
    if not holds:
        raise RequestError(f"{name} is out of range", parameter=name, given=f"{name}: {value}", expected=expected)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, for the scheduler that decides when it is computed. It changes no answer.

    Attributes:
        tenant: the customer or department it belongs to; "": none.
        request_class: how it is to be treated, e.g. ``interactive``; "": as its tenant's usually are.
    """

    tenant: str = ""
    request_class: str = ""


OWN = Origin(tenant="(server)")
"""Of what a server asks its engines itself, before it answers anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen: penalties and biases change the logits; then temperature, top-k, top-p, min-p.

    Attributes:
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_k: keep the k most likely tokens; 0 keeps all.
        top_p: keep the smallest set with at least this probability; 1 keeps all
            (nucleus sampling, Holtzman et al. 2019, arXiv:1904.09751).
        min_p: keep tokens at least this share as likely as the likeliest; 0 keeps all (Nguyen et al. 2024,
            arXiv:2407.01082).
        repetition_penalty: logits of tokens in prompt or answer are divided by it where positive, multiplied where
            negative; 1 changes nothing (Keskar et al. 2019, arXiv:1909.05858).
        presence_penalty: taken once from the logit of every token of the answer so far; 0 changes nothing.
        frequency_penalty: taken from it as often as the token occurs in the answer; 0 changes nothing.
        logit_bias: pairs of a token id and what is added to its logit.
        seed: of this request's own generator; the same seed gives the same text.

    Raises:
        RequestError: a value outside its range; ``parameter`` names it.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        _check("temperature", self.temperature, self.temperature >= 0, "0 (greedy) or more")
        _check("top_k", self.top_k, self.top_k >= 0, "0 (all) or more")
        _check("top_p", self.top_p, 0 < self.top_p <= 1, "more than 0 and at most 1")
        _check("min_p", self.min_p, 0 <= self.min_p <= 1, "0 (all) to 1")
        _check("repetition_penalty", self.repetition_penalty, self.repetition_penalty > 0, "more than 0")
        for name in ("presence_penalty", "frequency_penalty"):
            _check(name, getattr(self, name), -2 <= getattr(self, name) <= 2, "-2 to 2")
        _check("seed", self.seed, 0 <= self.seed < 2**63, "0 to 2⁶³ - 1")
        for token, bias in self.logit_bias:
            _check("logit_bias", f"{token}: {bias}", -100 <= bias <= 100, "token ids with values from -100 to 100")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A language that the answer must belong to.

    Attributes:
        kind: ``json_schema``, ``regex`` or ``lark``.
        source: the schema as JSON text, the expression, or the grammar (llguidance's Lark).
    """

    kind: Literal["json_schema", "regex", "lark"]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """A prompt to go on from, or to answer.

    Attributes:
        prompt: a text, a conversation, or token ids (at least one).
        max_new_tokens: at most this many tokens are made, for each choice; ``None``: as many as the context leaves.
        sampling: how each is chosen.
        choices: so many answers, each from its own random draw (``seed``, ``seed + 1``, …).
        stop_tokens: ids that end an answer; they are not part of it. ``None``: the model's own.
        stop_strings: texts that end an answer; they are not part of it.
        logprobs: so many alternatives are told for every token, with log-probabilities; 0: the token's own only;
            ``None``: none.
        constraint: what the answer must conform to.
        tools: descriptions of functions (JSON Schema, as OpenAI's) for the chat template.
        adapter: name of a loaded adapter; ``None``: the model as it is.
        cache_salt: who asks. Prompts share cached prefixes with requests of the same salt only, and salts take turns:
            none waits because another has asked for much.
        origin: its tenant and class.

    Raises:
        RequestError: a value outside its range; ``parameter`` names it.
    """

    prompt: Prompt
    max_new_tokens: int | None = None
    sampling: Sampling = Sampling()
    choices: int = 1
    stop_tokens: frozenset[int] | None = None
    stop_strings: tuple[str, ...] = ()
    logprobs: int | None = None
    constraint: Constraint | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    adapter: str | None = None
    cache_salt: str = ""
    origin: Origin = Origin()

    def __post_init__(self) -> None:
        if not self.prompt and not isinstance(self.prompt, str):
            raise RequestError(
                "the prompt is empty",
                parameter="prompt",
                given="no messages and no tokens",
                expected="at least one message, or at least one token",
            )
        wanted = self.max_new_tokens
        _check("max_new_tokens", wanted, wanted is None or wanted >= 1, "at least 1")
        _check("choices", self.choices, self.choices >= 1, "at least 1")
        _check("logprobs", self.logprobs, self.logprobs is None or self.logprobs >= 0, "0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """Rows to answer in the manner of the model's task: labels, entities, spans, scores, numbers.

    Attributes:
        rows: each a mapping of the task's columns, or the input alone (text; bytes or an array for images).
        adapter: as of :class:`GenerateRequest`.
        origin: likewise.
    """

    rows: tuple[Any, ...]
    adapter: str | None = None
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """Texts to make vectors of.

    Attributes:
        texts: each a text, or the token ids of one.
        adapter: as of :class:`GenerateRequest`.
        origin: likewise.
    """

    texts: tuple[str | tuple[int, ...], ...]
    adapter: str | None = None
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRequest:
    """Documents to score by how well they answer a query."""

    query: str
    documents: tuple[str, ...]
    adapter: str | None = None
    origin: Origin = Origin()


Request: TypeAlias = "GenerateRequest | PredictRequest | EmbedRequest | RankRequest"
