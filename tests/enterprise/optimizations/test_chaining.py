# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Chains of steps: the same answers to the last bit, whatever becomes of what was computed ahead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from licensed import Machine

from tunesmith.engine import Constraint, Sampling
from tunesmith.engine.acceleration import Opening
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter, LowRank
from tunesmith.engine.opening import load_decoder
from tunesmith.engine.scheduling import Queue, Scheduler, Ticket
from tunesmith.engine.steps import Part
from tunesmith.errors import ModelError
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.optimizations.chaining import acceleration
from tunesmith_enterprise.optimizations.chaining import chained as chained_file
from tunesmith_enterprise.optimizations.chaining.acceleration import MOST, CompiledDecode, steps_of
from tunesmith_enterprise.optimizations.chaining.chained import Chained

NAME = "enterprise/compiled-decode"
PROMPT = tuple((5 * n + 3) % 90 for n in range(20))
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "drawn": {"sampling": Sampling(seed=5, temperature=1.3)},
    "penalties": {"sampling": Sampling(temperature=0, repetition_penalty=1.3, presence_penalty=0.2)},
    "log-probabilities": {"logprobs": 2},
    "constraint": {"constraint": Constraint("regex", "(abc|abd)+e")},
    "stop strings": {"stop_strings": ("e", "qu")},
    "choices": {"choices": 2, "sampling": Sampling(seed=9, temperature=1.2)},
}


def answers(engine: Any, *requests: Any) -> list[Any]:
    streams = [engine.submit(request) for request in requests]
    return [stream.result(60).choices for stream in streams]


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a chain, whatever else the machine does."""
    monkeypatch.setattr(acceleration, "steps_of", lambda seconds: 8)
    monkeypatch.setattr(acceleration, "_LONGEST", math.inf)


class Counting:
    """A decoder that counts what it is asked."""

    def __init__(self, decoder: Any) -> None:
        self._decoder, self.steps, self.chained = decoder, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def step(self, *of: Any) -> torch.Tensor:
        self.steps += 1
        return self._decoder.step(*of)  # type: ignore[no-any-return]

    def chain(self, *of: Any, **more: Any) -> Any:
        made = self._decoder.chain(*of, **more)
        self.chained += len(made[0])
        return made


def counted(engine: Any) -> Counting:
    chained = engine._batching._decoder
    chained._decoder = Counting(chained._decoder)
    return chained._decoder  # type: ignore[no-any-return]


def test_answers_are_the_same_to_the_last_bit_alone_and_in_company(machine: Machine, opened: Any, ask: Any) -> None:
    plain, fast = opened(), opened(NAME)
    requests = [ask(PROMPT, **settings) for settings in SETTINGS.values()]
    expected = answers(plain, *requests)
    assert answers(fast, *requests) == expected
    for request, choices in zip(requests, expected, strict=True):
        assert answers(fast, request) == [choices]
    assert fast.stats().slots_used == 0
    chained = fast._batching._decoder
    assert (chained._paces, chained._kept) == ({}, None)


def test_a_greedy_answer_computes_each_token_once(machine: Machine, opened: Any, ask: Any) -> None:
    engine = opened(NAME)
    decoder = counted(engine)
    answers(engine, ask(PROMPT, 40))
    assert decoder.steps + decoder.chained == 40  # the prompt's step is the first token's
    assert decoder.steps <= 2  # and perhaps the last, of which no chain can be made
    stats = engine.stats()
    assert 0 < stats.guessed_tokens == stats.right_tokens


def test_where_chance_chooses_chains_are_given_up(machine: Machine, opened: Any, ask: Any) -> None:
    engine = opened(NAME)
    decoder = counted(engine)
    answers(engine, ask(PROMPT, 60, sampling=Sampling(seed=1, temperature=30.0)))
    assert decoder.steps + decoder.chained < 60 + 8


def test_an_answer_that_ends_early_leaves_nothing_to_the_next_in_its_slot(
    machine: Machine, opened: Any, ask: Any
) -> None:
    plain, fast = opened(slots=1), opened(NAME, slots=1)
    (first,) = answers(plain, ask(PROMPT, 30))
    written = [token.id for token in first[0].tokens]
    for length in (4, 5, 6, 11):  # the slot holds steps that went further when the same beginning comes again
        stop = frozenset({written[length]})
        again = ask((*PROMPT, *written[:length]), 12)
        other = ask((*PROMPT, *written[: length - 1], 89), 12)
        requests = [ask(PROMPT, 30, stop_tokens=stop), again, other]
        assert [answers(fast, one) for one in requests] == [answers(plain, one) for one in requests]


class Pausing(Queue):
    """Whoever has made seven tokens more gives its place up, and goes on at once."""

    def __init__(self, engine: str, *, waiting: int) -> None:
        super().__init__(engine, waiting=waiting)
        self.pauses = 0

    def preempt(self, waiting: Sequence[Ticket], running: Sequence[Ticket], room: bool) -> Ticket | None:
        if not running or running[0].made_tokens < 7 * (self.pauses + 1):
            return None
        self.pauses += 1
        return running[0]


class Pauses(Scheduler):
    def queue(self, engine: str, *, slots: int, waiting: int) -> Queue:
        return Pausing(engine, waiting=waiting)


def test_an_answer_that_is_paused_and_one_with_an_adapter_are_the_same(machine: Machine, opened: Any, ask: Any) -> None:
    plain, fast = opened(), opened(NAME, slots=1, scheduler=Pauses())
    random = torch.Generator().manual_seed(3)
    inputs, outputs = plain._decoder.sizes["qkv"]
    low, up = (torch.randn(size, generator=random) for size in ((inputs, 4), (4, outputs[0])))
    adapter = Adapter({(0, "qkv"): [LowRank(low, up, 0, outputs[0])]})
    for engine in (plain, fast):
        engine._adapters["mine"] = adapter
    bare, adapted = (ask(PROMPT, 30, logprobs=1, adapter=name) for name in (None, "mine"))
    expected = [answers(plain, one) for one in (bare, adapted)]
    assert expected[0] != expected[1]
    assert [answers(fast, one) for one in (bare, adapted, bare)] == [*expected, expected[0]]
    assert fast._queue.pauses >= 4
    assert fast.stats().right_tokens > 30


def test_an_answer_fills_its_slot_to_the_last_token(machine: Machine, opened: Any, ask: Any) -> None:
    plain, fast = opened(context=32), opened(NAME, context=32)
    assert answers(fast, ask(PROMPT, 12)) == answers(plain, ask(PROMPT, 12))


def test_the_license_is_asked_for_once_before_the_model_is_loaded(machine: Machine, opened: Any) -> None:
    opened(NAME)
    assert machine.asked == ["optimizations"]
    machine.delete()
    with pytest.raises(LicenseError, match="optimizations"):
        opened(NAME, model="/nowhere")


def test_steps_that_are_not_compiled_and_slow_ones_are_not_chained(
    machine: Machine, folder: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decoder, tokenizer = load_decoder(folder, threads=1)
    facts: dict[str, Any] = {"name": "little", "model": "little", "weights": None, "slots": 1, "capacity": 32}
    opening = Opening(decoder=decoder, tokenizer=tokenizer, **facts)
    monkeypatch.setattr(acceleration, "steps_of", steps_of)
    monkeypatch.setattr(acceleration, "_LONGEST", 0.02)
    monkeypatch.setattr(acceleration, "seconds_of_a_step", lambda *_, **__: 0.05)
    slow = CompiledDecode()
    assert slow.decoder(opening) is decoder
    assert slow.guesser(opening) is None
    assert "a step takes 50 ms" in caplog.text
    other: Any = SimpleNamespace(device="cuda:0")
    with pytest.raises(ModelError, match=r"(?s)little cannot be chained.*SimpleNamespace computes on cuda:0"):
        slow.decoder(Opening(decoder=other, tokenizer=tokenizer, **facts))
    decoder.close()
    assert [steps_of(seconds) for seconds in (0.0001, 0.0025, 0.005, 0.0101)] == [MOST, MOST, 4, 1]


# ---- what was computed ahead is used for the very next step, or forgotten --------------------------------------------


@pytest.fixture
def chained(folder: Any) -> Iterator[Chained]:
    decoder, _ = load_decoder(folder, threads=1)
    made = Chained(Counting(decoder), 4)  # type: ignore[arg-type]
    yield made
    made.close()


class Answer:
    """An answer under way."""

    def __init__(self, *tokens: int) -> None:
        self.tokens = list(tokens)


def ahead(chained: Chained) -> tuple[KeysValues, Any, list[int]]:
    """Read a prompt and its next token; the memory, the answer, and what is offered then."""
    memory, answer = KeysValues.of(chained, slots=2, capacity=32), Answer(1, 7, 3, 2)
    chained.step(memory, [Part(0, 0, answer.tokens[:3])], [2])
    assert chained.guess([answer], [20]) == [[]]
    chained._paces[answer].tried = True
    answer.tokens.append(int(chained.step(memory, [Part(0, 3, answer.tokens[3:])], [0]).argmax()))
    return memory, answer, chained.guess([answer], [20])[0]


def test_the_next_step_costs_nothing_but_its_last_token(chained: Chained) -> None:
    memory, answer, offered = ahead(chained)
    assert len(offered) == 3
    counting: Any = chained._decoder
    before = counting.chained
    rows = chained.step(memory, [Part(0, 4, [answer.tokens[-1], *offered])], range(4))
    assert rows.argmax(-1)[:3].tolist() == offered
    assert counting.chained - before == 4


def test_a_chain_is_as_short_as_steps_are_slow(chained: Chained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a long prompt a step takes longer than it did when the engine was opened."""
    counting: Any = chained._decoder
    now, each = 0.0, 0.0

    def clock() -> float:
        return now + each * (counting.steps + counting.chained)

    def goes_on(seconds: float, times: int) -> list[int]:
        nonlocal now, each
        now, each = clock() - seconds * (counting.steps + counting.chained), seconds
        sizes = []
        for _ in range(times):
            before = counting.steps + counting.chained
            offered = chained.guess([answer], [32 - len(answer.tokens)])[0]
            read = [answer.tokens[-1], *offered]
            rows = chained.step(memory, [Part(0, len(answer.tokens) - 1, read)], range(len(read)))
            answer.tokens += [*offered, int(rows[-1].argmax())]
            sizes.append(counting.steps + counting.chained - before)
        return sizes

    chained._longest = 0.02
    monkeypatch.setattr(chained_file.time, "perf_counter", clock)
    memory, answer, _ = ahead(chained)
    assert goes_on(0.005, 1) == [4]
    assert goes_on(0.009, 3) == [4, 4, 2]  # one call that was held up says nothing
    assert goes_on(0.011, 3) == [2, 2, 1]
    assert goes_on(0.001, 2) == [1, 4]


@pytest.mark.parametrize("change", ["slot", "place", "tokens", "memory", "company", "asked", "ended"])
def test_anything_else_is_computed(chained: Chained, change: str) -> None:
    memory, answer, offered = ahead(chained)
    memory.copy(0, 1, 32)
    other = KeysValues.of(chained, slots=2, capacity=32)
    for store, source in ((other.keys, memory.keys), (other.values, memory.values)):
        for layer, found in zip(store, source, strict=True):
            layer.copy_(found)
    part = Part(0, 4, [answer.tokens[-1], *offered])
    parts = [part]
    if change == "slot":
        parts = [part._replace(slot=1)]
    elif change == "place":
        parts = [part._replace(before=3)]
    elif change == "tokens":
        parts = [part._replace(tokens=[*part.tokens[:-2], 5, 6])]
    elif change == "company":
        parts = [Part(1, 4, [9]), part]
    elif change == "asked":  # by nobody
        chained.guess([answer, Answer(1)], [3, 3])
    elif change == "ended":
        chained.ended(answer)
        chained.guess([answer], [20])
    at = other if change == "memory" else memory
    counting: Any = chained._decoder
    steps = counting.steps
    wanted = range(sum(len(one.tokens) for one in parts))
    got = chained.step(at, parts, wanted).clone()
    assert counting.steps == steps + 1
    assert torch.equal(got, counting._decoder.step(at, parts, wanted))
