# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Speculative decoding: the same answers to the last bit, in fewer steps."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from licensed import Machine

from tunesmith.engine import Constraint, Sampling
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.opening import load_decoder
from tunesmith.errors import ModelError
from tunesmith.testing import tiny_llama
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.optimizations.speculation.acceleration import Speculation
from tunesmith_enterprise.optimizations.speculation.draft import Draft
from tunesmith_enterprise.optimizations.speculation.guessing import Guessing
from tunesmith_enterprise.optimizations.speculation.lookup import Lookup
from tunesmith_enterprise.optimizations.speculation.pace import (
    TOGETHER,
    Costs,
    Kind,
    Rate,
    seconds_of_a_step,
    worth,
)

GREEDY = Sampling(temperature=0)
PROMPT = tuple((5 * n + 3) % 90 for n in range(20)) * 2
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "drawn": {"sampling": Sampling(seed=5, temperature=1.3)},
    "drawn from few": {"sampling": Sampling(seed=6, temperature=0.9, top_k=4, min_p=0.02)},
    "penalties": {"sampling": Sampling(temperature=0, repetition_penalty=1.3, presence_penalty=0.2)},
    "log-probabilities": {"logprobs": 2},
    "constraint": {"constraint": Constraint("regex", "(abc|abd)+e")},
    "stop strings": {"stop_strings": ("e", "qu")},
    "choices": {"choices": 3, "sampling": Sampling(seed=9, temperature=1.2)},
}


def costs(verify: float, draft: float = 0.0) -> Costs:
    """Each further token of a step costs the same."""
    return Costs(tuple(1 + verify * more for more in range(TOGETHER)), draft)


def answers(engine: Any, *requests: Any) -> list[Any]:
    streams = [engine.submit(request) for request in requests]
    return [stream.result(60).choices for stream in streams]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guesses cost little in these tests, whatever else the machine does."""
    monkeypatch.setattr(Costs, "measured", lambda decoder, draft: costs(0.05))


# ---- the engine --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", [False, True], ids=["looking back", "with a draft model"])
def test_answers_are_the_same_to_the_last_bit_alone_and_in_company(
    machine: Machine, opened: Any, ask: Any, folder: Path, draft: bool
) -> None:
    plain, fast = opened(), opened(f"enterprise/speculation{f':{folder}' if draft else ''}")
    requests = [ask(PROMPT, **settings) for settings in SETTINGS.values()]
    expected = answers(plain, *requests)
    assert answers(fast, *requests) == expected
    for request, choices in zip(requests, expected, strict=True):
        assert answers(fast, request) == [choices]
    stats = fast.stats()
    assert 0 < stats.right_tokens <= stats.guessed_tokens
    assert stats.slots_used == 0
    assert not fast._joined.guesser._answers


def test_a_model_that_guesses_for_itself_is_always_right(machine: Machine, opened: Any, ask: Any, folder: Path) -> None:
    engine = opened(f"enterprise/speculation:{folder}")
    steps = []
    decoder = engine._batching._decoder
    counted = SimpleNamespace(shape=decoder.shape, step=lambda *of: steps.append(1) or decoder.step(*of))
    engine._batching._decoder = counted
    prompt = tuple(range(40, 60))
    answers(engine, ask(prompt, 33))
    assert len(steps) <= 1 + 32 // 4  # looking back is asked first, and may be wrong
    answers(engine, ask(prompt, 33))


def test_the_license_is_asked_for_once_before_the_model_is_loaded(machine: Machine, opened: Any) -> None:
    opened("enterprise/speculation")
    assert machine.asked == ["optimizations"]
    machine.delete()
    with pytest.raises(LicenseError, match="optimizations"):
        opened("enterprise/speculation", model=Path("/nowhere"))
    assert machine.asked == ["optimizations"] * 2


def test_from_its_day_on_it_needs_no_license(machine: Machine, opened: Any) -> None:
    machine.delete()
    machine.now = datetime(2028, 11, 26, tzinfo=timezone.utc)
    opened("enterprise/speculation")
    assert machine.asked == []


def test_a_draft_model_with_other_tokens_is_refused(
    machine: Machine, opened: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tiny_llama(tmp_path / "other")
    words = other / "tokenizer.json"
    words.write_text(words.read_text().replace('"a"', '"\u0394"', 1))
    with pytest.raises(ModelError, match="cannot guess for little: it has other tokens"):
        opened(f"enterprise/speculation:{other}")


# ---- looking back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "guessed"),
    [
        ([1, 2, 3, 4, 5, 6, 1, 2, 3], [4, 5, 6, 1]),  # three alike
        ([7, 1, 2, 9, 8, 1, 2], [9, 8, 1, 2]),  # two alike
        ([1, 2, 3, 4, 1], [2, 3, 4, 1]),  # one alike
        ([1, 2, 3, 4, 1, 5], []),
        ([5, 6, 5, 6, 5, 6], [5, 6, 5, 6]),  # beyond the end it repeats itself
        ([1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3], [4, 9, 2, 3]),  # the longer likeness before the later one
        ([4], []),
    ],
)
def test_what_followed_the_last_tokens_before_is_guessed(tokens: list[int], guessed: list[int]) -> None:
    assert Lookup().guess(tokens, 4) == guessed


def test_it_stays_where_it_copies_from() -> None:
    lookup, first = Lookup(), [1, 2, 3, 4, 5, 9, 2, 3, 7, 8, 1, 2, 3]
    assert lookup.guess(first, 2) == [4, 5]
    assert lookup.guess([*first, 4], 2) == [5, 9]
    assert lookup.guess([*first, 4, 5, 9], 3) == [2, 3, 7]  # two alike were also elsewhere
    assert lookup.guess([*first, 4, 5, 9, 2, 3, 7], 0) == []


SOURCE = list(range(10, 40))
COPIED = [*SOURCE, 10, 11, 12, 13]  # and 14 is expected


@pytest.mark.parametrize(
    ("edited", "guessed"),
    [
        ([90], [15, 16, 17]),  # another word in the place of 14
        ([90, 15], [16, 17, 18]),  # as was guessed
        ([90, 91, 15], [16, 17, 18]),  # two in the place of one
        ([90, 14], [15, 16, 17]),  # one more
        ([90, 91, 92, 14], [15, 16, 17]),
        ([17], [18, 19, 20]),  # some left out
        ([90, 91], []),  # so far nothing from there
        ([90, 35], [36, 37, 38]),  # far from there it is one token alike
    ],
)
def test_a_copy_is_taken_up_close_to_where_it_ended(edited: list[int], guessed: list[int]) -> None:
    lookup = Lookup()
    assert lookup.guess(COPIED, 1) == [14]
    for size in range(1, len(edited) + 1):
        found = lookup.guess([*COPIED, *edited[:size]], 3)
    assert found == guessed


def test_a_copy_that_ended_long_ago_is_not_taken_up() -> None:
    lookup, words = Lookup(), [*COPIED]
    lookup.guess(words, 1)
    for new in range(90, 98):
        words.append(new)
        lookup.guess(words, 1)
    assert lookup.guess([*words, 14], 1) == [15]
    assert lookup.kinds(1) == [Kind.SINGLE]


def test_what_guesses_rest_on_is_told() -> None:
    lookup = Lookup()
    lookup.guess(COPIED, 1)
    assert lookup.kinds(2) == [Kind.COPY] * 2
    lookup.guess([*COPIED, 90], 3)
    assert lookup.kinds(3) == [Kind.RESUMED, Kind.RESUMED, Kind.COPY]  # two are alike once two of them were right
    lookup.guess([*COPIED, 90, 15], 3)
    assert lookup.kinds(2) == [Kind.RESUMED, Kind.COPY]
    lookup.guess([*COPIED, 90, 15, 16], 3)
    assert lookup.kinds(1) == [Kind.COPY]
    alone = Lookup()
    alone.guess([1, 2, 3, 4, 1], 3)
    assert alone.kinds(3) == [Kind.SINGLE, Kind.COPY, Kind.COPY]


# ---- pace --------------------------------------------------------------------------------------------------------


def test_more_is_guessed_where_guesses_are_right_and_less_where_they_cost() -> None:
    for rate in (0.3, 0.6, 0.9, 0.99):
        counts = [worth([[rate] * 7], costs(verify))[0] for verify in (0.01, 0.05, 0.2, 0.5, 1.0)]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] > counts[-1] == 0
    for verify in (0.02, 0.2, 0.4):
        counts = [worth([[rate] * 7], costs(verify))[0] for rate in (0.0, 0.3, 0.6, 0.9, 1.0)]
        assert counts == sorted(counts)
        assert counts[0] == 0
        assert counts[-1] == TOGETHER - 1


def test_as_many_are_guessed_as_give_the_most_tokens_for_the_time() -> None:
    uneven = Costs((1.0, 1.9, 1.9, 1.1, 1.5, 1.9, 2.0, 2.1))  # four at once cost little
    assert worth([[0.6] * 7], uneven) == [3]
    assert worth([[0.99] * 7], uneven) == [7]
    assert worth([[0.6]], uneven) == [0]  # one alone does not pay
    assert worth([[0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9]], costs(0.2)) == [2]


@pytest.mark.parametrize("verify", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("rates", [[0.9] * 7, [0.4] + [0.9] * 6, [0.2] * 7, [0.95] * 3])
def test_no_other_number_of_guesses_is_better(verify: float, rates: list[float]) -> None:
    def rate(count: int) -> float:
        right = sum(math.prod(rates[: place + 1]) for place in range(count))
        return (1 + right) / (1 + verify * count)

    (count,) = worth([rates], costs(verify))
    assert rate(count) == max(rate(other) for other in range(len(rates) + 1))


def test_in_company_the_likeliest_guesses_of_all_share_a_step() -> None:
    assert worth([[0.9] * 7, [0.1] * 7], costs(0.1)) == [6, 0]
    assert worth([[0.9] * 7, [0.9] * 7], costs(0.02)) == [3, 3]
    assert worth([[0.95] * 7, [], [0.9] * 7], costs(0.02)) == [4, 0, 1]
    single = [worth([[0.9] * 7] * answers, costs(0.05)) for answers in range(1, 9)]
    assert all(len(counts) + sum(counts) <= TOGETHER for counts in single)
    assert max(single[-1]) == 0
    assert worth([[1.0] * 7] * 20, costs(0.01)) == [0] * 20
    assert worth([], costs(0.05)) == []


def test_a_draft_model_that_costs_much_has_to_be_right_more_often() -> None:
    counts = [worth([[0.7] * 7], costs(0.05, draft), [0])[0] for draft in (0.0, 0.1, 0.3, 0.5, 0.7)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > counts[4] == 0
    by_draft, by_lookup = worth([[0.7] * 7] * 2, costs(0.05, 0.5), [0])
    assert by_lookup > by_draft == 0


def test_a_rate_follows_what_comes_out_and_goes_back_to_its_hope() -> None:
    rate = Rate(Kind.COPY)
    hope = rate.value
    for _ in range(40):
        rate.told(False)
    assert rate.value < 0.02
    low = rate.value
    rate.rest()
    assert low < rate.value < 0.05
    for _ in range(500):
        rate.rest()
    assert rate.value == pytest.approx(hope, abs=0.01)
    for _ in range(40):
        rate.told(True)
    assert 0.99 < rate.value <= 1


def following(guessing: Guessing, answer: Answer, written: list[int]) -> list[int]:
    """How many were guessed in each step of an answer that is written so."""
    counts, end = [], len(answer.tokens) + len(written)
    whole = [*answer.tokens, *written]
    while len(answer.tokens) < end:
        at = len(answer.tokens)
        (guessed,) = guessing.guess([answer], [end - at - 1])
        right = next((n for n, token in enumerate(guessed) if token != whole[at + n]), len(guessed))
        counts.append(len(guessed))
        if guessed:
            guessing.told(answer, len(guessed), right)
        answer.tokens += whole[at : at + right + 1]
    return counts


def test_an_answer_that_copies_its_prompt_takes_few_steps_and_a_word_changed_costs_one() -> None:
    prompt = [*range(1000, 1200)]
    written = [token if place % 20 != 10 else place for place, token in enumerate(prompt)]
    counts = following(Guessing(costs(0.05)), Answer(prompt), written)
    assert len(counts) <= 2 + len(written) / 20 * 4  # 20 tokens: eight, two and the changed one, eight, one
    assert len(following(Guessing(costs(0.05)), Answer(prompt), list(prompt))) <= 3 + len(prompt) / TOGETHER


def test_where_guesses_are_wrong_they_end_and_where_they_are_right_again_they_come_back() -> None:
    """Pairs of words come again by chance, and say nothing of what follows; then comes the prompt again."""
    prompt, chance = [*range(1000, 1100)], Random(0).choices(range(30), k=1000)
    counts = following(Guessing(costs(0.1)), Answer(prompt), [*chance, *prompt])
    early, late = counts[:100], counts[500:-40]
    assert sum(early) > 20
    assert sum(late) < 0.1 * len(late)  # they cost less than one step of a hundred
    assert sum(counts[-20:]) > 80


def test_nothing_is_guessed_where_a_guess_costs_as_much_as_a_step() -> None:
    words = [*range(1000, 1050)]
    assert set(following(Guessing(costs(1.0)), Answer(words), words)) == {0}


def test_guesses_of_one_kind_say_nothing_of_another() -> None:
    guessing, answer = Guessing(costs(0.05)), Answer([*SOURCE])
    following(guessing, answer, SOURCE)
    rates = {kind: rate.value for kind, rate in guessing._answers[answer].rates.items()}
    fresh = {kind: Rate(kind).value for kind in Kind}
    assert rates[Kind.COPY] > fresh[Kind.COPY]
    assert rates[Kind.RESUMED] == fresh[Kind.RESUMED]
    assert rates[Kind.DRAFT] == fresh[Kind.DRAFT]


class Drafting:
    """A draft model that guesses one token, or has no room."""

    def __init__(self, *tokens: int) -> None:
        self.tokens, self.asked = list(tokens), 0

    def guess(self, asked: list[tuple[Any, int]]) -> list[list[int]]:
        self.asked += 1
        return [self.tokens[:most] for _, most in asked]

    def ended(self, answer: Any) -> None:
        """Nothing to give back."""


def test_a_draft_model_is_asked_where_looking_back_is_less_often_right() -> None:
    draft, answer = Drafting(7, 8), Answer([1, 2, 3, 4, 5, 1, 2, 3])
    guessing = Guessing(costs(0.05, 0.1), draft)  # type: ignore[arg-type]
    assert guessing.guess([answer], [2]) == [[4, 5]]  # a copy
    assert draft.asked == 0
    answer.tokens.append(1)  # one token alike
    assert guessing.guess([answer], [2]) == [[7, 8]]
    guessing.told(answer, 2, 0)
    for _ in range(40):
        guessing._answers[answer].rates[Kind.COPY].told(False)
    answer.tokens += [2, 3]
    assert guessing.guess([answer], [2]) == [[7, 8]]  # a copy again, but those were wrong


def test_where_a_draft_model_has_no_room_looking_back_is_asked_again() -> None:
    draft, answer = Drafting(), Answer([1, 2, 3, 4, 5, 1, 2, 3])
    guessing = Guessing(costs(0.05, 0.1), draft)  # type: ignore[arg-type]
    guessing.guess([answer], [0])
    for _ in range(8):
        guessing._answers[answer].rates[Kind.COPY].told(False)
    found = [guessing.guess([answer], [2])[0] for _ in range(30)]
    assert found[0] == []
    assert found[-1] == [4, 5]


def test_what_steps_cost_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    decoder, _ = load_decoder(folder, threads=1)
    assert 0 < seconds_of_a_step(decoder, 1) < 1
    found = Costs.measured(decoder, decoder)
    assert found.steps[0] == 1
    assert len(found.steps) == TOGETHER
    assert all(cost >= 1 + 0.02 * more for more, cost in enumerate(found.steps))
    assert found.draft > 0
    decoder.close()


# ---- a draft model -----------------------------------------------------------------------------------------------


def test_a_draft_model_guesses_what_it_would_write_itself(opened: Any, ask: Any, folder: Path) -> None:
    engine, (decoder, _) = opened(), load_decoder(folder, threads=1)
    draft = Draft(decoder, slots=2, capacity=64)
    prompts = [tuple(range(10, 30)), tuple(range(50, 57)), (1, 2, 3)]
    written = [[token.id for token in choices[0].tokens] for choices in answers(engine, *map(ask, prompts))]
    one, two, three = (Answer(tokens=list(prompt)) for prompt in prompts)
    assert draft.guess([(one, 3), (two, 5)]) == [written[0][:3], written[1][:5]]
    one.tokens += written[0][:2]  # two were right, and then something else came
    one.tokens.append(9)
    expected = [token.id for token in answers(engine, ask(tuple(one.tokens)))[0][0].tokens]
    two.tokens += written[1][:6]
    assert draft.guess([(one, 4), (two, 2), (three, 2)]) == [expected[:4], written[1][6:8], []]  # no slot for a third
    draft.ended(one)
    assert draft.guess([(three, 2)]) == [written[2][:2]]
    three.tokens = list(range(64))
    assert draft.guess([(three, 2)]) == [[]]  # no room
    draft.close()


class Answer:
    """An answer under way."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens


def test_what_is_said_of_an_answer_that_ended_with_its_guesses_is_kept_nowhere() -> None:
    guessing, answer = Guessing(costs(0.05)), Answer([1, 2, 3, 1, 2, 3])
    assert guessing.guess([answer], [3]) == [[1, 2, 3]]
    guessing.ended(answer)
    guessing.told(answer, 3, 2)
    assert not guessing._answers


def test_a_draft_models_memory_is_counted_before_the_engines(machine: Machine, folder: Path) -> None:
    made = Speculation(str(folder))
    assert made.bytes_per_slot(64) == 0
    made.load()
    draft, _ = load_decoder(folder, threads=1)
    try:
        own = [KeysValues.of(draft, slots=slots, capacity=64) for slots in (1, 2)]
        held = [sum(tensor.nbytes for tensor in (*memory.keys, *memory.values)) for memory in own]
        assert made.bytes_per_slot(64) == held[1] - held[0] > 0
        assert made.bytes_per_slot(10**9) == made.bytes_per_slot(draft.shape.context)
    finally:
        draft.close()
        made.close()
    assert Speculation("").bytes_per_slot(64) == 0
