# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The engine for other models that write, against the model itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import tunesmith
from tunesmith.engine import Constraint, Engine, GenerateRequest, Sampling, open_engine
from tunesmith.engine.generating import GeneratingEngine
from tunesmith.engine.sequential import SequentialEngine
from tunesmith.errors import CancelledError, RequestError
from tunesmith.models import find_model_by_name, load_tokenizer
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_llama, tiny_t5

GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    tokenizer = load_tokenizer(find_model_by_name(str(tiny_llama(folder / "llama")), get_registry()))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=64,
            n_embd=16,
            n_layer=2,
            n_head=2,
            eos_token_id=tokenizer.eos_token_id,
            initializer_range=0.4,
        )
        GPT2LMHeadModel(config).save_pretrained(folder / "gpt2")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder / "gpt2")
    return folder / "gpt2"


@pytest.fixture(scope="module")
def engine(gpt2: Path) -> Iterator[Engine]:
    opened = open_engine(gpt2, slots=2)
    yield opened
    opened.close()


def test_each_kind_of_model_has_its_engine(engine: Engine, tmp_path: Path) -> None:
    assert isinstance(engine, SequentialEngine)
    assert isinstance(engine, Engine)
    other = open_engine(tiny_llama(tmp_path))
    other.close()
    assert isinstance(other, GeneratingEngine)
    assert isinstance(other, Engine)


def test_answers_are_the_models_alone_and_in_company(engine: Engine, gpt2: Path) -> None:
    model = tunesmith.load(gpt2)
    prompts = ["ab", "the quick brown", "x", "12345"]
    for settings in ({"greedy": True}, {"seed": 5, "temperature": 1.5, "top_p": 0.9}):
        sampling = GREEDY if "greedy" in settings else Sampling(seed=5, temperature=1.5, top_p=0.9)
        streams = [
            engine.submit(GenerateRequest(prompt=prompt, max_new_tokens=15, sampling=sampling)) for prompt in prompts
        ]
        expected = [model.generate(prompt, max_new_tokens=15, **settings) for prompt in prompts]  # type: ignore[arg-type]
        assert [stream.result(60).text for stream in streams] == expected


def test_choices_forms_and_logprobs(engine: Engine) -> None:
    pytest.importorskip("llguidance")
    request = GenerateRequest(
        prompt="ab",
        max_new_tokens=30,
        sampling=Sampling(seed=2),
        choices=2,
        logprobs=2,
        constraint=Constraint("regex", "[xyz]{3}"),
    )
    whole = engine.submit(request).result(60)
    assert [len(choice.text) for choice in whole.choices] == [3, 3]
    assert set("".join(choice.text for choice in whole.choices)) <= set("xyz")
    assert all(len(token.alternatives) == 2 for choice in whole.choices for token in choice.tokens)


def test_messages_are_for_models_that_chat(engine: Engine) -> None:
    assert not engine.info.chats
    with pytest.raises(RequestError, match="has not learned to answer messages") as caught:
        engine.submit(GenerateRequest(prompt=({"role": "user", "content": "x"},)))
    assert caught.value.parameter == "messages"


def test_room_and_adapters(engine: Engine) -> None:
    with pytest.raises(RequestError, match="do not fit") as caught:
        engine.submit(GenerateRequest(prompt=(1,) * 60, max_new_tokens=5, sampling=GREEDY))
    assert caught.value.parameter == "max_new_tokens"
    with pytest.raises(RequestError, match="takes no adapters"):
        engine.submit(GenerateRequest(prompt=(1,), adapter="a"))
    with pytest.raises(RequestError, match="takes no adapters"):
        engine.load_adapter("a", Path("x"))


def test_cancelled_it_gives_its_place_to_the_next(engine: Engine) -> None:
    streams = [
        engine.submit(GenerateRequest(prompt=(3,), max_new_tokens=60, sampling=GREEDY, stop_tokens=frozenset()))
        for _ in range(4)
    ]
    streams[0].cancel()
    with pytest.raises(CancelledError):
        streams[0].result(20)
    assert [len(stream.result(60).choices[0].tokens) for stream in streams[1:]] == [60, 60, 60]
    assert engine.stats().running == 0


def test_an_encoder_decoder_fills_each_side_by_itself(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("source\ttarget\n" + "ab cd\tcd ab\n" * 6)
    recipe = {
        "task": "seq2seq",
        "model": str(tiny_t5(tmp_path / "t5")),
        "data": {"train": str(tmp_path / "rows.tsv"), "max_length": 32},
        "train": {"max_steps": 1},
        "evaluate": {"samples": 0},
        "output": str(tmp_path / "run"),
    }
    run = tunesmith.train(tunesmith.parse_recipe(recipe))
    context = 24
    model, engine = tunesmith.load(run.path), open_engine(run.path, context=context)
    try:
        streams = [
            engine.submit(GenerateRequest(prompt=text, max_new_tokens=10, sampling=GREEDY)) for text in ("ab", "cd ef")
        ]
        expected = [model.generate(text, max_new_tokens=10, greedy=True) for text in ("ab", "cd ef")]
        assert [stream.result(60).text for stream in streams] == expected
        whole = GenerateRequest(prompt=(5,) * context, max_new_tokens=3, sampling=GREEDY, stop_tokens=frozenset())
        assert len(engine.submit(whole).result(60).choices[0].tokens) == 3
        with pytest.raises(RequestError, match="do not fit"):
            engine.submit(GenerateRequest(prompt="ab", max_new_tokens=context, sampling=GREEDY))
        with pytest.raises(RequestError, match="does not fit"):
            engine.submit(GenerateRequest(prompt=(5,) * (context + 1), max_new_tokens=3, sampling=GREEDY))
    finally:
        engine.close()
