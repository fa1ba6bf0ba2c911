# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Guesses by a smaller model with the same tokens: its likeliest token, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.engine.acceleration import Underway
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.steps import Part, StepDecoder

__all__ = ["Draft"]

_PART = 512  # tokens of a prompt that it reads in one step


@dataclass(slots=True)
class _Read:
    slot: int
    tokens: list[int]  # whose keys and values are in the slot


class Draft:
    """A decoder that runs ahead of the engine's own. Each answer has a slot of its own memory.

    Args:
        decoder: of the smaller model.
        slots: answers at once.
        capacity: tokens of prompt and answer together; longer ones get no guesses.
    """

    def __init__(self, decoder: StepDecoder, *, slots: int, capacity: int) -> None:
        self._decoder = decoder
        self._memory = KeysValues.of(decoder, slots=slots, capacity=min(capacity, decoder.shape.context))
        self._free = list(range(slots))
        self._read: dict[Underway, _Read] = {}

    def guess(self, asked: Sequence[tuple[Underway, int]]) -> list[list[int]]:
        """So many likely tokens of each answer; none where it has no slot or no room."""
        guesses: list[list[int]] = [[] for _ in asked]
        going = []
        for place, (answer, most) in enumerate(asked):
            read = self._slot_of(answer)
            room = self._memory.capacity - len(answer.tokens)
            if read is not None and room > 0:
                going.append((place, read, list(answer.tokens), min(most, room)))
        while going:
            logits = self._last_logits([(read, tokens) for _, read, tokens, _ in going])
            still = []
            for (place, read, tokens, most), token in zip(going, logits, strict=True):
                guesses[place].append(token)
                if len(guesses[place]) < most:
                    still.append((place, read, [*tokens, token], most))
            going = still
        return guesses

    def ended(self, answer: Underway) -> None:
        """Give back its slot."""
        read = self._read.pop(answer, None)
        if read is not None:
            self._free.append(read.slot)

    def close(self) -> None:
        """Give back threads."""
        self._decoder.close()

    def _slot_of(self, answer: Underway) -> _Read | None:
        read = self._read.get(answer)
        if read is None and self._free:
            read = self._read[answer] = _Read(self._free.pop(), [])
        return read

    def _last_logits(self, asked: Sequence[tuple[_Read, list[int]]]) -> list[int]:
        """The likeliest token behind each sequence; what it had read of another way is read over."""
        for read, tokens in asked:
            same = _common(read.tokens, tokens)
            del read.tokens[min(same, len(tokens) - 1) :]
            while len(tokens) - len(read.tokens) > _PART:
                part = tokens[len(read.tokens) : len(read.tokens) + _PART]
                self._decoder.step(self._memory, [Part(read.slot, len(read.tokens), part)], [])
                read.tokens.extend(part)
        # Those that add one token come first, as a step wants them.
        order = sorted(range(len(asked)), key=lambda n: len(asked[n][1]) - len(asked[n][0].tokens) > 1)
        parts, wanted, count = [], [], 0
        for n in order:
            read, tokens = asked[n]
            added = tokens[len(read.tokens) :]
            parts.append(Part(read.slot, len(read.tokens), added))
            count += len(added)
            wanted.append(count - 1)
            read.tokens.extend(added)
        best = self._decoder.step(self._memory, parts, wanted).argmax(-1).tolist()
        found = [0] * len(asked)
        for n, token in zip(order, best, strict=True):
            found[n] = int(token)
        return found


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    size = min(len(one), len(other))
    if list(one[:size]) == list(other[:size]):
        return size
    return next(place for place in range(size) if one[place] != other[place])
