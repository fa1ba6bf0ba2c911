# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The native engine for other models that write: encoder-decoders, decoders with sliding windows, and so on.

The model's own code computes, each answer with a cache of its own. Answers under way take turns, token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tunesmith.engine.continuation import Continuation, Writing
from tunesmith.engine.decoder import dtype_name
from tunesmith.engine.decoding import Continuing, Decoding, Translating
from tunesmith.engine.native import context_of
from tunesmith.engine.protocol import EngineStats
from tunesmith.engine.rendering import Rendering
from tunesmith.engine.sampling import choose
from tunesmith.engine.writing import Limits, WritingEngine, room_for
from tunesmith.errors import RequestError

__all__ = ["SequentialEngine"]


class SequentialEngine(WritingEngine):
    """An ``Engine`` over a transformers model that writes.

    Args:
        model: a causal language model or an encoder-decoder; it is put into evaluation mode.
        rendering: as of :class:`WritingEngine`; so are the others.
    """

    def __init__(self, model: nn.Module, rendering: Rendering, *, name: str, task: str, limits: Limits) -> None:
        weights = dtype_name(next(model.parameters()).dtype)
        super().__init__(rendering, name=name, task=task, context=context_of(model), weights=weights, limits=limits)
        self._model: Any = model.eval()
        self._slots = limits.slots
        self._decodings: dict[Continuation, Decoding] = {}
        self._thread.start()

    def _room(self, prompt: Sequence[int], wanted: int | None) -> int:
        start = self._rendering.start
        if not start:
            return super()._room(prompt, wanted)
        if self._context is not None and len(prompt) > self._context:  # encoder and decoder are filled each by itself
            raise RequestError(
                "the source does not fit into the model's context",
                parameter="prompt",
                given=f"{len(prompt):,} tokens",
                expected=f"at most {self._context:,}",
                fix="shorten it",
            )
        return room_for(start, wanted, self._context)

    def _has_room(self) -> bool:
        return sum(len(work.answers) for work in self._running) < self._slots

    def _start(self, work: Writing) -> None:
        if not work.paused:
            self._counts.prompt_tokens += len(work.prompt)

    def _pause(self, work: Writing) -> None:
        """Its keys and values stay: these models' code reads nothing again as it was made, to the last bit."""

    def _step(self) -> None:
        for work in list(self._running):
            for answer in work.answers:
                if answer.finish is None and not work.gone() and not work.stream.done:
                    logits = self._logits(answer)
                    self._tell(answer, choose(logits, [answer.sampler], [work.request.logprobs or 0])[0])

    def _logits(self, answer: Continuation) -> torch.Tensor:
        """Of the next token, (1, V)."""
        if answer not in self._decodings:
            prompt, start = answer.work.prompt, self._rendering.start
            begun = Translating(self._model, [prompt], start) if start else Continuing(self._model, [prompt])
            self._decodings[answer] = begun
            return begun.first()
        device = self._model.get_input_embeddings().weight.device
        return self._decodings[answer].next(torch.tensor(answer.tokens[-1:], device=device))

    def _ended(self, answer: Continuation) -> None:
        self._decodings.pop(answer, None)

    def _leave(self, work: Writing) -> None:
        for answer in work.answers:
            self._decodings.pop(answer, None)

    def _more_stats(self) -> EngineStats:
        return EngineStats(slots=self._slots, slots_used=sum(len(work.answers) for work in self._running))
