# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A request for text under way: its answers, each with its own random numbers, text and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tunesmith.engine.answers import Choice, Generation, Token, TokenScore, Usage
from tunesmith.engine.constraint import Grammar
from tunesmith.engine.detokenize import Detokenizer, StopStrings
from tunesmith.engine.low_rank import Adapter
from tunesmith.engine.requests import GenerateRequest
from tunesmith.engine.sampling import Chosen, Sampler
from tunesmith.engine.stream import Stream
from tunesmith.engine.threaded import Work
from tunesmith.engine.vocabulary import Vocabulary

__all__ = ["Continuation", "Writing"]


class Writing(Work):
    """A ``GenerateRequest`` that was taken.

    Args:
        request: what was asked.
        prompt: its token ids.
        most: tokens that each answer may have.
        stop_tokens: ids that end an answer.
        grammars: what its answers must belong to, one for each; empty: nothing.
        adapter: that is added to the model for it.
        vocabulary: of the model.
        before: what the text of an answer goes on from. Default: the prompt.
        stream: as of :class:`Work`.
        timeout: likewise.

    Attributes:
        answers: its continuations.
        cached_tokens: of the prompt, found in the prefix cache.
    """

    def __init__(
        self,
        request: GenerateRequest,
        prompt: Sequence[int],
        *,
        most: int,
        stop_tokens: frozenset[int],
        grammars: Sequence[Grammar] = (),
        adapter: Adapter | None = None,
        vocabulary: Vocabulary,
        before: Sequence[int] = (),
        stream: Stream,
        timeout: float | None,
    ) -> None:
        super().__init__(stream, timeout)
        self.request = request
        self.prompt = tuple(prompt)
        self.prompt_tokens = len(self.prompt)
        self.most = most
        self.most_tokens = most * request.choices
        self.stop_tokens = stop_tokens
        self.adapter = adapter
        self.cached_tokens = 0
        self.answers = [
            Continuation(
                self, number, Detokenizer(vocabulary, before or prompt), grammars[number] if grammars else None
            )
            for number in range(request.choices)
        ]

    @property
    def key(self) -> object:
        """What may share cached prefixes with it."""
        return (self.adapter, self.request.cache_salt)

    @property
    def done(self) -> bool:
        """All of its answers have ended."""
        return all(answer.finish for answer in self.answers)

    def generation(self) -> Generation:
        """The whole answer."""
        made = sum(len(answer.made) for answer in self.answers)
        usage = Usage(len(self.prompt), self.cached_tokens, made)
        return Generation(tuple(answer.choice() for answer in self.answers), usage)


class Continuation:
    """One answer.

    Attributes:
        work: the request it belongs to.
        number: which of its answers.
        tokens: the prompt and the answer so far.
        cached: how many of these have their keys and values in the slot.
        slot: where; ``None`` while it has none.
        finish: why it ended; ``None`` while it goes on.
        made: the answer's tokens as they were told.
    """

    def __init__(self, work: Writing, number: int, text: Detokenizer, grammar: Grammar | None) -> None:
        request = work.request
        self.work = work
        self.number = number
        self.tokens = list(work.prompt)
        self.cached = 0
        self.slot: int | None = None
        self.finish: str | None = None
        self.made: list[Token] = []
        seed = (request.sampling.seed + number) % 2**63
        self.sampler = Sampler(replace(request.sampling, seed=seed), work.prompt, grammar)
        self._text = text
        self._stops = StopStrings(request.stop_strings)

    @property
    def pending(self) -> int:
        """Tokens that the model has yet to read."""
        return len(self.tokens) - self.cached

    @property
    def room(self) -> int:
        """Tokens that may follow the next one."""
        return self.work.most - len(self.made) - 1

    def accept(self, chosen: Chosen, spell: Callable[[int], bytes]) -> Token:
        """Go on with a token.

        Args:
            chosen: the token.
            spell: the bytes of a token.

        Returns:
            What is to be told of it.

        Raises:
            RequestError: its grammar became too costly to follow.
        """
        token, work = chosen.token, self.work
        ended = token in work.stop_tokens
        whole = False
        if not ended:
            self.tokens.append(token)
            whole = self.sampler.accept(token)
        piece, found = self._stops.push(self._text.flush() if ended else self._text.push(token))
        last = ended or whole or len(self.made) + 1 == work.most
        if last and not found:
            rest, found = ("", False) if ended else self._stops.push(self._text.flush())
            piece += rest if found else rest + self._stops.flush()
        self.finish = "stop" if ended or found or whole else "length" if last else None
        score: TokenScore | None = None
        alternatives: tuple[TokenScore, ...] = ()
        if work.request.logprobs is not None:
            score = TokenScore(token, spell(token), chosen.logprob)
            alternatives = tuple(TokenScore(other, spell(other), value) for other, value in chosen.alternatives)
        made = Token(
            id=token,
            text=piece,
            logprob=chosen.logprob,
            finish=self.finish,
            choice=self.number,
            score=score,
            alternatives=alternatives,
        )
        self.made.append(made)
        return made

    def choice(self) -> Choice:
        """The whole answer."""
        return Choice("".join(token.text for token in self.made), self.finish or "length", tuple(self.made))
