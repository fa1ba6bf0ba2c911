# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Continuous batching: answers come and go at every step, and one step serves all that are under way.

A step reads the next token of every answer that is being made and, within a budget, the next part of prompts that are
being read, so that a long prompt holds nobody up. This file decides which slot an answer has and who takes part in a
step; the arithmetic is the decoder's.

Everything here runs in the engine's own thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.engine.continuation import Continuation, Writing
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.sampling import Chosen, choose
from tunesmith.engine.slots import Slots
from tunesmith.engine.steps import Part, StepDecoder
from tunesmith.engine.writing import WritingEngine
from tunesmith.errors import TunesmithError

__all__ = ["Batching", "BatchingEngine"]


class Batching:
    """The answers of one decoder.

    Args:
        decoder: computes.
        memory: for its keys and values.
        prompt_tokens: of prompts, read in one step at most.
    """

    def __init__(self, decoder: StepDecoder, memory: KeysValues, *, prompt_tokens: int) -> None:
        self._decoder = decoder
        self._memory = memory
        self._budget = prompt_tokens
        self._answers: list[Continuation] = []
        self.slots = Slots(memory)

    @property
    def room(self) -> int:
        """Slots that are free and that no answer under way waits for."""
        return self.slots.free - sum(answer.slot is None for answer in self._answers)

    def add(self, answers: Sequence[Continuation]) -> None:
        """Begin the answers to one prompt. The first has a slot at once; the others when the prompt has been read, so
        that it is read once."""
        self._answers.extend(answers)
        self._place(answers[:1])

    def remove(self, answer: Continuation) -> None:
        """End an answer. What was cached for it stays for later prompts."""
        if answer in self._answers:
            self._answers.remove(answer)
        if answer.slot is not None:
            self.slots.give_back(answer.slot)
            answer.slot = None

    def step(self) -> list[tuple[Continuation, Chosen | TunesmithError]]:
        """Compute one step: the answers whose next token is known, each with it or with what went wrong."""
        for answer in [answer for answer in self._answers if answer.slot is None]:
            first = answer.work.answers[0]
            if first.finish or first.pending == 1:
                self._place([answer])
        parts = self._parts()
        return self._compute(parts) if parts else []

    def _place(self, answers: Sequence[Continuation]) -> None:
        for answer in answers[: self.slots.free]:
            answer.slot, answer.cached = self.slots.take(answer.tokens, answer.work.key)
            if answer.number == 0:
                answer.work.cached_tokens = answer.cached

    def _parts(self) -> list[tuple[Continuation, int, int]]:
        """Who takes part: answer, slot, tokens that are read. Those with one token come first."""
        placed = [(answer, answer.slot) for answer in self._answers if answer.slot is not None]
        parts = [(answer, slot, 1) for answer, slot in placed if answer.pending == 1]
        left = self._budget
        for answer, slot in placed:
            size = min(answer.pending, left)
            if answer.pending > 1 and size > 1:  # a single token of a longer prompt would have to stand among the first
                parts.append((answer, slot, size))
                left -= size
        return parts

    def _compute(
        self, parts: Sequence[tuple[Continuation, int, int]]
    ) -> list[tuple[Continuation, Chosen | TunesmithError]]:
        plan: list[Part] = []
        due: list[Continuation] = []
        wanted: list[int] = []
        count = 0
        for answer, slot, size in parts:
            start = answer.cached
            plan.append(Part(slot, start, answer.tokens[start : start + size], answer.work.adapter))
            count += size
            if size == answer.pending:
                due.append(answer)
                wanted.append(count - 1)
        logits = self._decoder.step(self._memory, plan, wanted)
        for answer, slot, size in parts:
            self.slots.grow(slot, answer.tokens[answer.cached : answer.cached + size])
            answer.cached += size
        if not due:
            return []
        alternatives = [answer.work.request.logprobs or 0 for answer in due]
        chosen = choose(logits, [answer.sampler for answer in due], alternatives, compiled=True)
        return list(zip(due, chosen, strict=True))


class BatchingEngine(WritingEngine):
    """Answers many requests in every step. Whoever derives from it sets ``_batching`` before the thread starts."""

    _batching: Batching

    def _begin(self) -> None:
        while self._waiting and self._batching.room > 0:
            work = self._next()
            self._running.append(work)
            self._batching.add(work.answers)
            self._counts.prompt_tokens += len(work.prompt)
            self._counts.cached_tokens += work.cached_tokens

    def _step(self) -> None:
        for answer, chosen in self._batching.step():
            self._tell(answer, chosen)

    def _ended(self, answer: Continuation) -> None:
        self._batching.remove(answer)

    def _leave(self, work: Writing) -> None:
        for answer in work.answers:
            self._batching.remove(answer)
