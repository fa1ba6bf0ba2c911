# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The native engine against the plain model, and its edges."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tunesmith.engine import GenerateRequest, Sampling, Token
from tunesmith.engine.native import NativeEngine
from tunesmith.errors import ModelError

GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken("<end>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>")


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=257,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            initializer_range=0.4,  # far from uniform, so that a wrong cache changes the greedy path
        )
        return LlamaForCausalLM(config)


@pytest.fixture
def engine(model: LlamaForCausalLM, tokenizer: Any) -> NativeEngine:
    return NativeEngine(model, tokenizer)


def plain_greedy(model: LlamaForCausalLM, prompt: tuple[int, ...], count: int) -> list[int]:
    """The reference: the whole sequence through the model for every token, no cache."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_greedy_equals_the_plain_model(engine: NativeEngine, model: LlamaForCausalLM) -> None:
    prompt = (5, 80, 17)
    tokens = list(engine.generate(GenerateRequest(prompt=prompt, max_new_tokens=20, sampling=GREEDY)))
    assert [token.id for token in tokens] == plain_greedy(model, prompt, 20)
    assert [token.finish for token in tokens] == [None] * 19 + ["length"]


def test_logprobs_are_the_models(engine: NativeEngine, model: LlamaForCausalLM) -> None:
    prompt = (5, 80, 17)
    tokens = list(engine.generate(GenerateRequest(prompt=prompt, max_new_tokens=5, sampling=Sampling(temperature=2))))
    ids = [*prompt, *(token.id for token in tokens)]
    with torch.inference_mode():
        logprobs = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0].float(), -1)
    expected = [float(logprobs[place - 1, ids[place]]) for place in range(len(prompt), len(ids))]
    assert [token.logprob for token in tokens] == pytest.approx(expected, abs=1e-4)


def test_same_seed_same_text(engine: NativeEngine) -> None:
    def ids(seed: int) -> list[int]:
        request = GenerateRequest(prompt=(1,), max_new_tokens=20, sampling=Sampling(temperature=3, seed=seed))
        return [token.id for token in engine.generate(request)]

    assert ids(1) == ids(1) != ids(2)


def test_a_stop_token_ends_the_answer_and_is_no_part_of_its_text(engine: NativeEngine, model: Any) -> None:
    greedy = plain_greedy(model, (5, 80), 10)
    stop = greedy[4]
    first = greedy.index(stop)
    tokens = list(
        engine.generate(
            GenerateRequest(prompt=(5, 80), max_new_tokens=10, sampling=GREEDY, stop_tokens=frozenset({stop}))
        )
    )
    assert [token.id for token in tokens] == greedy[: first + 1]
    assert tokens[-1].finish == "stop"
    free = list(engine.generate(GenerateRequest(prompt=(5, 80), max_new_tokens=max(first, 1), sampling=GREEDY)))
    if first:
        assert "".join(token.text for token in tokens) == "".join(token.text for token in free)


def test_a_stop_string_ends_the_answer(engine: NativeEngine) -> None:
    request = GenerateRequest(prompt=(5, 80), max_new_tokens=30, sampling=GREEDY)
    whole = "".join(token.text for token in engine.generate(request))
    stop = whole[8:11]
    stopped = GenerateRequest(prompt=(5, 80), max_new_tokens=30, sampling=GREEDY, stop_strings=(stop,))
    tokens = list(engine.generate(stopped))
    assert "".join(token.text for token in tokens) == whole[: whole.index(stop)]
    assert tokens[-1].finish == "stop"


def test_the_context_is_checked_before_anything_runs(engine: NativeEngine) -> None:
    with pytest.raises(ModelError) as caught:
        engine.generate(GenerateRequest(prompt=(1,) * 60, max_new_tokens=5))
    words = str(caught.value)
    assert "given:    60 prompt tokens + 5 new tokens = 65" in words
    assert "expected: at most 64 tokens together" in words
    assert "at most 4 new tokens" in words
    assert len(list(engine.generate(GenerateRequest(prompt=(1,) * 60, max_new_tokens=4)))) == 4


@pytest.mark.parametrize("token", [-1, 257])
def test_a_token_outside_the_vocabulary_is_named(engine: NativeEngine, token: int) -> None:
    with pytest.raises(ValueError, match=f"token {token}, .*expected 0 to 256"):
        engine.generate(GenerateRequest(prompt=(1, token), max_new_tokens=1))


def test_threads_get_the_answers_they_would_get_alone(engine: NativeEngine) -> None:
    requests = [
        GenerateRequest(prompt=(seed + 1, 9), max_new_tokens=15, sampling=Sampling(temperature=2, seed=seed))
        for seed in range(4)
    ]
    alone = [[token.id for token in engine.generate(request)] for request in requests]
    together: dict[int, list[int]] = {}

    def work(number: int) -> None:
        together[number] = [token.id for token in engine.generate(requests[number])]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(4)] == alone


def test_two_answers_may_be_read_in_turns(engine: NativeEngine) -> None:
    request = GenerateRequest(prompt=(5, 80), max_new_tokens=8, sampling=GREEDY)
    alone = [token.id for token in engine.generate(request)]
    pairs = list(zip(engine.generate(request), engine.generate(request), strict=True))
    assert [left.id for left, _ in pairs] == [right.id for _, right in pairs] == alone


def test_closing_the_iterator_cancels_and_leaves_the_engine_usable(engine: NativeEngine) -> None:
    answer: Any = engine.generate(GenerateRequest(prompt=(1,), max_new_tokens=50))
    next(answer)
    answer.close()
    assert list(answer) == []
    assert not torch.is_inference_mode_enabled()
    assert len(list(engine.generate(GenerateRequest(prompt=(1,), max_new_tokens=2)))) == 2


def test_close_ends_requests_under_way(engine: NativeEngine) -> None:
    answer = engine.generate(GenerateRequest(prompt=(1,), max_new_tokens=50))
    next(answer)
    engine.close()
    with pytest.raises(RuntimeError, match="closed while the request was under way"):
        next(answer)
    with pytest.raises(RuntimeError, match="closed; load the model again"):
        engine.generate(GenerateRequest(prompt=(1,), max_new_tokens=1))


def test_requests_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        GenerateRequest(prompt=(), max_new_tokens=1)
    with pytest.raises(ValueError, match="max_new_tokens is out of range"):
        GenerateRequest(prompt=(1,), max_new_tokens=0)
    with pytest.raises(ValueError, match="temperature is out of range"):
        Sampling(temperature=float("nan"))


def test_stories260k_tells_its_story(shared: Path) -> None:
    folder = shared / "models" / "stories260k"
    if not folder.is_dir():
        pytest.skip("needs ../shared/models/stories260k")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = NativeEngine(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), tokenizer)
    request = GenerateRequest(prompt=(tokenizer.bos_token_id,), max_new_tokens=70, sampling=GREEDY)
    tokens: list[Token] = list(engine.generate(request))
    assert "".join(token.text for token in tokens).startswith(
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
        "One day, she saw a big, red ball."
    )
