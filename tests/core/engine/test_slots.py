# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Who has which slot, and what a prompt may go on from."""

from __future__ import annotations

import pytest
import torch

from tunesmith.engine.decoder import Shape
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.slots import LEAST_SHARED, Slots

LONG = list(range(LEAST_SHARED + 4))
SHAPE = Shape(layers=1, heads=1, kv_heads=1, width=2, vocabulary=99, context=64)


@pytest.fixture
def memory() -> KeysValues:
    return KeysValues(SHAPE, slots=3, capacity=64, dtype=torch.float32, device=torch.device("cpu"))


@pytest.fixture
def slots(memory: KeysValues) -> Slots:
    return Slots(memory)


def read(slots: Slots, prompt: list[int], key: object = None) -> int:
    """Take a slot and read the whole prompt into it."""
    slot, shared = slots.take(prompt, key)
    slots.grow(slot, prompt[shared:])
    return slot


def test_slots_run_out(slots: Slots) -> None:
    assert {read(slots, [1]), read(slots, [2]), read(slots, [3])} == {0, 1, 2}
    assert slots.free == 0
    with pytest.raises(LookupError):
        slots.take([4], None)
    slots.give_back(1)
    assert slots.take([4], None) == (1, 0)


def test_the_same_conversation_goes_on_where_it_was(slots: Slots) -> None:
    slot = read(slots, LONG)
    slots.give_back(slot)
    assert slots.take([*LONG, 98, 99], None) == (slot, len(LONG))


def test_the_last_token_is_always_read(slots: Slots) -> None:
    slots.give_back(read(slots, LONG))
    assert slots.take(LONG, None)[1] == len(LONG) - 1


def test_a_short_beginning_is_not_worth_it(slots: Slots) -> None:
    slots.give_back(read(slots, LONG))
    assert slots.take([*LONG[: LEAST_SHARED - 1], 98, 99], None)[1] == 0


def test_a_running_answer_is_copied_from(slots: Slots, memory: KeysValues) -> None:
    slot = read(slots, LONG)
    memory.keys[0][slot].fill_(5.0)
    memory.values[0][slot].fill_(6.0)
    other, shared = slots.take([*LONG, 98], None)
    assert (other != slot, shared) == (True, len(LONG))
    assert torch.all(memory.keys[0][other, :, :shared] == 5)
    assert torch.all(memory.values[0][other, :, :shared] == 6)
    assert torch.all(memory.keys[0][other, :, shared:] == 0)


def test_what_is_long_and_shared_in_part_stays_and_is_copied_from(slots: Slots) -> None:
    """The system prompt of a long conversation begins another one: the long one is not lost for it."""
    slot = read(slots, LONG + [50] * 40)
    slots.give_back(slot)
    other, shared = slots.take([*LONG, 98, 99], None)
    assert (other != slot, shared) == (True, len(LONG))
    assert slots.take([*LONG, *[50] * 40, 51], None) == (slot, len(LONG) + 40)


def test_other_keys_share_nothing(slots: Slots) -> None:
    slots.give_back(read(slots, LONG, key="one"))
    assert slots.take([*LONG, 98], "two")[1] == 0


def test_the_slot_that_was_longest_unused_is_taken(slots: Slots) -> None:
    first, second, third = (read(slots, [number]) for number in (1, 2, 3))
    for slot in (second, third, first):
        slots.give_back(slot)
    assert [slots.take([9], None)[0] for _ in range(3)] == [second, third, first]


def test_counts(slots: Slots) -> None:
    read(slots, LONG)
    slots.give_back(read(slots, [90, 91]))
    assert (slots.used_tokens, slots.kept_tokens, slots.free) == (len(LONG), 2, 2)


def test_where_copies_are_dear_short_beginnings_are_read_anew(memory: KeysValues) -> None:
    slots = Slots(memory, least_copied=len(LONG) + 1)
    slot = read(slots, [*LONG, 7])
    assert slots.take([*LONG, 98], None)[1] == 0
    assert slots.take([*LONG, 7, 98], None)[1] == len(LONG) + 1
    slots.give_back(slot)
    assert slots.take([*LONG, 99], None) == (slot, len(LONG)), "in place it costs nothing"


def test_the_only_slot_that_shares_may_be_the_oldest_and_is_not_copied_onto_itself() -> None:
    class Memory:
        slots = 2

        def copy(self, source: int, target: int, tokens: int) -> None:
            raise AssertionError(f"{source} was copied to {target}")

    slots = Slots(Memory())  # type: ignore[arg-type]
    first, second = read(slots, LONG + [50] * 40), read(slots, [1])
    slots.give_back(first)
    slots.give_back(second)
    assert slots.take([*LONG, 98, 99], None) == (first, len(LONG))
