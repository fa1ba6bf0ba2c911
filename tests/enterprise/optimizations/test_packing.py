# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""bf16 in 12 bits: every bit comes back, products are the core's, and what is not bf16's is left alone."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from licensed import Machine

from tunesmith.engine.jit.native import c_function, entry
from tunesmith.engine.jit.products import PackedWeights, multiply_packed, multiply_stored
from tunesmith.engine.packing import Packed
from tunesmith.testing import tiny_llama
from tunesmith_enterprise.optimizations.chaining import acceleration
from tunesmith_enterprise.optimizations.packing import machine_code
from tunesmith_enterprise.optimizations.packing.packed import TwelveBits

NAME = "enterprise/compiled-decode"
PROMPT = tuple((5 * n + 3) % 90 for n in range(20))
BF16 = 1  # as STORED has it


def drawn(outputs: int, inputs: int, seed: int = 0) -> torch.Tensor:
    """Weights as a layer has them, as bf16."""
    return (torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed)) * 0.02).bfloat16()


def unpacked(packed: Packed, weight: torch.Tensor) -> torch.Tensor:
    """The bits that its function writes."""
    outputs, inputs = weight.shape
    made = torch.full((-(-outputs // 8) * 8, inputs), 7, dtype=torch.int16)
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(packed.unpack)
    for first in range(0, outputs, 8):
        function(packed.data.data_ptr() + first * packed.row_bytes, made[first:].data_ptr(), packed.data.data_ptr())
    return made[:outputs]


@entry
def _products(x: Any, weights: Any, count: int, bits: Any, made: Any) -> None:
    for first in range(0, count, 32):
        multiply_packed(x, weights, first, min(first + 32, count), weights.address, bits, made)


def products(packed: Packed, x: np.ndarray[Any, Any], outputs: int) -> np.ndarray[Any, Any]:
    weights = PackedWeights(packed.data.data_ptr(), packed.row_bytes, packed.unpack, packed.multiply)
    made = np.full((len(x), outputs), np.nan, np.float32)
    _products(x, weights, outputs, np.zeros(32 * x.shape[1], np.uint16), made)
    return made


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_the_bits_they_come_back(data: st.DataObject) -> None:
    outputs, tiles = data.draw(st.integers(1, 19)), data.draw(st.integers(1, 5))
    weight = drawn(outputs, 64 * tiles, data.draw(st.integers(0, 9)))
    weight[weight.abs() < 1e-4] = 1e-4  # else some of them may be others already
    bits = weight.view(torch.int16).flatten()
    room = len(bits) // 256  # at most so many of other exponents, or it is left
    for _ in range(data.draw(st.integers(0, min(room, 12)))):
        # NaN is no number that equals itself, and infinity none that fp16 and bf16 share: both are tried below.
        exponent = data.draw(st.integers(0, 254))
        value = data.draw(st.integers(0, 1)) << 15 | exponent << 7 | data.draw(st.integers(0, 127))
        bits[data.draw(st.integers(0, len(bits) - 1))] = value - (value >> 15 << 16)
    packed = TwelveBits().pack(weight)
    assert packed is not None
    assert torch.equal(unpacked(packed, weight), weight.view(torch.int16))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_in_every_dtype_that_a_layer_is_held_in(dtype: torch.dtype) -> None:
    weight = drawn(40, 192).to(dtype)
    packed = TwelveBits().pack(weight)
    assert packed is not None
    assert torch.equal(unpacked(packed, weight), weight.bfloat16().view(torch.int16))


@pytest.mark.parametrize(("outputs", "inputs"), [(1, 64), (8, 64), (41, 320), (64, 1024), (9, 64 * 260)])
@pytest.mark.parametrize("listed", [0, 3, 9])
def test_products_are_the_cores_to_the_last_bit(outputs: int, inputs: int, listed: int) -> None:
    weight = drawn(outputs, inputs)
    flat = weight.flatten()
    where = torch.randperm(len(flat), generator=torch.Generator().manual_seed(1))[: min(listed, len(flat) // 256)]
    flat[where] = torch.tensor([0.0, -300.0, 1e-20] * 3)[: len(where)].bfloat16()
    packed = TwelveBits().pack(weight)
    assert packed is not None
    x = np.random.default_rng(0).standard_normal((11, inputs), np.float32)
    for count in (1, 2, 3, 4, 6, 11):
        expected = np.empty((count, outputs), np.float32)
        multiply_stored(x[:count], weight.data_ptr(), BF16, 0, outputs, 0, expected)
        assert np.array_equal(products(packed, x[:count], outputs), expected), count


def test_a_processor_that_adds_up_otherwise_unpacks_for_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "_agree", lambda *of: False)
    machine_code.functions.cache_clear()
    try:
        packed = TwelveBits().pack(drawn(8, 64))
        assert packed is not None
        assert packed.unpack
        assert packed.multiply == 0
    finally:
        machine_code.functions.cache_clear()


def test_sums_in_another_order_are_noticed() -> None:
    """What decides about the above: here it agrees, and would not if one product were missing."""
    unpack, multiply = machine_code.functions()
    assert multiply is not None
    assert machine_code._agree(unpack.address, multiply.address)
    assert not machine_code._agree(unpack.address, c_function(_nothing, 4).address)


def _nothing(packed: int, x: int, made: int, ahead: int) -> None:
    pass


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        (drawn(8, 96), "inputs that are no multiple of 64"),
        (drawn(8, 64).float() + 1e-6, "bits that bf16 has no room for"),
        (torch.zeros(8, 64).bfloat16() + torch.logspace(-30, 30, 64).bfloat16(), "exponents far apart"),
    ],
)
def test_what_it_leaves(weight: torch.Tensor, why: str) -> None:
    packing = TwelveBits()
    assert packing.pack(weight) is None, why
    assert (packing.before, packing.behind) == (0, 0)


def test_rows_of_zeros_are_no_others() -> None:
    """As an embedding has them for tokens that nobody uses."""
    weight = drawn(64, 64)
    weight[16:48] = 0
    packed = TwelveBits().pack(weight)
    assert packed is not None
    assert packed.data.nbytes == 64 // 8 * (64 + 8 * 96)
    assert torch.equal(unpacked(packed, weight), weight.view(torch.int16))


def test_three_quarters_of_the_memory() -> None:
    packing = TwelveBits()
    packing.pack(drawn(512, 1024))
    assert packing.before == 2 * 512 * 1024
    assert packing.behind < 0.76 * packing.before


def of_width_64(folder: Path, dtype: torch.dtype) -> Path:
    from transformers import AutoConfig, AutoModelForCausalLM

    tiny_llama(folder)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.from_pretrained(folder, **sizes, head_dim=16)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).to(dtype).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights are bf16's."""
    return of_width_64(tmp_path_factory.mktemp("bf16") / "little", torch.bfloat16)


@pytest.mark.parametrize("chained", [False, True])
def test_answers_are_the_same_to_the_last_bit(
    machine: Machine, halves: Path, opened: Any, ask: Any, chained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceleration, "steps_of", lambda seconds: 8 if chained else 1)
    plain, packed = opened(model=halves), opened(NAME, model=halves)
    requests = ask(PROMPT), ask(PROMPT[:7], 9, logprobs=2)
    for count in (1, 2):
        one, other = ([engine.submit(each) for each in requests[:count]] for engine in (plain, packed))
        assert [stream.result(60).choices for stream in one] == [stream.result(60).choices for stream in other]
    held = [getattr(engine._batching._decoder, "chains", engine._batching._decoder) for engine in (plain, packed)]
    assert held[1].nbytes < 0.85 * held[0].nbytes


def test_a_model_that_is_not_bf16s_is_told_of_and_can_be_rounded(
    machine: Machine, opened: Any, ask: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = of_width_64(tmp_path / "single", torch.float32)
    with caplog.at_level(logging.WARNING, "tunesmith_enterprise"):
        opened(NAME, model=model)
    assert "single: its weights are not those of bf16, so they take the memory that they took" in caplog.text
    assert "(--weights bf16 rounds them)" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "tunesmith_enterprise"):
        plain, packed = opened(model=model, weights="bf16"), opened(NAME, model=model, weights="bf16")
    assert "bf16" not in caplog.text
    one, other = (engine.submit(ask(PROMPT)).result(60).choices for engine in (plain, packed))
    assert one == other


def test_eight_bits_stay_eight_bits(
    machine: Machine, halves: Path, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tunesmith_enterprise"):
        engines = opened(model=halves, weights="int8"), opened(NAME, model=halves, weights="int8")
    plain, packed = (getattr(one._batching._decoder, "chains", one._batching._decoder) for one in engines)
    assert packed.nbytes == plain.nbytes
    assert "bf16" not in caplog.text
