# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How many tokens are worth a guess: by what verifying them costs here, and how often an answer's guesses are right."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, pairwise
from operator import mul
from typing import Final

from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.steps import Part, StepDecoder

__all__ = ["TOGETHER", "Costs", "Kind", "Rate", "seconds_of_a_step", "worth"]

TOGETHER: Final = 8
"""Tokens of a step, all answers together, up to which more of them cost little: products of few rows wait for the
memory. On two cores of a Zen 3, eight tokens of a 596 M model in fp16 take 1.2 times as long as one, sixteen 3.3."""

_SIZES: Final = (1, 2, 4, TOGETHER)  # tokens of the steps that are measured; between them costs are taken as straight
_SECONDS: Final = 0.2  # of measuring at least: of a small model a few steps say little
_LEAST: Final = 0.02  # what one more token costs at least: choosing is not measured, and other work moves what is
_BEFORE: Final = 256  # tokens in the memory: behind few of them attention costs nothing, for one token or several

_MEMORY: Final = 0.9  # of the rate so far that stays with each new token's outcome
_RECOVERY: Final = 0.02  # of the way back to the hope, for each step of which nothing is known


def seconds_of_a_step(decoder: StepDecoder, tokens: int, *, turns: int = 3) -> float:
    """How long a step of one sequence with so many tokens takes. Measured: some steps long.

    Args:
        decoder: computes.
        tokens: of the step, at most ``TOGETHER``.
        turns: of which the fastest counts.
    """
    return _seconds_of_steps(decoder, (tokens,), turns=turns)[tokens]


def _seconds_of_steps(
    decoder: StepDecoder, sizes: Sequence[int], *, turns: int, seconds: float = 0.0
) -> dict[int, float]:
    """The same for steps of several sizes, turn about, so that what else the machine does falls on all of them.

    Args:
        seconds: to go on for, if all turns are over sooner.
    """
    import torch  # not before an engine is opened

    before = min(_BEFORE, decoder.shape.context - TOGETHER)
    memory = KeysValues.of(decoder, slots=1, capacity=before + TOGETHER)
    best: dict[int, float] = {}
    with torch.inference_mode():
        decoder.step(memory, [Part(0, 0, range(TOGETHER))], range(TOGETHER))  # the first lays out its memory
        end = time.perf_counter() + seconds
        while turns > 0 or time.perf_counter() < end:
            turns -= 1
            for size in sizes:
                begin = time.perf_counter()
                decoder.step(memory, [Part(0, before, range(size))], range(size)).sum().item()
                took = time.perf_counter() - begin
                best[size] = min(best.get(size, took), took)
    return best


@dataclass(frozen=True, slots=True)
class Costs:
    """As parts of the time of a step of one token.

    Attributes:
        steps: a step of one token, of two, up to ``TOGETHER``. They are no straight line: four rows of a product are
            computed at once, and while the weights come from the memory, more rows cost nothing.
        draft: one token of the draft model; 0: there is none.
    """

    steps: Sequence[float]
    draft: float = 0.0

    @classmethod
    def measured(cls, decoder: StepDecoder, draft: StepDecoder | None) -> Costs:
        """On this machine, which does nothing else meanwhile."""
        seconds = _seconds_of_steps(decoder, _SIZES, turns=2, seconds=_SECONDS)
        steps = [1.0]
        for low, high in pairwise(_SIZES):
            for size in range(low + 1, high + 1):
                between = seconds[low] + (seconds[high] - seconds[low]) * (size - low) / (high - low)
                steps.append(max(between / seconds[1], 1 + _LEAST * (size - 1)))
        return cls(tuple(steps), 0.0 if draft is None else seconds_of_a_step(draft, 1) / seconds[1])


class Kind(Enum):
    """What a guess rests on."""

    COPY = "some tokens alike"
    RESUMED = "close to where a copy ended"
    SINGLE = "one token alike, anywhere"
    DRAFT = "a smaller model"


_HOPES: Final = {Kind.COPY: 0.85, Kind.RESUMED: 0.4, Kind.SINGLE: 0.1, Kind.DRAFT: 0.7}
"""That a guess is right, before one was tried."""


class Rate:
    """How often guesses of one kind are right, in one answer, if those before them are.

    Attributes:
        value: from 0 to 1.
    """

    def __init__(self, kind: Kind) -> None:
        self._hope = self.value = _HOPES[kind]

    def told(self, right: bool) -> None:
        """How one came out."""
        self.value = _MEMORY * self.value + (1 - _MEMORY) * right

    def rest(self) -> None:
        """None was made for a step, so nothing is known of it: what did not pay is tried again some day."""
        self.value += _RECOVERY * (self._hope - self.value)


def worth(chances: Sequence[Sequence[float]], costs: Costs, drafted: Collection[int] = ()) -> list[int]:
    """How many guesses of each answer give the step the most tokens for its time; 0: none pays.

    A step gives one token for each answer and one for each guess that is right, and it is right only if all before it
    are. So the likeliest guesses of all answers come first, and they end where the tokens for the time are the most.

    Args:
        chances: of each answer's first guess, and of each further one if those before it are right; from 0 to 1.
        costs: of a step, and of guessing.
        drafted: answers whose guesses a draft model makes, one token of all of them at a time.
    """
    most = [0] * len(chances)
    if not 0 < len(chances) < TOGETHER:
        return most
    best = len(chances) / costs.steps[len(chances) - 1]
    guesses = sorted(
        (-chance, place, answer)
        for answer, rates in enumerate(chances)
        for place, chance in enumerate(accumulate(rates, mul), 1)
    )
    for deepest in range(TOGETHER if drafted else 1):  # of what the draft model makes: it costs by its depth
        counts, tokens = [0] * len(chances), float(len(chances))
        possible = (one for one in guesses if one[2] not in drafted or one[1] <= deepest)
        for (chance, place, answer), cost in zip(possible, costs.steps[len(chances) :], strict=False):
            counts[answer], tokens = place, tokens - chance
            rate = tokens / (cost + costs.draft * deepest)
            if rate > best:
                best, most = rate, counts.copy()
    return most
