# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The guesser that an engine is given: what each answer's guesses rest on, and how many of all are worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tunesmith.engine.acceleration import Underway
from tunesmith_enterprise.optimizations.speculation.draft import Draft
from tunesmith_enterprise.optimizations.speculation.lookup import Lookup
from tunesmith_enterprise.optimizations.speculation.pace import TOGETHER, Costs, Kind, Rate, worth

__all__ = ["Guessing"]


@dataclass(slots=True)
class _Answer:
    lookup: Lookup = field(default_factory=Lookup)
    rates: dict[Kind, Rate] = field(default_factory=lambda: {kind: Rate(kind) for kind in Kind})
    size: int = 0  # tokens at the last step
    found: list[int] = field(default_factory=list)  # by looking back then
    kinds: list[Kind] = field(default_factory=list)  # what these rest on

    def look(self, tokens: Sequence[int], most: int) -> None:
        """See how the last guesses came out, and look back for the next ones.

        What was found is held against the answer whether it was tried or not: a guess that did not pay costs nothing
        to judge, and is tried again as soon as its kind is right.
        """
        for place, (guessed, came) in enumerate(zip(self.found, tokens[self.size :], strict=False)):
            self.rates[self.kinds[place]].told(guessed == came)
            if guessed != came:
                break
        self.size = len(tokens)
        self.found = self.lookup.guess(tokens, most)
        self.kinds = self.lookup.kinds(len(self.found))

    def chances(self, kinds: Sequence[Kind]) -> list[float]:
        """Of guesses of these kinds, each if those before it are right."""
        return [self.rates[kind].value for kind in kinds]


class Guessing:
    """As :class:`tunesmith.engine.acceleration.Guesser` says.

    Args:
        costs: of verifying and of guessing.
        draft: a smaller model, asked where it is right more often than looking back; None: nobody.
    """

    def __init__(self, costs: Costs, draft: Draft | None = None) -> None:
        self._costs = costs
        self._draft = draft
        self._answers: dict[Underway, _Answer] = {}
        self._drafted: set[Underway] = set()  # whose guesses in this step are the draft model's

    def guess(self, answers: Sequence[Underway], rooms: Sequence[int]) -> list[list[int]]:
        """What likely follows, as far as it pays."""
        states = [self._answers.get(answer) or self._answers.setdefault(answer, _Answer()) for answer in answers]
        rooms = [min(room, TOGETHER - 1) for room in rooms]
        for state, answer, room in zip(states, answers, rooms, strict=True):
            state.look(answer.tokens, room)
        drafted = [place for place, state in enumerate(states) if self._prefers_draft(state)]
        chances = [
            state.chances([Kind.DRAFT] * room if place in drafted else state.kinds)
            for place, (state, room) in enumerate(zip(states, rooms, strict=True))
        ]
        most = worth(chances, self._costs, drafted)
        guesses = [state.found[:count] for state, count in zip(states, most, strict=True)]
        self._drafted.clear()
        if self._draft is not None and drafted:
            asked = [place for place in drafted if most[place]]
            made = self._draft.guess([(answers[place], most[place]) for place in asked]) if asked else []
            for place, one in zip(asked, made, strict=True):
                guesses[place] = one
                self._drafted.add(answers[place])
            for place in drafted:
                rate = states[place].rates[Kind.DRAFT]
                if not most[place]:
                    rate.rest()
                elif not guesses[place]:  # no room for the answer: as good as wrong, so that looking back takes over
                    rate.told(False)
        return guesses

    def told(self, answer: Underway, guessed: int, right: int) -> None:
        """How guesses of the draft model came out; of those behind the first wrong one nothing is known."""
        if answer in self._drafted:
            for place in range(min(guessed, right + 1)):
                self._answers[answer].rates[Kind.DRAFT].told(place < right)

    def ended(self, answer: Underway) -> None:
        """Forget an answer."""
        self._answers.pop(answer, None)
        self._drafted.discard(answer)
        if self._draft is not None:
            self._draft.ended(answer)

    def _prefers_draft(self, state: _Answer) -> bool:
        if self._draft is None:
            return False
        return not state.found or state.rates[state.kinds[0]].value < state.rates[Kind.DRAFT].value
