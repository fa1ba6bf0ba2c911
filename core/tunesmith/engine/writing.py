# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the native engines that write have in common: how a request is taken, and how its tokens are told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tunesmith.engine.constraint import Grammars
from tunesmith.engine.continuation import Continuation, Writing
from tunesmith.engine.low_rank import Adapter
from tunesmith.engine.protocol import EngineInfo
from tunesmith.engine.rendering import Rendering
from tunesmith.engine.requests import GenerateRequest, Prompt, Request
from tunesmith.engine.sampling import Chosen
from tunesmith.engine.scheduling import Scheduler
from tunesmith.engine.spelling import Spelling
from tunesmith.engine.stream import Stream
from tunesmith.engine.threaded import ThreadedEngine
from tunesmith.engine.vocabulary import Vocabulary
from tunesmith.errors import RequestError, TunesmithError

__all__ = ["Limits", "WritingEngine", "room_for"]

_FEATURES = frozenset({"choices", "logprobs", "constraint", "logit_bias", "penalties", "token_prompts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an engine takes on.

    Attributes:
        slots: answers under way at once.
        context: longest prompt and answer together, in tokens; ``None``: what the model allows.
        waiting: requests in the queue.
        prompt_tokens: of prompts, read in one step: a longer prompt is read in parts, between which others go on.
        scheduler: in which order requests are computed.
    """

    slots: int
    context: int | None
    waiting: int
    prompt_tokens: int
    scheduler: Scheduler = field(default_factory=Scheduler)


class WritingEngine(ThreadedEngine[Writing]):
    """Takes ``GenerateRequest``; how it is computed is for the engines below.

    Args:
        rendering: prompts to tokens, as the model was trained.
        name: of the model, as clients ask for it.
        task: its task.
        context: longest sequence in tokens; ``None``: no limit.
        features: what the engine can do beyond what all of these can.
        weights: what they are held in.
        limits: what it takes on.
    """

    def __init__(
        self,
        rendering: Rendering,
        *,
        name: str,
        task: str,
        context: int | None,
        features: frozenset[str] = frozenset(),
        weights: str,
        limits: Limits,
    ) -> None:
        both = [size for size in (context, limits.context) if size is not None]
        self._context = min(both) if both else None
        super().__init__(
            EngineInfo(
                name=name,
                task=task,
                kinds=frozenset({"generate"}),
                chats=rendering.chats,
                features=_FEATURES | features | ({"tools"} if rendering.takes_tools else set()),
                context=self._context,
                weights=weights,
                sampling=rendering.sampling,
                created=int(time.time()),
            ),
            queue=limits.scheduler.queue(name, slots=limits.slots, waiting=limits.waiting),
        )
        self._rendering = rendering
        self._grammars = Grammars(rendering.tokenizer, rendering.vocabulary, rendering.stop_tokens)
        self._spell = Spelling(rendering.tokenizer).bytes_of
        self._vocabulary = Vocabulary(rendering.tokenizer)

    def _take(self, request: Request, stream: Stream, timeout: float | None) -> Writing:
        if not isinstance(request, GenerateRequest):
            raise self._refuse_kind(request)
        adapter = None if request.adapter is None else self._adapter(request.adapter)
        prompt = self._rendering.tokens(request.prompt, request.tools)
        most = self._room(prompt, request.max_new_tokens)
        self._check_bias(request)
        constraint = request.constraint
        return Writing(
            request,
            prompt,
            most=most,
            stop_tokens=self._rendering.stop_tokens if request.stop_tokens is None else request.stop_tokens,
            grammars=() if constraint is None else [self._grammars.make(constraint) for _ in range(request.choices)],
            adapter=adapter,
            vocabulary=self._vocabulary,
            before=self._rendering.start,
            stream=stream,
            timeout=timeout,
        )

    def _adapter(self, name: str) -> Adapter:
        """A loaded adapter.

        Raises:
            RequestError: there is none of that name.
        """
        raise self._no_adapters(name)

    def _room(self, prompt: Sequence[int], wanted: int | None) -> int:
        """How many tokens an answer may have; ``wanted``: what the request asks for, ``None``: all there is room for.

        Raises:
            RequestError: they do not fit.
        """
        return room_for(prompt, wanted, self._context)

    def _check_bias(self, request: GenerateRequest) -> None:
        size = self._rendering.vocabulary
        wrong = [token for token, _ in request.sampling.logit_bias if not 0 <= token < size]
        if wrong:
            raise RequestError(
                "logit_bias names a token that does not exist",
                parameter="logit_bias",
                given=wrong[0],
                expected=f"ids from 0 to {size - 1:,}",
                fix="use the model's own tokenizer",
            )

    def tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        """As :meth:`tunesmith.engine.Engine.tokenize`."""
        return self._rendering.tokens(prompt)

    def detokenize(self, ids: Sequence[int]) -> str:
        """As :meth:`tunesmith.engine.Engine.detokenize`."""
        return self._rendering.text(ids)

    def _tell(self, answer: Continuation, chosen: Chosen | TunesmithError) -> None:
        """An answer goes on with a token, or its request ends with what went wrong. The others go on."""
        work = answer.work
        if work.stream.done:  # another answer of it has failed in this very step
            return
        try:
            if isinstance(chosen, TunesmithError):
                raise chosen
            token = answer.accept(chosen, self._spell)
        except TunesmithError as error:
            self._finish(work, error)
            return
        self._counts.completion_tokens += 1
        work.made_tokens += 1
        work.stream.push(token)
        if answer.finish:
            self._ended(answer)
            if work.done:
                self._finish(work, work.generation())

    def _ended(self, answer: Continuation) -> None:
        """One answer of a request is whole: give back what it holds."""


def room_for(prompt: Sequence[int], wanted: int | None, context: int | None) -> int:
    """How many tokens an answer may have.

    Args:
        prompt: token ids.
        wanted: what the request asks for; ``None``: all there is room for.
        context: prompt and answer together; ``None``: no limit.

    Raises:
        RequestError: they do not fit.
    """
    if context is None:
        return wanted or 2**31
    room = context - len(prompt)
    if room < 1:
        raise RequestError(
            "the prompt does not fit into the model's context",
            parameter="prompt",
            given=f"{len(prompt):,} tokens",
            expected=f"at most {context - 1:,}, which leaves one for the answer",
            fix="shorten it",
        )
    if wanted is not None and wanted > room:
        raise RequestError(
            "prompt and answer do not fit into the model's context",
            parameter="max_new_tokens",
            given=f"{len(prompt):,} prompt tokens + {wanted:,} new tokens = {len(prompt) + wanted:,}",
            expected=f"at most {context:,} tokens together",
            fix=f"ask for at most {room:,} new tokens (max_new_tokens), or shorten the prompt",
        )
    return wanted or room
