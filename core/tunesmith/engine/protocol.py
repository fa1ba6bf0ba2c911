# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The one protocol behind Python, the command line, HTTP and batch files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from tunesmith.engine.requests import Message, Prompt, Request, Sampling
from tunesmith.engine.stream import Stream

__all__ = ["Engine", "EngineInfo", "EngineStats", "conversation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine serves.

    Attributes:
        name: of the model, as clients ask for it.
        task: e.g. ``chat`` or ``text-classification``.
        kinds: which requests it takes: ``generate``, ``predict``, ``embed``, ``rank``.
        chats: it answers conversations, not only texts.
        features: what of a ``GenerateRequest`` it can do beyond the plain: ``choices``, ``logprobs``, ``constraint``,
            ``tools``, ``logit_bias``, ``penalties``, ``adapters``, ``token_prompts``.
        context: longest prompt and answer together, in tokens; ``None``: no limit.
        labels: of a classifier.
        weights: what they are held in: ``fp32``, ``fp16``, ``bf16``, ``int8``; "": not known here.
        sampling: the model's own settings, for requests that leave them to it.
        created: Unix time, in seconds, of the model's making.
    """

    name: str
    task: str
    kinds: frozenset[str]
    chats: bool = False
    features: frozenset[str] = frozenset()
    context: int | None = None
    labels: tuple[str, ...] = ()
    weights: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    created: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """One look at an engine. All are counts; the totals only grow.

    Attributes:
        running: requests under way.
        waiting: requests in the queue.
        slots: answers that can be under way at once.
        slots_used: of these.
        cache_tokens: tokens that the cache of keys and values has room for.
        cache_tokens_used: of these, by requests under way.
        prefix_tokens: kept for later requests.
        requests: ended, by how: ``done``, ``cancelled``, ``failed``.
        prompt_tokens: read.
        cached_tokens: of these, found in the prefix cache.
        completion_tokens: made.
        guessed_tokens: guessed by an acceleration and verified.
        right_tokens: of these, chosen.
        adapters: names of those loaded.
    """

    running: int = 0
    waiting: int = 0
    slots: int = 0
    slots_used: int = 0
    cache_tokens: int = 0
    cache_tokens_used: int = 0
    prefix_tokens: int = 0
    done: int = 0
    cancelled: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    guessed_tokens: int = 0
    right_tokens: int = 0
    adapters: tuple[str, ...] = ()


@runtime_checkable
class Engine(Protocol):
    """Answers requests for one model. Threads may share it; it holds no global state, and several live side by side."""

    @property
    def info(self) -> EngineInfo:
        """What it serves."""
        ...

    def submit(self, request: Request, *, timeout: float | None = None) -> Stream:
        """Take a request, and return at once.

        Args:
            request: what is asked.
            timeout: seconds after which it ends with ``DeadlineError``, waiting included.

        Raises:
            RequestError: it asks for what this engine cannot do. Nothing was begun.
            BusyError: the queue is full.
            DrainingError: :meth:`drain` was called.
        """
        ...

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """The token ids that the model would read, rendered as it was trained.

        Raises:
            RequestError: a prompt this model cannot read.
        """
        ...

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens included.

        Raises:
            RequestError: an id that is not in the vocabulary.
        """
        ...

    def stats(self) -> EngineStats:
        """How it is doing."""
        ...

    def load_adapter(self, name: str, path: Path) -> None:
        """Make an adapter available to requests, from a run or a PEFT folder, while others are served.

        Raises:
            ModelError: it does not fit the model.
            RequestError: the name is taken.
        """
        ...

    def unload_adapter(self, name: str) -> None:
        """Give its memory back; requests under way with it end first.

        Raises:
            RequestError: no such adapter.
        """
        ...

    def drain(self, timeout: float | None = None) -> bool:
        """Take nothing new, and wait until all that was begun has ended; whether it has within ``timeout`` seconds."""
        ...

    def close(self) -> None:
        """Give back memory and threads. Requests under way end with ``CancelledError``. May come twice."""
        ...


def conversation(prompt: Prompt) -> tuple[Message, ...] | None:
    """The messages of a prompt that is a conversation."""
    if isinstance(prompt, str) or not prompt or isinstance(prompt[0], int):
        return None
    return prompt
