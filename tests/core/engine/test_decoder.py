# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The lean forward pass against transformers' own, for every family it knows and every way tokens can lie in a step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tunesmith.engine import attending as attending_file
from tunesmith.engine.attending import Attending
from tunesmith.engine.decoder import Decoder
from tunesmith.engine.keys_values import KeysValues, bytes_per_token

from .decoders import MODELS, SEQUENCES, logits, make


def run(decoder: Decoder, memory: KeysValues, parts: list[tuple[int, int, list[int]]]) -> torch.Tensor:
    """One step; parts are slot, tokens before, tokens. All logits."""
    ids = torch.tensor([token for _, _, tokens in parts for token in tokens])
    places = torch.tensor([before + place for _, before, tokens in parts for place in range(len(tokens))])
    plan = [(slot, before, len(tokens)) for slot, before, tokens in parts]
    with torch.inference_mode():
        return decoder.forward(
            ids, places, memory, Attending.of(decoder.shape, plan, decoder.device), torch.arange(len(ids))
        )


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_models_own(name: str) -> None:
    model = make(name)
    expected = [logits(model, ids) for ids in SEQUENCES]
    decoder = Decoder.of(model)
    assert decoder is not None
    memory = KeysValues.of(decoder, slots=5, capacity=32)
    slots = (4, 1, 2)
    # Two prompts in one step; the third in two parts, the second of them beside single tokens.
    first = run(decoder, memory, [(4, 0, SEQUENCES[0][:18]), (1, 0, SEQUENCES[1][:3])])
    assert torch.allclose(first, torch.cat([expected[0][:18], expected[1][:3]]), atol=1e-4)
    run(decoder, memory, [(2, 0, SEQUENCES[2][:5])])
    mixed = run(decoder, memory, [(4, 18, SEQUENCES[0][18:19]), (1, 3, SEQUENCES[1][3:4]), (2, 5, SEQUENCES[2][5:11])])
    assert torch.allclose(mixed, torch.cat([expected[0][18:19], expected[1][3:4], expected[2][5:11]]), atol=1e-4)
    for back in (2, 1):
        parts = [(slot, len(ids) - back, ids[-back:][:1]) for slot, ids in zip(slots, SEQUENCES, strict=True)]
        together = run(decoder, memory, parts)
        assert torch.allclose(together, torch.stack([one[-back] for one in expected]), atol=1e-4)


@pytest.mark.parametrize("waste", [0.0, 100.0], ids=["one by one", "together"])
def test_both_ways_of_attending_are_one(waste: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending_file, "_WASTE", waste)
    model = make("qwen3")
    decoder = Decoder.of(model)
    assert decoder is not None
    memory = KeysValues.of(decoder, slots=6, capacity=32)
    for slot, ids in zip((5, 0, 3), SEQUENCES, strict=True):
        run(decoder, memory, [(slot, 0, ids[:-1])])
    got = run(decoder, memory, [(slot, len(ids) - 1, ids[-1:]) for slot, ids in zip((5, 0, 3), SEQUENCES, strict=True)])
    assert torch.allclose(got, torch.stack([logits(model, ids)[-1] for ids in SEQUENCES]), atol=1e-4)


def test_what_lies_in_unused_memory_changes_nothing() -> None:
    model = make("llama")
    decoder = Decoder.of(model)
    assert decoder is not None
    memory = KeysValues.of(decoder, slots=3, capacity=32)
    for store in (*memory.keys, *memory.values):
        store.fill_(1e4)
    for slot, ids in zip((0, 2), SEQUENCES, strict=False):
        run(decoder, memory, [(slot, 0, ids[:-1])])
    got = run(decoder, memory, [(slot, len(ids) - 1, ids[-1:]) for slot, ids in zip((0, 2), SEQUENCES, strict=False)])
    assert torch.allclose(got, torch.stack([logits(model, ids)[-1] for ids in SEQUENCES[:2]]), atol=1e-4)


def test_the_model_still_works_and_shares_its_weights() -> None:
    model = make("qwen2")
    before = logits(model, SEQUENCES[0])
    decoder = Decoder.of(model)
    assert decoder is not None
    assert torch.allclose(logits(model, SEQUENCES[0]), before, atol=1e-6)
    layer, joined = model.model.layers[0], decoder.layers[0].qkv
    assert layer.self_attn.q_proj.weight.data_ptr() == joined.weight.data_ptr()


def test_bf16_is_near() -> None:
    model = make("qwen3").bfloat16()
    decoder = Decoder.of(model)
    assert decoder is not None
    memory = KeysValues.of(decoder, slots=1, capacity=32)
    got = run(decoder, memory, [(0, 0, SEQUENCES[0])])
    assert got.dtype == torch.bfloat16
    assert (got - logits(model, SEQUENCES[0])).abs().max() < 0.1


@pytest.mark.parametrize(
    "more",
    [
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}},
    ],
    ids=["gelu", "dynamic angles"],
)
def test_other_arithmetic_is_left_alone(more: dict[str, Any]) -> None:
    assert Decoder.of(make("llama", **more)) is None


def test_sliding_windows_and_other_families_are_left_alone() -> None:
    assert Decoder.of(make("mistral", sliding_window=8)) is None
    assert (
        Decoder.of(GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2))) is None
    )


def test_a_model_that_says_something_else_fails_the_trial() -> None:
    model = make("llama")
    plain = model.model.layers[1].forward
    model.model.layers[1].forward = lambda hidden, **more: plain(hidden, **more) * 1.5
    assert Decoder.of(model) is None


def test_memory_is_what_the_sizes_say() -> None:
    decoder = Decoder.of(make("llama"))
    assert decoder is not None
    memory = KeysValues.of(decoder, slots=3, capacity=10)
    held = sum(store.nbytes for store in (*memory.keys, *memory.values))
    assert held == 3 * 10 * bytes_per_token(decoder.shape, decoder.dtype)


def test_single_tokens_come_first() -> None:
    decoder = Decoder.of(make("llama"))
    assert decoder is not None
    with pytest.raises(ValueError, match="come first"):
        Attending.of(decoder.shape, [(0, 0, 3), (1, 4, 1)], decoder.device)
