# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How many tokens are worth a guess: by what verifying one costs here, and how often an answer's guesses were right."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.steps import Part, StepDecoder

__all__ = ["TOGETHER", "Costs", "Pace", "seconds_of_a_step"]

TOGETHER: Final = 8
"""Tokens of a step, all answers together, up to which more of them cost little: products of few rows wait for the
memory. On two cores of a Zen 3, eight tokens of a 596 M model in fp16 take 1.2 times as long as one, sixteen 3.3."""

_HOPE: Final = 0.7  # that a guess is right, before one was tried
_MEMORY: Final = 0.8  # of the rate so far that stays with each new token's outcome
_RECOVERY: Final = 0.02  # by which the rate grows in a step without guesses, so that they are tried again


def seconds_of_a_step(decoder: StepDecoder, tokens: int, *, turns: int = 3) -> float:
    """How long a step of one sequence with so many tokens takes. Measured: some steps long.

    Args:
        decoder: computes.
        tokens: of the step.
        turns: of which the fastest counts.
    """
    import torch  # not before an engine is opened

    memory = KeysValues.of(decoder, slots=1, capacity=2 * TOGETHER)
    best = math.inf
    with torch.inference_mode():
        for turn in range(turns + 1):
            begin = time.perf_counter()
            decoder.step(memory, [Part(0, TOGETHER - 1, range(tokens))], range(tokens)).sum().item()
            if turn:  # the first lays out its memory
                best = min(best, time.perf_counter() - begin)
    return best


@dataclass(frozen=True, slots=True)
class Costs:
    """As parts of the time of a step of one token.

    Attributes:
        verify: one more token in a step.
        draft: one token of the draft model; 0: there is none.
    """

    verify: float
    draft: float = 0.0

    @classmethod
    def measured(cls, decoder: StepDecoder, draft: StepDecoder | None) -> Costs:
        """On this machine, which does nothing else meanwhile."""
        many = seconds_of_a_step(decoder, TOGETHER)
        one = seconds_of_a_step(decoder, 1)
        drafted = 0.0 if draft is None else seconds_of_a_step(draft, 1)
        return cls(max(0.01, (many / one - 1) / (TOGETHER - 1)), drafted / one)


class Pace:
    """Of one answer and one way of guessing.

    Args:
        verify: what one more token in a step costs, as a part of a step of one.
        guess: what it costs to guess it, likewise.
    """

    def __init__(self, verify: float, guess: float = 0.0) -> None:
        self._verify, self._guess = verify, guess
        self._rate = _HOPE

    def most(self, answers: int) -> int:
        """How many tokens in a row to guess, where so many answers share the step; 0: it does not pay.

        A guess that is right gives one token more, where a step gives one for each answer. The k-th guess is right with
        the rate's k-th power, and has to be worth more than it costs.
        """
        worth = (self._verify + self._guess) * answers / (1 + self._verify * (answers - 1))
        room = TOGETHER // answers - 1
        if worth >= 1 or room < 1:
            return 0
        rate = min(self._rate, 0.99)
        return min(room, int(math.log(worth) / math.log(rate))) if rate > worth else 0

    def told(self, guessed: int, right: int) -> None:
        """The first ``right`` of these guesses were right; of those behind the first wrong one nothing is known."""
        for place in range(min(guessed, right + 1)):
            self._rate = _MEMORY * self._rate + (1 - _MEMORY) * (place < right)

    def rest(self) -> None:
        """A step without a guess."""
        self._rate = min(_HOPE, self._rate + _RECOVERY)
