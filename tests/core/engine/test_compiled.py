# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The compiled step: transformers' logits in every family, and the same bits in any company."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from numba.core.errors import NumbaError

from tunesmith.engine import compiled as compiled_file
from tunesmith.engine.compiled import CompiledDecoder, Stored
from tunesmith.engine.decoder import Decoder
from tunesmith.engine.jit import step as jit
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter, LowRank
from tunesmith.engine.steps import ChainDecoder, Part

from .decoders import MODELS, SEQUENCES, logits, make

NEAR: dict[Stored, float] = {"fp32": 1e-5, "bf16": 0.03, "fp16": 2e-3, "int8": 0.05}


def compiled(model: Any, stored: Stored = "fp32", *, threads: int = 1) -> CompiledDecoder:
    decoder = Decoder.of(model)
    assert decoder is not None
    made = CompiledDecoder.of(decoder, stored, threads=threads)
    assert made is not None
    return made


@pytest.fixture(scope="module", params=[1, 3], ids=["one thread", "three threads"])
def qwen3(request: pytest.FixtureRequest) -> Iterator[tuple[Any, CompiledDecoder]]:
    model = make("qwen3")
    decoder = compiled(model, threads=request.param)
    yield model, decoder
    decoder.close()


@torch.inference_mode()
def read(decoder: CompiledDecoder, memory: KeysValues, *parts: Part) -> torch.Tensor:
    """All logits of a step, a copy."""
    return decoder.step(memory, parts, range(sum(len(part.tokens) for part in parts))).clone()


def memory_for(decoder: CompiledDecoder, slots: int = 6) -> KeysValues:
    return KeysValues.of(decoder, slots=slots, capacity=32)


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_models_own(name: str) -> None:
    model = make(name)
    expected = [logits(model, ids) for ids in SEQUENCES]
    decoder = compiled(model)
    memory = memory_for(decoder)
    first = read(decoder, memory, Part(4, 0, SEQUENCES[0][:18]), Part(1, 0, SEQUENCES[1][:3]))
    assert torch.allclose(first, torch.cat([expected[0][:18], expected[1][:3]]), atol=1e-4)
    read(decoder, memory, Part(2, 0, SEQUENCES[2][:5]))
    mixed = read(
        decoder,
        memory,
        Part(4, 18, SEQUENCES[0][18:19]),
        Part(1, 3, SEQUENCES[1][3:4]),
        Part(2, 5, SEQUENCES[2][5:11]),
    )
    assert torch.allclose(mixed, torch.cat([expected[0][18:19], expected[1][3:4], expected[2][5:11]]), atol=1e-4)
    decoder.close()


@pytest.mark.parametrize("stored", ["bf16", "fp16", "int8"])
def test_fewer_bits_are_near_and_smaller(stored: Stored) -> None:
    expected, whole = logits(make("qwen3"), SEQUENCES[0]), Decoder.of(make("qwen3"))
    assert whole is not None
    decoder = compiled(make("qwen3").bfloat16() if stored == "bf16" else make("qwen3"), stored)
    got = read(decoder, memory_for(decoder), Part(0, 0, SEQUENCES[0]))
    decoder.close()
    assert (got - expected).abs().max() < NEAR[stored] * expected.abs().max()
    assert not torch.equal(got, expected)
    if stored == "int8":  # rows are filled up with zeros
        assert whole.nbytes // 4 <= decoder.nbytes < whole.nbytes // 3
    else:
        assert decoder.nbytes == whole.nbytes // 2
    assert decoder.weights == stored


def test_the_same_bits_alone_in_company_in_parts_and_token_by_token(qwen3: tuple[Any, CompiledDecoder]) -> None:
    decoder = qwen3[1]
    memory = memory_for(decoder)
    for ids in SEQUENCES:
        whole = read(decoder, memory, Part(0, 0, ids))
        singly = torch.cat([read(decoder, memory, Part(1, n, ids[n : n + 1])) for n in range(len(ids))])
        halves = [read(decoder, memory, Part(2, 0, ids[:4])), read(decoder, memory, Part(2, 4, ids[4:]))]
        assert torch.equal(whole, singly)
        assert torch.equal(whole, torch.cat(halves))
        for store in (*memory.keys, *memory.values):
            assert torch.equal(store[0, :, : len(ids)], store[1, :, : len(ids)])
    alone = [read(decoder, memory, Part(0, 0, ids)) for ids in SEQUENCES]
    together = read(decoder, memory, *(Part(3 + number, 0, ids) for number, ids in enumerate(SEQUENCES)))
    assert torch.equal(together, torch.cat(alone))


def test_any_number_of_threads_gives_the_same_bits() -> None:
    model = make("llama-biases")
    found = []
    for threads in (1, 2, 5):
        decoder = compiled(model, threads=threads)
        found.append(read(decoder, memory_for(decoder), Part(0, 0, SEQUENCES[0])))
        decoder.close()
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_helpers_that_sleep_and_come_late_change_nothing(qwen3: tuple[Any, CompiledDecoder]) -> None:
    decoder = qwen3[1]
    memory = memory_for(decoder)
    expected = read(decoder, memory, Part(0, 0, SEQUENCES[0]))
    pause = threading.Event()
    for step in range(200):
        if step % 50 == 0:
            pause.wait(0.1)  # longer than helpers look for work
        assert torch.equal(read(decoder, memory, Part(step % 6, 0, SEQUENCES[0])), expected)


def test_only_what_is_wanted(qwen3: tuple[Any, CompiledDecoder]) -> None:
    decoder = qwen3[1]
    memory = memory_for(decoder)
    every = read(decoder, memory, Part(0, 0, SEQUENCES[0]))
    assert torch.equal(decoder.step(memory, [Part(0, 0, SEQUENCES[0])], [3, 20]), every[[3, 20]])
    assert decoder.step(memory, [Part(0, 0, SEQUENCES[0])], []).shape == (0, 100)


def test_what_lies_in_unused_memory_changes_nothing(qwen3: tuple[Any, CompiledDecoder]) -> None:
    model, decoder = qwen3
    memory = memory_for(decoder)
    for store in (*memory.keys, *memory.values):
        store.fill_(float("nan"))
    got = read(decoder, memory, Part(3, 0, SEQUENCES[0]))
    assert torch.allclose(got, logits(model, SEQUENCES[0]), atol=1e-4)


def adapter(decoder: CompiledDecoder, rank: int, seed: int) -> Adapter:
    random, parts = torch.Generator().manual_seed(seed), {}
    for layer in range(decoder.shape.layers):
        for name, (inputs, outputs) in decoder.sizes.items():
            parts[layer, name] = [
                LowRank(
                    torch.randn(inputs, rank, generator=random) * 0.1,
                    torch.randn(rank, size, generator=random) * 0.1,
                    sum(outputs[:place]),
                    sum(outputs[: place + 1]),
                )
                for place, size in enumerate(outputs)
            ]
    return Adapter(parts)


def test_adapters_are_those_of_the_plain_step_and_their_own(qwen3: tuple[Any, CompiledDecoder]) -> None:
    model, decoder = qwen3
    plain = Decoder.of(model)
    assert plain is not None
    one, two = adapter(decoder, 3, seed=1), adapter(decoder, 8, seed=2)
    parts = [Part(0, 0, SEQUENCES[0], one), Part(1, 0, SEQUENCES[1]), Part(2, 0, SEQUENCES[2], two)]
    count = sum(map(len, SEQUENCES))
    with torch.inference_mode():
        expected = plain.step(KeysValues.of(plain, slots=3, capacity=32), parts, range(count))
    memory = memory_for(decoder)
    got = read(decoder, memory, *parts)
    assert torch.allclose(got, expected, atol=1e-4)
    alone = [read(decoder, memory, part) for part in parts]
    assert torch.equal(torch.cat(alone), got)
    assert not torch.allclose(alone[0], read(decoder, memory, Part(0, 0, SEQUENCES[0])), atol=1e-2)


def test_an_adapter_that_is_gone_is_forgotten(qwen3: tuple[Any, CompiledDecoder]) -> None:
    decoder = qwen3[1]
    memory = memory_for(decoder)
    for seed in range(4):
        mine = adapter(decoder, 2, seed)
        read(decoder, memory, Part(0, 0, SEQUENCES[1], mine))
    assert len(decoder._numbers) == 1
    assert decoder._low_rank.shape[0] <= 2


def test_a_weight_that_is_not_a_number_is_seen() -> None:
    decoder = Decoder.of(make("llama"))
    assert decoder is not None
    broken = CompiledDecoder(decoder, "fp32", threads=1)
    decoder.layers[1].down.weight.data[0, 0] = float("nan")
    got = read(broken, memory_for(broken), Part(0, 0, SEQUENCES[1]))
    broken.close()
    assert got.isnan().any()


@pytest.mark.parametrize(("speedup", "dtype"), [(5.0, torch.bfloat16), (0.3, torch.float32)])
def test_prompts_go_to_pytorch_where_it_has_fast_bf16_products(
    speedup: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_file, "bf16_speedup", lambda: speedup)
    decoder = compiled(make("qwen3").bfloat16(), "bf16")
    prompt = [(11 * n) % 97 for n in range(40)]
    memory = KeysValues.of(decoder, slots=2, capacity=64)
    long = read(decoder, memory, Part(0, 0, prompt))
    assert long.dtype == dtype
    short = torch.cat([read(decoder, memory, Part(1, n, prompt[n : n + 1])) for n in range(40)])
    decoder.close()
    assert (long.float() - short).abs().max() < 0.1
    assert (memory.keys[1][0, :, :40] - memory.keys[1][1, :, :40]).abs().max() < 0.2


def test_what_cannot_be_compiled_is_no_decoder(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise NumbaError("no such processor\nand much more")

    monkeypatch.setattr(jit, "compute", refuse)
    decoder = Decoder.of(make("llama"))
    assert decoder is not None
    assert CompiledDecoder.of(decoder, "fp32", threads=1) is None
    assert "no code for this processor: no such processor" in caplog.text


def test_closing_ends_its_threads() -> None:
    decoder = compiled(make("llama"), threads=4)
    assert sum(thread.name.startswith("tunesmith-engine helper") for thread in threading.enumerate()) >= 3
    before = threading.active_count()
    decoder.close()
    decoder.close()
    assert threading.active_count() == before - 3


def test_it_computes_again_after_it_was_closed(qwen3: tuple[Any, CompiledDecoder]) -> None:
    decoder = qwen3[1]
    memory = memory_for(decoder)
    before = read(decoder, memory, Part(0, 0, SEQUENCES[2]))
    decoder.close()
    assert torch.equal(read(decoder, memory, Part(0, 0, SEQUENCES[2])), before)


# ---- chains ------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_a_chain_is_the_steps_of_greedy_decoding_to_the_last_bit(qwen3: tuple[Any, CompiledDecoder]) -> None:
    _, decoder = qwen3
    assert isinstance(decoder, ChainDecoder)
    one, other = memory_for(decoder), memory_for(decoder)
    for memory in (one, other):
        read(decoder, memory, Part(2, 0, SEQUENCES[0][:6]))
    rows, tokens, token = [], [], SEQUENCES[0][6]
    for place in range(6, 12):
        rows.append(read(decoder, one, Part(2, place, [token])))
        token = int(rows[-1].argmax())
        tokens.append(token)
    logits, likeliest = decoder.chain(other, Part(2, 6, SEQUENCES[0][6:7]), 6)
    assert torch.equal(logits, torch.cat(rows))
    assert likeliest == tokens
    assert all(map(torch.equal, one.keys + one.values, other.keys + other.values))
    assert torch.equal(read(decoder, one, Part(2, 12, [token])), read(decoder, other, Part(2, 12, [token])))


@torch.inference_mode()
def test_a_chain_ends_with_the_token_that_ends_it(qwen3: tuple[Any, CompiledDecoder]) -> None:
    _, decoder = qwen3
    memory = memory_for(decoder)
    _, whole = decoder.chain(memory, Part(0, 0, [7]), 6)
    end = whole[3]
    logits, tokens = decoder.chain(memory, Part(0, 0, [7]), 6, end=end)
    assert tokens == whole[: whole.index(end) + 1]
    assert len(logits) == len(tokens)


@pytest.mark.parametrize(("part", "count"), [(Part(0, 0, [7]), 1), (Part(0, 0, [7, 7]), 3), (Part(0, 30, [7]), 3)])
def test_a_chain_that_cannot_be_is_refused(qwen3: tuple[Any, CompiledDecoder], part: Part, count: int) -> None:
    _, decoder = qwen3
    with pytest.raises(ValueError, match="it begins with one, has at least two steps, and ends within the slot's 32"):
        decoder.chain(memory_for(decoder), part, count)
