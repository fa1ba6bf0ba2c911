# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of an engine, and what it answers with: plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["Engine", "GenerateRequest", "Sampling", "Token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_k: keep the k most likely tokens; 0 keeps all.
        top_p: keep the smallest set with at least this probability; 1 keeps all
            (nucleus sampling, Holtzman et al. 2019, arXiv:1904.09751).
        seed: of this request's own generator; the same seed gives the same text.

    Raises:
        ValueError: a value outside its range; the message names it.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(f"temperature must be 0 (greedy) or more, given {self.temperature!r}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (all) or more, given {self.top_k!r}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be more than 0 and at most 1, given {self.top_p!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """A prompt to go on from.

    Attributes:
        prompt: token ids, at least one.
        max_new_tokens: at most this many tokens are made.
        sampling: how each is chosen.
        stop_tokens: ids that end the answer; they are not part of it.
        stop_strings: texts that end the answer; they are not part of it.
    """

    prompt: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling = Sampling()
    stop_tokens: frozenset[int] = frozenset()
    stop_strings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.prompt:
            raise ValueError("prompt must hold at least one token, given none")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, given {self.max_new_tokens!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One step of an answer.

    Attributes:
        id: the token.
        text: text that has become certain with it; may be empty (half a character, or the start of a stop string).
        logprob: log-probability under the model, before temperature, top-k and top-p.
        finish: ``None`` while it goes on; ``stop`` (a stop token or string) or ``length`` on the last one.
    """

    id: int
    text: str
    logprob: float
    finish: str | None = None


@runtime_checkable
class Engine(Protocol):
    """Answers requests for one model. Safe to share between threads; holds no global state."""

    def generate(self, request: GenerateRequest) -> Iterator[Token]:
        """The answer, token by token; closing the iterator cancels the request."""
        ...

    def close(self) -> None:
        """Give back memory. Requests under way end with ``RuntimeError``."""
        ...
