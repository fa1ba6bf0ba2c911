# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The guesser that an engine is given: one way of guessing after another, each answer at its own pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tunesmith.engine.acceleration import Underway
from tunesmith_enterprise.optimizations.speculation.draft import Draft
from tunesmith_enterprise.optimizations.speculation.lookup import Lookup
from tunesmith_enterprise.optimizations.speculation.pace import Costs, Pace

__all__ = ["Guessing"]


@dataclass(slots=True)
class _Answer:
    lookup: Lookup = field(default_factory=Lookup)
    by_lookup: bool = False  # where the last guesses came from: each way has a pace of its own
    paces: dict[bool, Pace] = field(default_factory=dict)


class Guessing:
    """As :class:`tunesmith.engine.acceleration.Guesser` says.

    Args:
        costs: of verifying and of guessing.
        draft: a smaller model, asked where looking back finds nothing; None: nobody.
    """

    def __init__(self, costs: Costs, draft: Draft | None = None) -> None:
        self._costs = costs
        self._draft = draft
        self._answers: dict[Underway, _Answer] = {}

    def guess(self, answers: Sequence[Underway], rooms: Sequence[int]) -> list[list[int]]:
        """What likely follows, as far as it pays."""
        guesses: list[list[int]] = []
        left: list[tuple[int, Underway, int]] = []  # for the draft model
        for place, (answer, room) in enumerate(zip(answers, rooms, strict=True)):
            state = self._state(answer)
            most = min(room, state.paces[True].most(len(answers)))
            found = state.lookup.guess(answer.tokens, most)
            state.by_lookup = bool(found)
            guesses.append(found)
            if self._draft is not None and not found:
                most = min(room, state.paces[False].most(len(answers)))
                if most:
                    left.append((place, answer, most))
        if self._draft is not None and left:
            drafted = self._draft.guess([(answer, most) for _, answer, most in left])
            for (place, _, _), found in zip(left, drafted, strict=True):
                guesses[place] = found
        for answer, found in zip(answers, guesses, strict=True):
            if not found:
                for pace in self._answers[answer].paces.values():
                    pace.rest()
        return guesses

    def told(self, answer: Underway, guessed: int, right: int) -> None:
        """How guesses came out."""
        state = self._answers.get(answer)
        if state is not None:  # else it has ended with one of them
            state.paces[state.by_lookup].told(guessed, right)

    def ended(self, answer: Underway) -> None:
        """Forget an answer."""
        self._answers.pop(answer, None)
        if self._draft is not None:
            self._draft.ended(answer)

    def _state(self, answer: Underway) -> _Answer:
        state = self._answers.get(answer)
        if state is None:
            state = self._answers[answer] = _Answer(
                paces={True: Pace(self._costs.verify), False: Pace(self._costs.verify, self._costs.draft)}
            )
        return state
