# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which sequence has which slot of the memory, and what earlier ones left there that a new one may go on from.

A slot that is given back keeps its keys and values until somebody else needs it: the next prompt that begins alike
(the same system prompt, the same conversation one turn later) starts behind them. What belongs to another adapter or
another salt is never shared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from tunesmith.engine.keys_values import KeysValues

__all__ = ["LEAST_SHARED", "Slots"]

LEAST_SHARED = 8
"""Tokens. Shorter beginnings are not worth a copy."""

_MOSTLY = 0.5  # of what a free slot holds must be shared, or its content is kept and copied from


@dataclass(slots=True)
class _Slot:
    tokens: list[int] = field(default_factory=list)  # whose keys and values are in it
    key: object = None  # what may share them
    taken: bool = False
    forked: bool = False  # its tokens are how an earlier sequence began, which went on otherwise
    used: int = 0  # when it was last taken or given back, by the clock below


class Slots:
    """The slots of one memory.

    Args:
        memory: where the keys and values are.
        least_copied: tokens; shorter beginnings are not copied from one slot to another.
    """

    def __init__(self, memory: KeysValues, *, least_copied: int = LEAST_SHARED) -> None:
        self._memory = memory
        self._least_copied = least_copied
        self._slots = [_Slot() for _ in range(memory.slots)]
        self._clock = itertools.count(1)

    @property
    def free(self) -> int:
        """Slots that nobody has."""
        return sum(not slot.taken for slot in self._slots)

    @property
    def kept_tokens(self) -> int:
        """Tokens in free slots, there for later prompts."""
        return sum(len(slot.tokens) for slot in self._slots if not slot.taken)

    @property
    def used_tokens(self) -> int:
        """Tokens in slots that are taken."""
        return sum(len(slot.tokens) for slot in self._slots if slot.taken)

    def take(self, prompt: Sequence[int], key: object) -> tuple[int, int]:
        """A free slot for a prompt, and how many of its tokens are in it already: never all, for the last one's logits
        are needed.

        Args:
            prompt: token ids.
            key: sequences share what they begin with only where this is equal.

        Raises:
            LookupError: no slot is free.
        """
        free = [number for number, slot in enumerate(self._slots) if not slot.taken]
        if not free:
            raise LookupError("no slot is free")
        source, shared = self._longest(prompt, key)
        target = min(free, key=lambda number: (self._slots[number].used, number))
        forked = 0 < shared < len(self._slots[source].tokens)
        if shared:
            slot = self._slots[source]
            if not slot.taken and (shared >= _MOSTLY * len(slot.tokens) or free == [source]):
                target = source
            elif source != target:
                if shared >= self._least_copied:
                    self._memory.copy(source, target, shared)
                else:
                    shared = 0
        slot = self._slots[target]
        slot.tokens, slot.key, slot.taken, slot.used = list(prompt[:shared]), key, True, next(self._clock)
        slot.forked = forked and shared > 0
        return target, shared

    def forked(self, slot: int) -> bool:
        """Whether it was taken for a prompt that begins like an earlier sequence and goes on otherwise."""
        return self._slots[slot].forked

    def _longest(self, prompt: Sequence[int], key: object) -> tuple[int, int]:
        """The slot that shares most of the beginning, and how much."""
        best, most = 0, 0
        for number, slot in enumerate(self._slots):
            if slot.key == key and len(slot.tokens) > most:
                shared = _common(slot.tokens, prompt, len(prompt) - 1)
                if shared > most:
                    best, most = number, shared
        return (best, most) if most >= LEAST_SHARED else (0, 0)

    def grow(self, slot: int, tokens: Sequence[int]) -> None:
        """Keys and values of these tokens have been added to a slot."""
        self._slots[slot].tokens.extend(tokens)

    def give_back(self, slot: int) -> None:
        """Nobody needs it any more; what is in it stays until it is taken."""
        self._slots[slot].taken, self._slots[slot].used = False, next(self._clock)


def _common(one: Sequence[int], other: Sequence[int], most: int) -> int:
    """How many tokens two sequences begin with alike."""
    size = min(len(one), len(other), most)
    if one[:size] == list(other[:size]):
        return size
    return next(place for place in range(size) if one[place] != other[place])
