# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Speculative decoding: the same answers to the last bit, in fewer steps."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
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
from tunesmith_enterprise.optimizations.speculation.pace import TOGETHER, Costs, Pace, seconds_of_a_step

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


def answers(engine: Any, *requests: Any) -> list[Any]:
    streams = [engine.submit(request) for request in requests]
    return [stream.result(60).choices for stream in streams]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guesses cost little in these tests, whatever else the machine does."""
    monkeypatch.setattr(Costs, "measured", lambda decoder, draft: Costs(0.05))


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
        ([1, 2, 3, 4, 1, 5], []),  # one is not enough
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
    assert lookup.guess([*first, 4, 5, 9, 6], 3) == []  # it goes on otherwise
    assert lookup.guess([*first, 4, 5, 9, 6, 7, 8], 3) == [1, 2, 3]
    assert lookup.guess([*first, 4, 5, 9, 6, 7, 8], 0) == []


# ---- pace --------------------------------------------------------------------------------------------------------


def test_more_is_guessed_where_guesses_are_right_and_less_where_they_cost() -> None:
    careful, costly = Pace(0.05), Pace(0.4)
    assert careful.most(1) > costly.most(1) >= 1
    for _ in range(20):
        careful.told(4, 4)
    assert careful.most(1) == TOGETHER - 1
    for _ in range(20):
        careful.told(4, 0)
    assert careful.most(1) == 0
    for _ in range(30):
        careful.rest()
    assert careful.most(1) >= 1  # tried again


def test_in_company_less_is_guessed_and_in_much_company_nothing() -> None:
    most = [Pace(0.1).most(answers) for answers in (1, 2, 4, 5, 8, 20)]
    assert most == sorted(most, reverse=True)
    assert most[0] > most[1] > 0
    assert most[3:] == [0, 0, 0]
    assert Pace(1.2).most(1) == 0


def test_a_draft_model_that_costs_much_has_to_be_right_more_often() -> None:
    most = [Pace(0.05, draft).most(1) for draft in (0.0, 0.1, 0.3, 0.5, 0.7)]
    assert most == sorted(most, reverse=True)
    assert most[0] > most[2] > most[4] == 0


def test_what_steps_cost_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    decoder, _ = load_decoder(folder, threads=1)
    assert 0 < seconds_of_a_step(decoder, 1) < 1
    costs = Costs.measured(decoder, decoder)
    assert (costs.verify >= 0.01, costs.draft > 0) == (True, True)
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
    guessing, answer = Guessing(Costs(0.05)), Answer([1, 2, 3, 1, 2, 3])
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
