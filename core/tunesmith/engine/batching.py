# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Continuous batching: answers come and go at every step, and one step serves all that are under way.

A step reads the next token of every answer that is being made and, within a budget, the next part of prompts that are
being read, so that a long prompt holds nobody up. This file decides which slot an answer has and who takes part in a
step; the arithmetic is the decoder's.

Everything here runs in the engine's own thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tunesmith.engine.accelerated import Joined
from tunesmith.engine.acceleration import Beginning
from tunesmith.engine.continuation import Continuation, Writing
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.sampling import Chosen, choose
from tunesmith.engine.slots import Slots
from tunesmith.engine.steps import Part, StepDecoder
from tunesmith.engine.writing import WritingEngine
from tunesmith.errors import TunesmithError

if TYPE_CHECKING:
    import torch

__all__ = ["Batching", "BatchingEngine"]


class _Part(NamedTuple):
    """What one answer adds to a step: its slot, tokens that are read, and guesses of what follows them."""

    answer: Continuation
    slot: int
    size: int
    guesses: Sequence[int] = ()


class Batching:
    """The answers of one decoder.

    Args:
        decoder: computes.
        memory: for its keys and values.
        prompt_tokens: of prompts, read in one step at most.
        joined: what accelerations add. Default: nothing.

    Attributes:
        slots: who has which.
        guessed: tokens so far, of all answers.
        right: of these, chosen.
    """

    def __init__(
        self, decoder: StepDecoder, memory: KeysValues, *, prompt_tokens: int, joined: Joined | None = None
    ) -> None:
        self._decoder = decoder
        self._memory = memory
        self._budget = prompt_tokens
        self._answers: list[Continuation] = []
        self._joined = joined or Joined((), None, None)
        self._fresh: list[Continuation] = []  # those that have had a slot since the last step
        self.slots = Slots(memory)
        self.guessed = self.right = 0

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
        for among in (self._answers, self._fresh):
            if answer in among:
                among.remove(answer)
        if answer.slot is not None:
            self.slots.give_back(answer.slot)
            answer.slot = None
        self._joined.ended(answer)

    def settle(self) -> Iterator[Writing]:
        """Before a step: give slots to answers that wait for one, and look for what is kept of their beginnings.

        What is kept may have to be read from a disk: so this is called without the engine's lock, and who hands a
        request over need not wait for it.

        Yields:
            Requests that have just begun, with their ``cached_tokens``.
        """
        for answer in [answer for answer in self._answers if answer.slot is None]:
            first = answer.work.answers[0]
            if first.finish or first.pending == 1:
                self._place([answer])
        fresh, self._fresh = self._fresh, []
        for answer in fresh:
            if self._joined.prefixes is not None and answer.slot is not None:
                self._look_behind(answer, answer.slot)
            if answer.number == 0 and not answer.work.paused:
                answer.work.cached_tokens = answer.cached
                yield answer.work

    def step(self) -> Iterator[tuple[Continuation, Chosen | TunesmithError]]:
        """Compute one step, once :meth:`settle` is done: answers whose next token is known, each with it or with what
        went wrong.

        An answer may come several times. What is given must have been told to the answer before the next is asked for.
        """
        parts = self._parts()
        if parts:
            yield from self._compute(parts)

    def _place(self, answers: Sequence[Continuation]) -> None:
        for answer in answers[: self.slots.free]:
            answer.slot, answer.cached = self.slots.take(answer.tokens, answer.work.key)
            self._fresh.append(answer)

    def _look_behind(self, answer: Continuation, slot: int) -> None:
        """Whether what is kept of beginnings reaches further than the memory; let what two prompts share be kept."""
        adapter, salt = answer.work.adapter, answer.work.request.cache_salt
        whole = Beginning(answer.tokens, adapter, salt)
        found = self._joined.restore(whole, answer.cached, self._memory, slot)
        if found > answer.cached:
            self.slots.grow(slot, answer.tokens[answer.cached : found])
            answer.cached = found
        elif self.slots.forked(slot):
            self._joined.shared(Beginning(answer.tokens[: answer.cached], adapter, salt), self._memory, slot)

    def _parts(self) -> list[_Part]:
        """Who takes part. Those with one token come first."""
        placed = [(answer, answer.slot) for answer in self._answers if answer.slot is not None]
        ones = [_Part(answer, slot, 1) for answer, slot in placed if answer.pending == 1]
        if self._joined.guesser is not None and ones:
            rooms = [min(one.answer.room, self._memory.capacity - len(one.answer.tokens)) for one in ones]
            guesses = self._joined.guess([one.answer for one in ones], rooms, self._decoder.shape.vocabulary)
            ones = [one._replace(guesses=guessed) for one, guessed in zip(ones, guesses, strict=True)]
            ones.sort(key=lambda one: bool(one.guesses))
        parts, left = ones, self._budget
        for answer, slot in placed:
            size = min(answer.pending, left)
            if answer.pending > 1 and size > 1:  # a single token of a longer prompt would have to stand among the first
                parts.append(_Part(answer, slot, size))
                left -= size
        return parts

    def _compute(self, parts: Sequence[_Part]) -> Iterator[tuple[Continuation, Chosen | TunesmithError]]:
        plan: list[Part] = []
        due: list[_Part] = []
        wanted: list[int] = []
        count = 0
        for part in parts:
            answer, start = part.answer, part.answer.cached
            read = [*answer.tokens[start : start + part.size], *part.guesses]
            plan.append(Part(part.slot, start, read, answer.work.adapter))
            count += len(read)
            if part.size == answer.pending:
                due.append(part)
                wanted.extend(range(count - len(part.guesses) - 1, count))
        logits = self._decoder.step(self._memory, plan, wanted)
        for part in parts:
            self._read(part.answer, part.slot, part.size)
        if due:
            yield from self._choose(logits, due)

    def _read(self, answer: Continuation, slot: int, size: int) -> None:
        """The keys and values of an answer's next tokens are in its slot."""
        self.slots.grow(slot, answer.tokens[answer.cached : answer.cached + size])
        answer.cached += size

    def _choose(
        self, logits: torch.Tensor, due: Sequence[_Part]
    ) -> Iterator[tuple[Continuation, Chosen | TunesmithError]]:
        """The next token of each answer; and of those that go on as was guessed, the next after it.

        A sampler is asked for a token only when all before it are chosen, so that it draws as it would without guesses.
        """
        firsts = [0]
        for part in due:
            firsts.append(firsts[-1] + 1 + len(part.guesses))
        # What no draw and no penalty has a part in does not depend on the tokens before: all at once is faster.
        sure = [n for n, part in enumerate(due) if part.guesses and not part.answer.sampler.follows]
        known: dict[int, Chosen | TunesmithError] = {}
        if sure:
            rows = [row for n in sure for row in range(firsts[n], firsts[n + 1])]
            owners = [due[n].answer for n in sure for _ in range(firsts[n], firsts[n + 1])]
            known = dict(zip(rows, self._chosen(logits, rows, owners), strict=True))
        going, place = list(range(len(due))), 0
        while going:
            rows = [firsts[n] + place for n in going if firsts[n] + place not in known]
            owners = [due[n].answer for n in going if firsts[n] + place not in known]
            known.update(zip(rows, self._chosen(logits, rows, owners), strict=True))
            still = []
            for n in going:
                answer, guesses = due[n].answer, due[n].guesses
                chosen = known[firsts[n] + place]
                yield answer, chosen
                right = place < len(guesses) and isinstance(chosen, Chosen) and chosen.token == guesses[place]
                if right and answer.finish is None and answer.slot is not None:
                    self._read(answer, answer.slot, 1)
                    still.append(n)
                elif guesses:
                    self.guessed += len(guesses)
                    self.right += place + right
                    self._joined.told(answer, len(guesses), place + right)
            going, place = still, place + 1

    @staticmethod
    def _chosen(
        logits: torch.Tensor, rows: Sequence[int], owners: Sequence[Continuation]
    ) -> list[Chosen | TunesmithError]:
        if not rows:
            return []
        alternatives = [answer.work.request.logprobs or 0 for answer in owners]
        part = logits if len(rows) == len(logits) else logits[list(rows)]
        return choose(part, [answer.sampler for answer in owners], alternatives, compiled=True)


class BatchingEngine(WritingEngine):
    """Answers many requests in every step. Whoever derives from it sets ``_batching`` before the thread starts."""

    _batching: Batching

    def _has_room(self) -> bool:
        return self._batching.room > 0

    def _start(self, work: Writing) -> None:
        # What one that gave its place up had read and made is read again, in parts, from where the prefix cache ends.
        self._batching.add([answer for answer in work.answers if not answer.finish])
        if not work.paused:
            self._counts.prompt_tokens += len(work.prompt)

    def _pause(self, work: Writing) -> None:
        self._leave(work)

    def _step(self) -> None:
        for work in self._batching.settle():
            self._counts.cached_tokens += work.cached_tokens
        for answer, chosen in self._batching.step():
            self._tell(answer, chosen)

    def _ended(self, answer: Continuation) -> None:
        self._batching.remove(answer)

    def _leave(self, work: Writing) -> None:
        for answer in work.answers:
            self._batching.remove(answer)
