# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Many prompts at once, and encoder-decoders: the answers are those of one prompt alone, and of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from tunesmith.engine import GenerateRequest, Sampling
from tunesmith.engine.native import NativeEngine
from tunesmith.errors import ModelError

START, END, PAD = 257, 258, 256
GREEDY = Sampling(temperature=0)
PROMPTS = [(5, 80, 17), (9,), (40, 41, 42, 43, 44, 45, 46), (7, 7), (100, 3, 9)]


def _decoder(build: Any, config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(config).eval()


def llama() -> Any:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    return _decoder(
        LlamaForCausalLM,
        LlamaConfig(vocab_size=259, max_position_embeddings=64, initializer_range=0.4, **sizes),
    )


def gpt2() -> Any:
    """Learned positions: a prompt that counts them from its padding would be answered otherwise."""
    config = GPT2Config(vocab_size=259, n_positions=64, n_embd=32, n_layer=2, n_head=4, initializer_range=0.4)
    return _decoder(GPT2LMHeadModel, config)


def bart() -> Any:
    sizes = {"d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64}
    sizes |= {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    ids = {"pad_token_id": PAD, "bos_token_id": START, "eos_token_id": END, "decoder_start_token_id": START}
    config = BartConfig(vocab_size=259, init_std=0.4, forced_eos_token_id=None, **ids, **sizes)
    return _decoder(BartForConditionalGeneration, config)


def t5() -> Any:
    config = T5Config(
        vocab_size=259,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        initializer_factor=3.0,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=START,
    )
    return _decoder(T5ForConditionalGeneration, config)


def engine_for(build: Any, tokenizer: Any) -> NativeEngine:
    return NativeEngine(build(), tokenizer, (START,) if build in (bart, t5) else ())


def alone(engine: NativeEngine, prompt: tuple[int, ...], count: int, stop: frozenset[int] = frozenset()) -> str:
    request = GenerateRequest(prompt=prompt, max_new_tokens=count, sampling=GREEDY, stop_tokens=stop)
    return "".join(token.text for token in engine.generate(request))


@pytest.fixture(scope="module")
def tokenizer(byte_tokens: Any) -> Any:
    return byte_tokens


@pytest.mark.parametrize("build", [llama, gpt2, bart, t5])
def test_prompts_together_get_the_answers_they_get_alone(build: Any, tokenizer: Any) -> None:
    engine = engine_for(build, tokenizer)
    free = [alone(engine, prompt, 16) for prompt in PROMPTS]
    assert len(set(free)) > 1
    assert [text for text, _ in engine.answers(PROMPTS, max_new_tokens=16)] == free
    # Rows that stop early leave the batch, and the others go on as they were.
    stop = frozenset(range(0, 256, 5))
    ended = [alone(engine, prompt, 16, stop) for prompt in PROMPTS]
    found = engine.answers(PROMPTS, max_new_tokens=16, stop_tokens=stop)
    assert [text for text, _ in found] == ended
    assert {finish for _, finish in found} <= {"stop", "length"}
    assert [engine.answers([prompt], max_new_tokens=16, stop_tokens=stop)[0] for prompt in PROMPTS] == found
    assert engine.answers(PROMPTS, max_new_tokens=16, stop_tokens=stop, tokens_per_batch=1) == found


@pytest.mark.parametrize("build", [bart, t5])
def test_an_encoder_decoder_answers_as_transformers_does(build: Any, tokenizer: Any) -> None:
    model = build()
    engine = NativeEngine(model, tokenizer, (START,))
    for prompt in PROMPTS:
        request = GenerateRequest(prompt=prompt, max_new_tokens=12, sampling=GREEDY, stop_tokens=frozenset({END}))
        ids = [token.id for token in engine.generate(request)]
        theirs = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False, num_beams=1)
        assert ids == theirs[0].tolist()[1:]


def test_an_encoder_decoder_draws_by_its_seed(tokenizer: Any) -> None:
    engine = NativeEngine(bart(), tokenizer, (START,))

    def ids(seed: int) -> list[int]:
        request = GenerateRequest(prompt=(1, 2), max_new_tokens=12, sampling=Sampling(temperature=3, seed=seed))
        return [token.id for token in engine.generate(request)]

    assert ids(1) == ids(1) != ids(2)


def test_source_and_answer_each_have_the_whole_context(tokenizer: Any) -> None:
    engine = NativeEngine(bart(), tokenizer, (START,))
    assert engine.room(60) == 63
    assert len(list(engine.generate(GenerateRequest(prompt=(1,) * 64, max_new_tokens=63, sampling=GREEDY)))) == 63
    with pytest.raises(ModelError, match="the source does not fit") as caught:
        engine.generate(GenerateRequest(prompt=(1,) * 65, max_new_tokens=1))
    assert "given:    65 tokens" in str(caught.value)
    with pytest.raises(ModelError, match="the answer does not fit") as caught:
        engine.generate(GenerateRequest(prompt=(1,), max_new_tokens=64))
    assert "ask for at most 63 new tokens" in str(caught.value)
    assert NativeEngine(t5(), tokenizer, (START,)).room(1000) is None


def test_a_prompt_that_fills_the_context_is_refused_and_a_short_one_gets_what_is_left(tokenizer: Any) -> None:
    engine = engine_for(llama, tokenizer)
    ((text, finish),) = engine.answers([(1,) * 60], max_new_tokens=100)
    assert finish == "length"
    assert text == alone(engine, (1,) * 60, 4)
    with pytest.raises(ModelError, match="do not fit into the model's context"):
        engine.answers([(1,), (1,) * 64], max_new_tokens=1)
    with pytest.raises(ValueError, match="token 999, which is not in the vocabulary"):
        engine.answers([(999,)], max_new_tokens=1)
    assert engine.answers([], max_new_tokens=1) == []


@pytest.mark.parametrize("build", [llama, t5])
def test_answers_draw_no_random_number(build: Any, tokenizer: Any) -> None:
    engine = engine_for(build, tokenizer)
    before = torch.get_rng_state()
    engine.answers(PROMPTS, max_new_tokens=8)
    assert torch.equal(before, torch.get_rng_state())


def test_broken_weights_are_said(tokenizer: Any) -> None:
    model = llama()
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="the model's output is not a number"):
        NativeEngine(model, tokenizer).answers(PROMPTS, max_new_tokens=2)
