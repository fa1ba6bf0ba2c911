# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Weights in a form of a plugin's own: the same bits, whoever asks, and the engine's own way where it fails."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from tunesmith.engine import Acceleration
from tunesmith.engine.compiled import CompiledDecoder, Stored
from tunesmith.engine.decoder import Decoder
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.packing import Packing
from tunesmith.engine.steps import Part
from tunesmith.errors import ModelError
from tunesmith.testing import tiny_llama

from .accelerations import ask, opening_with, said
from .decoders import SEQUENCES, make
from .packings import TurnedAround

VOCABULARY = 90  # not a multiple of eight


def decoder_of(dtype: torch.dtype = torch.float32) -> Decoder:
    """Of a model whose weights are bf16's, whatever it is held in."""
    decoder = Decoder.of(make("qwen3", vocab_size=VOCABULARY).to(torch.bfloat16).to(dtype))
    assert decoder is not None
    return decoder


@torch.inference_mode()
def steps(decoder: CompiledDecoder) -> list[torch.Tensor]:
    """The logits of steps of many tokens, of some of each of two sequences, and of one to three."""
    memory = KeysValues.of(decoder, slots=3, capacity=40)
    first = [token % VOCABULARY for token in SEQUENCES[0]]
    made = []
    for parts in (
        [Part(0, 0, first)],
        [Part(0, 21, [3, 4, 5]), Part(1, 0, [7, 8, 9, 10, 11])],
        *([Part(slot, 5, [slot]) for slot in range(1, count + 1)] for count in (1, 2)),
        [Part(0, 24, [1]), Part(1, 6, [2]), Part(2, 0, [3])],
    ):
        count = sum(len(part.tokens) for part in parts)
        made.append(decoder.step(memory, parts, range(count)).clone())
    return made


def assert_alike(*decoders: CompiledDecoder) -> None:
    """The logits of both are the same to the last bit; they are closed."""
    try:
        for expected, got in zip(*map(steps, decoders), strict=True):
            assert torch.equal(expected, got)
    finally:
        for decoder in decoders:
            decoder.close()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stored", ["fp32", "bf16", "fp16"])
def test_the_same_bits_as_without(stored: Stored, threads: int) -> None:
    decoder, packing = decoder_of(torch.bfloat16 if stored == "bf16" else torch.float32), TurnedAround()
    plain = CompiledDecoder(decoder, stored, threads=threads)
    packed = CompiledDecoder(decoder, stored, threads=threads, packing=packing)
    assert_alike(plain, packed)
    assert len(packing.taken) == len(decoder.linear)


def test_its_own_function_multiplies_up_to_three_rows() -> None:
    decoder = decoder_of()
    plain, packed = (
        CompiledDecoder(decoder, "fp32", threads=2, packing=TurnedAround(multiply=multiply))
        for multiply in (False, True)
    )
    try:
        apart = [float((one - other).abs().max()) for one, other in zip(steps(plain), steps(packed), strict=True)]
    finally:
        plain.close()
        packed.close()
    assert apart[:2] == [0, 0]
    assert all(0 < most < 1e-3 for most in apart[2:])  # sums in another order: rounding, and no more


def test_layers_that_it_leaves_stay_as_they_are() -> None:
    decoder, packing = decoder_of(), TurnedAround(most=48)
    plain, packed = CompiledDecoder(decoder, "fp16"), CompiledDecoder(decoder, "fp16", packing=packing)
    assert 0 < len(packing.taken) < len(decoder.linear)
    assert_alike(plain, packed)


def test_eight_bits_have_no_other_form() -> None:
    packing = TurnedAround()
    packed = CompiledDecoder(decoder_of(), "int8", packing=packing)
    assert packing.taken == []
    packed.close()


def test_bytes_are_those_of_the_form() -> None:
    decoder, packing = decoder_of(), TurnedAround()
    packed = CompiledDecoder(decoder, "fp16", packing=packing)
    assert packed.nbytes == sum(-(-outputs // 8) * (16 + 16 * inputs) for outputs, inputs in packing.taken)


class Turned(Acceleration):
    def packing(self) -> Packing:
        return TurnedAround()


class AlsoTurned(Turned):
    pass


class Wrong(Acceleration):
    def packing(self) -> Packing:
        return TurnedAround(wrong=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import AutoModelForCausalLM

    made = tiny_llama(tmp_path_factory.mktemp("packing") / "little")
    AutoModelForCausalLM.from_pretrained(made, dtype=torch.bfloat16).save_pretrained(made)
    return made


def test_an_acceleration_brings_it(folder: Path) -> None:
    with opening_with(folder, Turned) as opens:
        plain, packed = opens(), opens("demo/turned")
        assert packed._batching._decoder.nbytes != plain._batching._decoder.nbytes
        assert said(packed, ask(), ask(count=5)) == said(plain, ask(), ask(count=5))


def test_two_of_them_are_refused(folder: Path) -> None:
    with opening_with(folder, Turned, AlsoTurned) as opens, pytest.raises(ModelError) as caught:
        opens("demo/turned", "demo/alsoturned")
    assert "two accelerations of little hold its weights in a form of their own" in str(caught.value)
    assert "TurnedAround and TurnedAround" in str(caught.value)


def test_weights_that_become_others_are_not_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opening_with(folder, Wrong) as opens, caplog.at_level(logging.WARNING, "tunesmith.engine"):
        assert said(opens("demo/wrong"), ask()) == said(opens(), ask())
    assert "little: its weights stay as they are: TurnedAround did not keep them" in caplog.text
