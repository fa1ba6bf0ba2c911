# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The order of requests as a plugin's: who begins, who gives way, who is refused; and that it changes no answer."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.engine import (
    Engine,
    GenerateRequest,
    Measure,
    Origin,
    PredictRequest,
    Queue,
    Sampling,
    Scheduler,
    Stream,
    Ticket,
    Times,
    open_engine,
)
from tunesmith.engine.scheduling import Outcome, find_scheduler
from tunesmith.errors import BusyError, DeadlineError, DeniedError, ModelError, NotFoundError, PluginError
from tunesmith.plugin import SchedulerSpec, hookimpl
from tunesmith.registry import Registry
from tunesmith.testing import tiny_llama

GREEDY = Sampling(temperature=0)
PROMPTS = [tuple((5 * n + 7 * k) % 90 for n in range(size)) for k, size in enumerate((3, 31, 12, 1, 22, 9))]


class Rotating(Queue):
    """Whoever has made a token since it began gives its place to whoever waits."""

    def __init__(self, engine: str, *, waiting: int) -> None:
        super().__init__(engine, waiting=waiting)
        self.paused: list[int] = []  # tokens made, each time
        self.outcomes: list[Outcome] = []
        self.steps = 0
        self._begun: dict[Ticket, int] = {}

    def next(self, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        ticket = min(waiting, key=lambda each: (each.paused, each.arrived))
        self._begun[ticket] = ticket.made_tokens
        return ticket

    def preempt(self, waiting: Sequence[Ticket], running: Sequence[Ticket], room: bool) -> Ticket | None:
        if room or not waiting:
            return None
        moved = [ticket for ticket in running if ticket.made_tokens > self._begun[ticket] or ticket.most_tokens == 0]
        if moved:
            self.paused.append(moved[0].made_tokens)
        return moved[0] if moved else None

    def stepped(self, running: Sequence[Ticket]) -> None:
        self.steps += 1

    def ended(self, ticket: Ticket, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class Order(Scheduler):
    """Makes one kind of queue, and keeps the last that it made."""

    def __init__(self, kind: type[Queue] = Rotating) -> None:
        self._kind = kind
        self.made: Any = None

    def queue(self, engine: str, *, slots: int, waiting: int) -> Queue:
        self.made = self._kind(engine, waiting=waiting)
        assert isinstance(self.made, Queue)
        return self.made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def alone(folder: Path) -> Iterator[Engine]:
    opened = open_engine(folder, prompt_tokens=16)
    yield opened
    opened.close()


def ask(prompt: Any, count: int = 12, **more: Any) -> GenerateRequest:
    settings: dict[str, Any] = {"sampling": GREEDY, "stop_tokens": frozenset()} | more
    return GenerateRequest(prompt=prompt, max_new_tokens=count, **settings)


def ids(stream: Stream) -> list[list[int]]:
    return [[token.id for token in choice.tokens] for choice in stream.result(60).choices]


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(seed=3, temperature=1.3, repetition_penalty=1.2)])
def test_an_answer_is_the_same_however_often_it_gave_way(folder: Path, alone: Engine, sampling: Sampling) -> None:
    expected = [ids(alone.submit(ask(prompt, sampling=sampling))) for prompt in PROMPTS]
    order = Order()
    engine = open_engine(folder, slots=2, prompt_tokens=16, scheduler=order)
    try:
        streams = [engine.submit(ask(prompt, sampling=sampling)) for prompt in PROMPTS]
        assert [ids(stream) for stream in streams] == expected
        usage = [stream.result().usage for stream in streams]
    finally:
        engine.close()
    assert len(order.made.paused) > 20
    assert order.made.outcomes == ["done"] * len(PROMPTS)
    assert order.made.steps > 12
    assert [one.completion_tokens for one in usage] == [12] * len(PROMPTS)
    assert [one.cached_tokens for one in usage] == [0] * len(PROMPTS)  # what it had read itself is not found again
    stats = engine.stats()
    assert (stats.slots_used, stats.running, stats.waiting) == (0, 0, 0)
    assert stats.prompt_tokens == sum(map(len, PROMPTS))


def test_several_answers_of_one_request_give_way_together(folder: Path, alone: Engine) -> None:
    sampling = Sampling(seed=8, temperature=2)
    expected = ids(alone.submit(ask(PROMPTS[1], choices=3, sampling=sampling)))
    order = Order()
    engine = open_engine(folder, slots=2, prompt_tokens=16, scheduler=order)
    try:
        streams = [engine.submit(ask(PROMPTS[1], choices=3, sampling=sampling)) for _ in range(3)]
        assert [ids(stream) for stream in streams] == [expected] * 3
    finally:
        engine.close()
    assert order.made.paused


def test_an_answer_of_a_form_and_its_logprobs_survive_giving_way(folder: Path, alone: Engine) -> None:
    from tunesmith.engine import Constraint

    form = {"constraint": Constraint("regex", "[0-9]{12}"), "logprobs": 2, "stop_tokens": None}
    request = ask(PROMPTS[2], 30, **form)
    expected = alone.submit(request).result(60)
    engine = open_engine(folder, slots=1, prompt_tokens=16, scheduler=(order := Order()))
    try:
        streams = [engine.submit(request) for _ in range(3)]
        found = [stream.result(60) for stream in streams]
    finally:
        engine.close()
    assert order.made.paused
    for each in found:
        assert each.text == expected.text
        assert [token.logprob for token in each.choices[0].tokens] == pytest.approx(
            [token.logprob for token in expected.choices[0].tokens], abs=1e-5
        )


def test_other_models_that_write_give_way_too(folder: Path, tmp_path: Path) -> None:
    from tunesmith.models import find_model_by_name, load_tokenizer
    from tunesmith.registry import get_registry

    tokenizer = load_tokenizer(find_model_by_name(str(folder), get_registry()))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"n_positions": 64, "n_embd": 16, "n_layer": 1, "n_head": 2, "initializer_range": 0.4}
        GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    plain = open_engine(tmp_path, slots=1)
    engine = open_engine(tmp_path, slots=1, scheduler=(order := Order()))
    try:
        expected = [ids(plain.submit(ask(prompt))) for prompt in PROMPTS[:3]]
        assert [ids(stream) for stream in [engine.submit(ask(prompt)) for prompt in PROMPTS[:3]]] == expected
    finally:
        plain.close()
        engine.close()
    assert len(order.made.paused) > 10


def test_rows_give_way_and_have_places_where_there_is_a_scheduler(
    classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith.engine import rows

    monkeypatch.setattr(rows, "_TOKENS", 32)
    plain = open_engine(classifier)
    engine = open_engine(classifier, slots=1, scheduler=(order := Order()))
    most = 0

    def watch(stepped: Any = Rotating.stepped) -> Any:
        def watched(queue: Rotating, running: Sequence[Ticket]) -> None:
            nonlocal most
            most = max(most, len(running))
            stepped(queue, running)

        return watched

    monkeypatch.setattr(Rotating, "stepped", watch())
    texts = ("a card", "the rate of exchange is too high for me", "x") * 8
    try:
        expected = plain.submit(PredictRequest(rows=texts)).result(30)
        streams = [engine.submit(PredictRequest(rows=texts)) for _ in range(3)]
        for stream in streams:
            for got, one in zip(stream.result(30).rows, expected.rows, strict=True):
                assert got["label"] == one["label"]
                assert got["probability"] == pytest.approx(one["probability"], abs=1e-6)
    finally:
        plain.close()
        engine.close()
    assert order.made.paused
    assert most == 1
    assert order.made.outcomes == ["done"] * 3


# ---- what a queue may say --------------------------------------------------------------------------------------------


class Choosy(Queue):
    """Refuses by the tenant, holds the class `later` back, and gives `hurried` no time."""

    seen: list[tuple[Origin, str, int, int]]

    def check(self, origin: Origin, caller: str, waiting: Sequence[Ticket]) -> None:
        if origin.tenant == "unknown":
            raise DeniedError("this tenant is not known", given=origin.tenant)

    def add(self, ticket: Ticket, waiting: Sequence[Ticket]) -> None:
        Choosy.seen.append((ticket.origin, ticket.caller, ticket.prompt_tokens, ticket.most_tokens))
        if ticket.origin.tenant == "greedy":
            raise BusyError("the tenant's tokens are used up", retry_after=30)
        if ticket.origin.request_class == "hurried":
            ticket.deadline = time.monotonic() - 1

    def next(self, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        return next((ticket for ticket in waiting if ticket.origin.request_class != "later"), None)


def test_a_queue_refuses_holds_back_and_sets_deadlines(folder: Path) -> None:
    Choosy.seen = []
    engine = open_engine(folder, slots=2, scheduler=Order(Choosy))
    try:
        with pytest.raises(DeniedError, match="not known"):
            engine.submit(ask((1, 2), origin=Origin("unknown")))
        assert Choosy.seen == []  # before anything was computed for it
        with pytest.raises(BusyError) as caught:
            engine.submit(ask((1, 2, 3), 5, choices=2, origin=Origin("greedy"), cache_salt="me"))
        assert caught.value.retry_after == 30
        assert Choosy.seen == [(Origin("greedy"), "me", 3, 10)]
        with pytest.raises(DeadlineError, match="time is up"):
            engine.submit(ask((1,), origin=Origin("", "hurried"))).result(20)
        late = engine.submit(ask((1,), 3, origin=Origin("", "later")))
        assert len(ids(engine.submit(ask((2,), 3)))[0]) == 3
        time.sleep(0.05)
        assert (engine.stats().waiting, late.done) == (1, False)
        late.cancel()
        assert engine.drain(10)
    finally:
        engine.close()


class Broken(Queue):
    """Fails wherever it is told to."""

    where = ""

    def next(self, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        self._fail("next")
        return super().next(waiting, running)

    def ended(self, ticket: Ticket, outcome: Outcome) -> None:
        self._fail("ended")

    def stepped(self, running: Sequence[Ticket]) -> None:
        self._fail("stepped")

    def _fail(self, name: str) -> None:
        if Broken.where == name:
            raise ZeroDivisionError(name)


def test_a_queue_that_fails_ends_what_waits_and_the_engine_goes_on(folder: Path) -> None:
    engine = open_engine(folder, slots=1, scheduler=Order(Broken))
    try:
        Broken.where = "next"
        with pytest.raises(RuntimeError, match="a step of the engine failed: ZeroDivisionError"):
            engine.submit(ask((1,))).result(20)
        Broken.where = ""
        assert len(ids(engine.submit(ask((1,), 5)))[0]) == 5
        assert (engine.stats().failed, engine.stats().done) == (1, 1)
    finally:
        engine.close()


@pytest.mark.parametrize("where", ["ended", "stepped"])
def test_a_queue_that_fails_while_it_is_told_keeps_no_request_from_its_end(
    folder: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(folder, slots=1, scheduler=Order(Broken))
    Broken.where = where
    try:
        with caplog.at_level(logging.ERROR):
            assert [len(ids(engine.submit(ask((1,), 5)))[0]) for _ in range(2)] == [5, 5]
    finally:
        Broken.where = ""
        engine.close()
    assert [record.message for record in caplog.records if "scheduler failed" in record.message] == [
        f"{engine.info.name}: its scheduler failed, and this is not told again"
    ]


# ---- a plugin's ------------------------------------------------------------------------------------------------------


class Shortest(Queue):
    """The request that may become the shortest begins first."""

    def next(self, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        return min(waiting, key=lambda ticket: ticket.prompt_tokens + ticket.most_tokens)


class ShortFirst(Scheduler):
    classes = ("small", "large")

    def queue(self, engine: str, *, slots: int, waiting: int) -> Queue:
        return Shortest(engine, waiting=waiting)

    def measures(self) -> Sequence[Measure]:
        return [Measure(name="looks", text="Looks at it", kind="counter", values={(): 1})]


def no_scheduler() -> str:
    return "nothing of use"


def registry_of(name: str, target: str) -> Registry:
    def tunesmith_schedulers() -> list[SchedulerSpec]:
        return [SchedulerSpec(name=name, summary="An order", target=f"{__name__}:{target}")]

    plugin = SimpleNamespace(tunesmith_schedulers=hookimpl(tunesmith_schedulers))
    made = Candidate(name="demo", distribution="demo", version="1", target=__name__, load=lambda: plugin)
    return Registry(Host([made], environ={}))


def test_a_plugins_scheduler_orders_an_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    scheduler = find_scheduler("demo/short-first", registry_of("short-first", "ShortFirst"))
    assert scheduler.classes == ("small", "large")
    order: list[int] = []
    start = Shortest.next

    def noted(queue: Shortest, waiting: Sequence[Ticket], running: Sequence[Ticket]) -> Ticket | None:
        if len(waiting) + len(order) < 4:
            return None  # until all of them are there
        ticket = start(queue, waiting, running)
        assert ticket is not None
        order.append(ticket.most_tokens)
        return ticket

    monkeypatch.setattr(Shortest, "next", noted)
    engine = open_engine(folder, slots=1, scheduler=scheduler)
    try:
        for stream in [engine.submit(ask((1,), count)) for count in (9, 3, 12, 6)]:
            stream.result(20)
    finally:
        engine.close()
    assert order == [3, 6, 9, 12]


def test_a_scheduler_that_is_none_is_told_by_its_name() -> None:
    with pytest.raises(PluginError, match=r"scheduler 'odd' of the plugin 'demo' cannot be used[\s\S]*gives a str"):
        find_scheduler("odd", registry_of("odd", "no_scheduler"))
    with pytest.raises(NotFoundError, match="no scheduler of this name"):
        find_scheduler("missing", registry_of("odd", "no_scheduler"))


def test_an_engine_with_an_order_of_its_own_takes_no_scheduler() -> None:
    with pytest.raises(ModelError, match="the engine openai takes no scheduler: it has an order of its own"):
        open_engine("openai:http://127.0.0.1:9/v1#x", scheduler=ShortFirst())


def test_the_cores_scheduler_has_no_classes_and_no_figures() -> None:
    scheduler = Scheduler()
    assert scheduler.classes == ()
    assert scheduler.measures() == ()
    assert type(scheduler.queue("any", slots=1, waiting=2)) is Queue


def test_times_fall_into_their_buckets() -> None:
    times = Times((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        times.add(value)
    assert times.counts == [2, 1, 1]
    assert times.sum == pytest.approx(7.65)
