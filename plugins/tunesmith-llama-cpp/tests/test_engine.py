# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The engine over the stand-in: requests, batches, prefixes, ends."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tunesmith.engine import Constraint, Engine, GenerateRequest, PredictRequest, Sampling
from tunesmith.errors import CancelledError, DeadlineError, DrainingError, RequestError
from tunesmith_llama_cpp.engine import LlamaCppEngine

GREEDY = Sampling(temperature=0)
NEVER: frozenset[int] = frozenset()


@pytest.fixture
def engine(llama: Any, gguf: Callable[..., Path]) -> Iterator[LlamaCppEngine]:
    opened = LlamaCppEngine(str(gguf()), slots=3)
    yield opened
    opened.close()


def greedy(llama: Any, prompt: tuple[int, ...], count: int) -> list[int]:
    """What the model goes on with, token by token."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(llama.logits_of(tokens).argmax()))
    return tokens[len(prompt) :]


def ids(generation: Any, choice: int = 0) -> list[int]:
    return [token.id for token in generation.choices[choice].tokens]


def test_what_it_is(engine: LlamaCppEngine) -> None:
    info = engine.info
    assert isinstance(engine, Engine)
    assert (info.name, info.task, info.chats, info.context, info.weights) == ("little", "causal-lm", False, 64, "int8")
    assert info.features == {"choices", "logprobs", "constraint", "logit_bias", "penalties", "token_prompts"}
    assert (engine.stats().slots, engine.stats().cache_tokens) == (3, 3 * 256)


def test_an_answer_is_what_the_logits_say(engine: LlamaCppEngine, llama: Any) -> None:
    prompt = engine.tokenize("hello")
    request = GenerateRequest(prompt="hello", max_new_tokens=9, sampling=GREEDY, stop_tokens=NEVER, logprobs=2)
    found = engine.submit(request).result(10)
    assert prompt == (llama.BEGIN, *(llama.BYTES + byte for byte in b"hello"))
    assert ids(found) == greedy(llama, prompt, 9)
    first = found.choices[0].tokens[0]
    assert first.score.bytes == bytes([first.id - llama.BYTES])
    assert first.alternatives[0].id == first.id
    assert first.logprob < 0
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (6, 9)


def test_alone_and_together_a_request_gives_the_same(engine: LlamaCppEngine, llama: Any) -> None:
    requests = [
        GenerateRequest(
            prompt=f"{word} {word}",
            max_new_tokens=12,
            stop_tokens=NEVER,
            sampling=Sampling(seed=number, top_p=0.9, presence_penalty=1.0, logit_bias=((llama.BYTES + 65, 2.0),)),
        )
        for number, word in enumerate(("a", "bcd", "efghij", "k", "lm"))
    ]
    alone = [ids(engine.submit(request).result(10)) for request in requests]
    llama.steps.clear()
    streams = [engine.submit(request) for request in requests]
    together = [ids(stream.result(10)) for stream in streams]
    assert together == alone
    assert max(len(step) for step in llama.steps) > 1, "answers shared steps"
    assert {place for step in llama.steps for place in step} <= {0, 1, 2}


def test_choices_are_drawn_apart_and_their_prompt_is_read_once(engine: LlamaCppEngine, llama: Any) -> None:
    request = GenerateRequest(prompt="x" * 30, choices=3, max_new_tokens=5, stop_tokens=NEVER)
    found = engine.submit(request).result(10)
    assert len({tuple(ids(found, choice)) for choice in range(3)}) == 3
    assert [target for _, target in llama.copies] == [1, 2]
    assert sum(step.get(1, 0) for step in llama.steps) == 5, "the prompt's last token, and four of its own"
    again = engine.submit(
        GenerateRequest(prompt="x" * 30, max_new_tokens=5, stop_tokens=NEVER, sampling=Sampling(seed=2))
    )
    assert ids(again.result(10)) == ids(found, 2)


def test_a_prompt_that_begins_alike_goes_on_from_what_is_there(engine: LlamaCppEngine, llama: Any) -> None:
    request = GenerateRequest(prompt="a long beginning, one", max_new_tokens=4, sampling=GREEDY, stop_tokens=NEVER)
    engine.submit(request).result(10)
    llama.steps.clear()
    other = GenerateRequest(prompt="a long beginning, two", max_new_tokens=4, sampling=GREEDY, stop_tokens=NEVER)
    found = engine.submit(other).result(10)
    assert found.usage.cached_tokens == 19
    assert llama.steps[0] == {0: 3}
    assert ids(found) == greedy(llama, engine.tokenize("a long beginning, two"), 4)
    salted = GenerateRequest(prompt="a long beginning, two", max_new_tokens=1, cache_salt="other")
    assert engine.submit(salted).result(10).usage.cached_tokens == 0


def test_stop_tokens_and_stop_strings(engine: LlamaCppEngine, llama: Any) -> None:
    whole = greedy(llama, engine.tokenize("q"), 6)
    request = GenerateRequest(prompt="q", max_new_tokens=6, sampling=GREEDY, stop_tokens=frozenset({whole[3]}))
    stopped = engine.submit(request).result(10).choices[0]
    assert (stopped.finish, [token.id for token in stopped.tokens]) == ("stop", whole[:4])
    bias = tuple((llama.BYTES + byte, 100.0) for byte in b"z")
    endless = GenerateRequest(
        prompt="q", max_new_tokens=9, sampling=Sampling(temperature=0, logit_bias=bias), stop_strings=("zzz",)
    )
    found = engine.submit(endless).result(10).choices[0]
    assert (found.finish, found.text, len(found.tokens)) == ("stop", "", 3)


def test_the_model_stops_where_the_file_says(engine: LlamaCppEngine, llama: Any) -> None:
    always = Sampling(temperature=0, logit_bias=((llama.END, 100.0),))
    found = engine.submit(GenerateRequest(prompt="q", max_new_tokens=9, sampling=always)).result(10).choices[0]
    assert (found.finish, found.text, len(found.tokens)) == ("stop", "", 1)


def test_half_characters_are_held_back(engine: LlamaCppEngine, llama: Any) -> None:
    first, second = ("ä".encode()[0] + llama.BYTES, "ä".encode()[1] + llama.BYTES)
    request = GenerateRequest(
        prompt="q",
        max_new_tokens=2,
        sampling=Sampling(temperature=0, logit_bias=((first, 100.0),), presence_penalty=2.0),
        stop_tokens=NEVER,
    )
    texts = [token.text for token in engine.submit(request).result(10).choices[0].tokens]
    assert texts == ["", "\ufffd\ufffd"]
    assert engine.detokenize((first, second, llama.END)) == "ä<end>"


def test_json_comes_out_where_json_is_asked_for(engine: LlamaCppEngine) -> None:
    pytest.importorskip("llguidance", reason="needs llguidance: pip install 'tunesmith[serve]'")
    properties = {"a": {"enum": ["yes", "no"]}}
    schema = {"type": "object", "properties": properties, "required": ["a"], "additionalProperties": False}
    constraint = Constraint("json_schema", json.dumps(schema))
    request = GenerateRequest(prompt="q", max_new_tokens=40, constraint=constraint)
    assert engine.submit(request).result(30).text in ('{"a":"yes"}', '{"a":"no"}')


def test_what_cannot_be_is_refused_before_it_begins(engine: LlamaCppEngine, llama: Any) -> None:
    for request, words in (
        (PredictRequest(rows=("x",)), "does not answer such requests"),
        (GenerateRequest(prompt="x" * 90), "does not fit into the model's context"),
        (GenerateRequest(prompt=({"role": "user", "content": "x"},)), "has not learned to answer messages"),
        (GenerateRequest(prompt="x", adapter="a"), "takes no adapters"),
        (GenerateRequest(prompt=(llama.VOCABULARY,)), "not in the vocabulary"),
        (GenerateRequest(prompt="x", sampling=Sampling(logit_bias=((llama.VOCABULARY, 1.0),))), "does not exist"),
    ):
        with pytest.raises(RequestError, match=words):
            engine.submit(request)
    assert llama.steps == []


def held(llama: Any, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Steps wait until the event is set."""
    go, decode = threading.Event(), llama.llama_decode
    monkeypatch.setattr(llama, "llama_decode", lambda *args: (go.wait(10), decode(*args))[1])
    return go


def test_cancelled_between_steps_its_slot_is_free(
    engine: LlamaCppEngine, llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = held(llama, monkeypatch)
    stream = engine.submit(GenerateRequest(prompt="q", max_new_tokens=50, stop_tokens=NEVER))
    late = engine.submit(GenerateRequest(prompt="r", max_new_tokens=50, stop_tokens=NEVER), timeout=0.01)
    stream.cancel()
    time.sleep(0.02)
    go.set()
    with pytest.raises(CancelledError):
        stream.result(10)
    with pytest.raises(DeadlineError):
        late.result(10)
    stats = engine.stats()
    assert (stats.slots_used, stats.running, stats.cancelled, stats.failed) == (0, 0, 1, 1)
    assert len(llama.steps) <= 2


def test_a_step_that_fails_ends_its_requests_and_the_next_ones_are_right(engine: LlamaCppEngine, llama: Any) -> None:
    request = GenerateRequest(prompt="a long beginning", max_new_tokens=4, sampling=GREEDY, stop_tokens=NEVER)
    before = engine.submit(request).result(10)
    llama.fail = 1
    with pytest.raises(RuntimeError, match="a step of the engine failed") as caught:
        engine.submit(request).result(10)
    assert "llama_decode gave -3" in str(caught.value.__cause__)
    after = engine.submit(request).result(10)
    assert ids(after) == ids(before)
    assert after.usage.cached_tokens == 0, "nothing that a failed step may have left is gone on from"
    assert engine.stats().slots_used == 0


def test_long_prompts_are_read_in_parts_between_which_others_go_on(llama: Any, gguf: Callable[..., Path]) -> None:
    engine = LlamaCppEngine(str(gguf(context=2048)), slots=2)
    first = engine.submit(GenerateRequest(prompt="a", max_new_tokens=300, stop_tokens=NEVER))
    next(iter_tokens := iter(first))
    second = engine.submit(GenerateRequest(prompt="b" * 1500, max_new_tokens=2, stop_tokens=NEVER))
    second.result(20)
    parts = [step[1] for step in llama.steps if step.get(1, 0) > 1]
    assert parts == [512, 512, 477]
    assert all(step.get(0) == 1 for step in llama.steps if step.get(1, 0) > 1)
    iter_tokens.close()  # type: ignore[attr-defined]
    engine.close()


def test_closed_everything_is_given_back_once(llama: Any, gguf: Callable[..., Path]) -> None:
    engine = LlamaCppEngine(str(gguf()))
    assert engine.drain(5)
    with pytest.raises(DrainingError, match="about to stop"):
        engine.submit(GenerateRequest(prompt="x"))
    engine.close()
    engine.close()
    assert llama.freed == ["batch", "context", "model"]
    with pytest.raises(DrainingError, match="the engine is closed"):
        engine.tokenize("x")
    assert engine.detokenize([llama.BYTES + 65]) == "A"


def test_whatever_came_before_an_answer_is_the_same(engine: LlamaCppEngine, llama: Any) -> None:
    """Prompts that begin alike, more or less, in slots that hold this and that: in place, copied, or read anew."""
    chance = random.Random(0)
    openings = ("say yes", "tell me of the sea", "tell me of the sky and", "x" * 30, "tell me of the sea and the sky")
    for _ in range(40):
        requests = [
            GenerateRequest(
                prompt=chance.choice(openings) + chance.choice(("", "!", " a")),
                max_new_tokens=chance.randint(1, 12),
                choices=chance.choice((1, 1, 2)),
                sampling=GREEDY,
                stop_tokens=NEVER,
            )
            for _ in range(chance.randint(1, 5))
        ]
        streams = [engine.submit(request) for request in requests]
        for request, stream in zip(requests, streams, strict=True):
            found = stream.result(20)
            wanted = greedy(llama, engine.tokenize(request.prompt), request.max_new_tokens or 0)
            assert [ids(found, choice) for choice in range(request.choices)] == [wanted] * request.choices
    assert llama.copies
    assert engine.stats().cached_tokens > 0
