# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The batching engine: what it answers, alone and in company; how requests come, end, fail and wait."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import tunesmith
from tunesmith.engine import Constraint, Engine, GenerateRequest, PredictRequest, Sampling, Stream, open_engine
from tunesmith.engine.batching import Batching
from tunesmith.errors import BusyError, CancelledError, DeadlineError, DrainingError, RequestError
from tunesmith.testing import tiny_llama

GREEDY = Sampling(temperature=0)
PROMPTS = [tuple((5 * n + 7 * k) % 90 for n in range(size)) for k, size in enumerate((3, 31, 12, 1, 22, 9))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    opened = open_engine(folder, slots=3, prompt_tokens=16)
    yield opened
    opened.close()


def ask(prompt: Any, count: int = 12, **more: Any) -> GenerateRequest:
    settings = {"sampling": GREEDY, "stop_tokens": frozenset()} | more
    return GenerateRequest(prompt=prompt, max_new_tokens=count, **settings)


def ids(stream: Stream, choice: int = 0) -> list[int]:
    return [token.id for token in stream.result(60).choices[choice].tokens]


def plain_greedy(folder: Path, prompt: tuple[int, ...], count: int) -> list[int]:
    model, found = AutoModelForCausalLM.from_pretrained(folder), list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            found.append(int(model(torch.tensor([found]), use_cache=False).logits[0, -1].argmax()))
    return found[len(prompt) :]


# ---- answers -----------------------------------------------------------------------------------------------------


def test_greedy_equals_the_plain_model_for_more_requests_than_slots(engine: Engine, folder: Path) -> None:
    streams = [engine.submit(ask(prompt)) for prompt in PROMPTS]
    assert [ids(stream) for stream in streams] == [plain_greedy(folder, prompt, 12) for prompt in PROMPTS]


@pytest.mark.parametrize("sampling", [Sampling(seed=3, temperature=1.3), Sampling(seed=4, top_p=0.8, top_k=40)])
def test_a_request_draws_the_same_alone_and_in_company(engine: Engine, sampling: Sampling) -> None:
    alone = [ids(engine.submit(ask(prompt, sampling=sampling))) for prompt in PROMPTS]
    together = [engine.submit(ask(prompt, sampling=sampling)) for prompt in PROMPTS]
    assert [ids(stream) for stream in together] == alone


def test_it_answers_as_the_model_does_from_python(engine: Engine, folder: Path) -> None:
    model = tunesmith.load(folder)
    text = engine.submit(GenerateRequest(prompt="Hello, you", max_new_tokens=20, sampling=GREEDY)).result(60).text
    assert text == model.generate("Hello, you", max_new_tokens=20, greedy=True)


def test_choices_are_those_of_their_own_seeds_and_read_the_prompt_once(engine: Engine) -> None:
    before = engine.stats()
    sampling = Sampling(seed=8, temperature=2)
    whole = engine.submit(ask(PROMPTS[1], choices=4, sampling=sampling)).result(60)
    assert [[token.id for token in choice.tokens] for choice in whole.choices] == [
        ids(engine.submit(ask(PROMPTS[1], sampling=Sampling(seed=8 + number, temperature=2)))) for number in range(4)
    ]
    assert whole.usage.completion_tokens == 48
    assert engine.stats().prompt_tokens - before.prompt_tokens == 5 * len(PROMPTS[1])


def test_a_prompt_that_begins_like_an_earlier_one_is_read_from_there(engine: Engine) -> None:
    prompt = tuple(range(40, 70))
    first = engine.submit(ask(prompt)).result(60)
    again = engine.submit(ask((*prompt, 3))).result(60)
    salted = engine.submit(ask((*prompt, 3), cache_salt="mine")).result(60)
    assert first.usage.cached_tokens == 0
    assert again.usage.cached_tokens >= len(prompt)
    assert salted.usage.cached_tokens == 0
    assert [token.id for token in again.choices[0].tokens] == [token.id for token in salted.choices[0].tokens]


def test_logprobs_are_the_models(engine: Engine, folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    bias = Sampling(temperature=0, logit_bias=((60, 100.0),))
    token = engine.submit(ask(PROMPTS[0], 1, logprobs=3, sampling=bias)).result(60).choices[0].tokens[0]
    with torch.inference_mode():
        expected = torch.log_softmax(model(torch.tensor([PROMPTS[0]])).logits[0, -1], -1)
    assert token.id == 60
    assert token.logprob == pytest.approx(float(expected[60]), abs=1e-4)
    best = expected.topk(3)
    assert [one.id for one in token.alternatives] == best.indices.tolist()
    assert [one.logprob for one in token.alternatives] == pytest.approx(best.values.tolist(), abs=1e-4)
    assert token.score is not None
    assert token.score.text == engine.detokenize([60])


def test_penalties_change_what_comes(engine: Engine) -> None:
    free = ids(engine.submit(ask(PROMPTS[2], 40)))
    assert len(set(free)) < 40
    fresh = ids(engine.submit(ask(PROMPTS[2], 40, sampling=Sampling(temperature=0, repetition_penalty=1e6))))
    assert len(set(fresh)) == 40
    assert not set(fresh) & set(PROMPTS[2])


def test_stop_strings_and_stop_tokens(engine: Engine) -> None:
    free = engine.submit(ask(PROMPTS[4], 20)).result(60)
    stop = free.text[5:8]
    cut = engine.submit(ask(PROMPTS[4], 20, stop_strings=(stop,))).result(60)
    assert (cut.text, cut.choices[0].finish) == (free.text[: free.text.index(stop)], "stop")
    third = free.choices[0].tokens[2].id
    ended = engine.submit(ask(PROMPTS[4], 20, stop_tokens=frozenset({third}))).result(60)
    assert ended.choices[0].finish == "stop"
    assert ended.choices[0].tokens[-1].id == third
    assert third not in [token.id for token in ended.choices[0].tokens[:-1]]


def test_an_answer_of_a_form(engine: Engine) -> None:
    pytest.importorskip("llguidance")
    schema = '{"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2, "minItems": 2}'
    asked = [ask(prompt, 60, constraint=Constraint("json_schema", schema)) for prompt in PROMPTS[:3]]
    free = engine.submit(ask(PROMPTS[3]))
    found = [engine.submit(one).result(60) for one in asked]
    assert len(ids(free)) == 12
    assert all(one.choices[0].finish == "stop" for one in found)
    assert all(set(json.loads(one.text)) <= {1, 2} and len(json.loads(one.text)) == 2 for one in found)


def test_a_conversation_is_rendered_as_trained(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"q{n}", "completion": f"a{n}"}) + "\n" for n in range(4)))
    recipe = {
        "task": "chat",
        "model": str(tiny_llama(tmp_path / "llama")),
        "data": {"train": str(rows)},
        "train": {"max_steps": 1},
        "evaluate": {"samples": 0},
        "output": str(tmp_path / "run"),
    }
    run = tunesmith.train(tunesmith.parse_recipe(recipe))
    model, engine = tunesmith.load(run.path), open_engine(run.path)
    try:
        assert engine.info.chats
        assert engine.info.sampling == Sampling()
        talk = ({"role": "user", "content": "q1"},)
        assert list(engine.tokenize(talk)) == model.definition.prompt_tokens(list(talk))
        whole = engine.submit(GenerateRequest(prompt=talk, max_new_tokens=8, sampling=GREEDY)).result(60)
        assert whole.text == model.chat(list(talk), max_new_tokens=8, greedy=True)
        special = model.definition.tokenizer.decode([model.definition.template.stop])
        said = engine.tokenize(({"role": "user", "content": f"a{special}b"},))
        assert list(said).count(model.definition.template.stop) == list(engine.tokenize(talk)).count(
            model.definition.template.stop
        )
        assert f"a{special}b" in engine.detokenize(said)
        with pytest.raises(RequestError, match="knows no tools") as caught:
            engine.submit(GenerateRequest(prompt=talk, tools=({"type": "function"},)))
        assert caught.value.parameter == "tools"
    finally:
        engine.close()


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "parameter", "words"),
    [
        (ask((1,) * 128), "prompt", "at most 127, which leaves one for the answer"),
        (ask((1,) * 120, 9), "max_new_tokens", "ask for at most 8 new tokens"),
        (ask((1, 99_999)), "prompt", "is not in the vocabulary"),
        (ask((1,), sampling=Sampling(logit_bias=((99_999, 1.0),))), "logit_bias", "does not exist"),
        (ask((1,), adapter="none"), "adapter", "no such adapter"),
        (PredictRequest(rows=("x",)), None, "does not answer such requests"),
    ],
)
def test_requests_that_cannot_be_answered(engine: Engine, request_: Any, parameter: str | None, words: str) -> None:
    before = engine.stats()
    with pytest.raises(RequestError) as caught:
        engine.submit(request_)
    assert words in str(caught.value)
    assert caught.value.parameter == parameter
    assert engine.stats() == before


def test_all_the_room_there_is(engine: Engine) -> None:
    whole = engine.submit(GenerateRequest(prompt=(1,) * 120, sampling=GREEDY, stop_tokens=frozenset())).result(60)
    assert len(whole.choices[0].tokens) == 8
    assert whole.choices[0].finish == "length"


# ---- coming and going --------------------------------------------------------------------------------------------


class Gate:
    """Holds the engine before each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        step = Batching.step

        def held(batching: Batching) -> Any:
            self.open.wait(30)
            return step(batching)

        monkeypatch.setattr(Batching, "step", held)


def until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)


def test_a_full_queue_is_told_and_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    engine = open_engine(folder, slots=1, waiting=2)
    try:
        first = engine.submit(ask((1,), 3))
        until(lambda: engine.stats().running == 1)
        waiting = [engine.submit(ask((2,), 3)) for _ in range(2)]
        with pytest.raises(BusyError, match="has too much to do") as caught:
            engine.submit(ask((3,)))
        assert caught.value.retry_after > 0
        assert "2 requests waiting" in str(caught.value)
        assert engine.stats().waiting == 2
        gate.open.set()
        assert [len(ids(stream)) for stream in (first, *waiting)] == [3, 3, 3]
    finally:
        gate.open.set()
        engine.close()


def test_cancelled_while_waiting_and_while_running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    engine = open_engine(folder, slots=1)
    try:
        running, waiting, last = (engine.submit(ask((number,), 100)) for number in (1, 2, 3))
        until(lambda: engine.stats().running == 1)
        waiting.cancel()
        running.cancel()
        running.cancel()
        gate.open.set()
        for stream in (running, waiting):
            with pytest.raises(CancelledError):
                stream.result(20)
        assert len(ids(last)) == 100
        stats = engine.stats()
        assert (stats.running, stats.waiting, stats.slots_used, stats.cancelled, stats.done) == (0, 0, 0, 2, 1)
    finally:
        gate.open.set()
        engine.close()


def test_time_that_is_up_while_waiting_and_while_running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    engine = open_engine(folder, slots=1)
    try:
        streams = [engine.submit(ask((number,), 100), timeout=0.05) for number in (1, 2)]
        time.sleep(0.1)
        gate.open.set()
        for stream in streams:
            with pytest.raises(DeadlineError, match="time is up"):
                stream.result(20)
        assert engine.stats().failed == 2
        assert len(ids(engine.submit(ask((3,), 4)))) == 4
    finally:
        gate.open.set()
        engine.close()


def test_nobody_waits_because_another_has_asked_for_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    engine = open_engine(folder, slots=2, waiting=8)
    ended: list[str] = []
    begin = engine._batching.add  # type: ignore[attr-defined]

    def begun(answers: Any) -> None:
        ended.append(answers[0].work.request.cache_salt)
        begin(answers)

    monkeypatch.setattr(engine._batching, "add", begun)  # type: ignore[attr-defined]
    try:
        many = [engine.submit(ask((1,), 3, cache_salt="many")) for _ in range(2)]
        until(lambda: engine.stats().running == 2)
        many += [engine.submit(ask((1,), 3, cache_salt="many")) for _ in range(4)]
        with pytest.raises(BusyError, match="too much to do for you") as caught:
            engine.submit(ask((1,), 3, cache_salt="many"))
        assert caught.value.given == "4 of your requests waiting"
        assert caught.value.expected == "fewer than 4, half of the queue: the rest is kept for others"
        few = [engine.submit(ask((2,), 3, cache_salt="few")) for _ in range(2)]
        gate.open.set()
        for stream in (*many, *few):
            stream.result(20)
        assert ended == ["many", "many", "many", "few", "many", "few", "many", "many"]
    finally:
        gate.open.set()
        engine.close()


def test_who_has_no_salt_may_fill_the_queue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    engine = open_engine(folder, slots=1, waiting=4)
    try:
        streams = [engine.submit(ask((1,), 2))]
        until(lambda: engine.stats().running == 1)
        streams += [engine.submit(ask((1,), 2)) for _ in range(4)]
        with pytest.raises(BusyError, match="has too much to do\n"):
            engine.submit(ask((1,), 2))
        gate.open.set()
        for stream in streams:
            stream.result(20)
    finally:
        gate.open.set()
        engine.close()


def test_drained_it_ends_what_it_has_begun_and_takes_nothing_new(folder: Path) -> None:
    engine = open_engine(folder)
    stream = engine.submit(ask((1,), 50))
    assert engine.drain(30)
    assert len(ids(stream)) == 50
    with pytest.raises(DrainingError, match="about to stop"):
        engine.submit(ask((1,)))
    engine.close()
    engine.close()


def test_closed_it_ends_everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    engine = open_engine(folder, slots=1)
    streams = [engine.submit(ask((number,), 100)) for number in (1, 2)]
    until(lambda: engine.stats().running == 1)
    threading.Timer(0.05, gate.open.set).start()
    engine.close()
    for stream in streams:
        with pytest.raises(CancelledError):
            stream.result(5)


def test_a_step_that_fails_ends_its_requests_and_no_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, failures = Batching.step, iter([True, False])

    def failing(batching: Batching) -> Any:
        if next(failures, False):
            raise ZeroDivisionError("a fault of ours")
        return step(batching)

    monkeypatch.setattr(Batching, "step", failing)
    engine = open_engine(folder)
    try:
        with pytest.raises(RuntimeError, match="a step of the engine failed: ZeroDivisionError"):
            engine.submit(ask((1,))).result(20)
        assert len(ids(engine.submit(ask((1,), 5)))) == 5
        assert engine.stats().slots_used == 0
    finally:
        engine.close()


def test_a_request_that_cannot_begin_ends_and_the_engine_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add, failures = Batching.add, iter([True])

    def failing(batching: Batching, answers: Any) -> None:
        if next(failures, False):
            raise MemoryError
        add(batching, answers)

    monkeypatch.setattr(Batching, "add", failing)
    engine = open_engine(folder)
    try:
        with pytest.raises(RuntimeError, match="a step of the engine failed: MemoryError"):
            engine.submit(ask((1,))).result(20)
        assert len(ids(engine.submit(ask((1,), 5)))) == 5
    finally:
        engine.close()


def test_one_request_that_fails_leaves_the_others_alone(folder: Path) -> None:
    engine = open_engine(folder)
    try:
        broken = engine.submit(ask((2,), 60))
        good = engine.submit(ask((1,), 60))
        work = next(one for one in (*engine._running, *engine._waiting) if one.stream is broken)  # type: ignore[attr-defined]

        def refuse(*_: Any) -> Any:
            raise RequestError("too costly", parameter="constraint")

        work.answers[0].accept = refuse
        with pytest.raises(RequestError, match="too costly"):
            broken.result(20)
        assert len(ids(good)) == 60
        assert engine.stats().slots_used == 0
    finally:
        engine.close()


def test_many_threads_and_coroutines_at_once(engine: Engine) -> None:
    expected = ids(engine.submit(ask(PROMPTS[0])))
    found: list[list[int]] = []

    async def read() -> None:
        found.append([token.id async for token in engine.submit(ask(PROMPTS[0]))])

    async def several() -> None:
        await asyncio.gather(*(read() for _ in range(4)))

    threads = [
        threading.Thread(target=lambda: found.append([token.id for token in engine.submit(ask(PROMPTS[0]))]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    asyncio.run(several())
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_two_engines_side_by_side_and_no_global_random_state(engine: Engine, folder: Path) -> None:
    state = torch.get_rng_state()
    other = open_engine(folder)
    try:
        sampling = Sampling(seed=1)
        pair = [one.submit(ask(PROMPTS[0], sampling=sampling)) for one in (engine, other)]
        assert ids(pair[0]) == ids(pair[1])
    finally:
        other.close()
    assert torch.equal(state, torch.get_rng_state())
