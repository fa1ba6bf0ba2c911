# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which engine a model gets, and what it gets to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.engine import open_engine, opening, sampling
from tunesmith.engine.compiled import CompiledDecoder
from tunesmith.engine.decoder import Decoder
from tunesmith.engine.generating import GeneratingEngine
from tunesmith.engine.jit import scores
from tunesmith.engine.remote import RemoteEngine
from tunesmith.errors import ModelError, TooLargeError
from tunesmith.machine.memory import Room
from tunesmith.machine.precision import Precision
from tunesmith.plugin import MachineCode, hookimpl
from tunesmith.testing import tiny_llama, tiny_t5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama") / "little")


def test_names(folder: Path) -> None:
    for asked, name in ((None, "little"), ("mine", "mine")):
        engine = open_engine(folder, name=asked)
        engine.close()
        assert engine.info.name == name
        assert engine.info.task == "chat"


@pytest.mark.parametrize("weights", ["fp32", "bf16", "fp16", "int8"])
def test_weights(folder: Path, weights: opening.Weights) -> None:
    engine = open_engine(folder, weights=weights)
    engine.close()
    assert isinstance(engine, GeneratingEngine)
    assert isinstance(engine._decoder, CompiledDecoder)
    assert engine._memory.keys[0].dtype == (torch.float32 if weights == "fp32" else torch.float16)
    assert engine.info.weights == weights


def test_context_and_slots_are_what_was_asked(folder: Path) -> None:
    engine = open_engine(folder, slots=3, context=40)
    engine.close()
    stats = engine.stats()
    assert engine.info.context == 40
    assert (stats.slots, stats.cache_tokens) == (3, 120)


def test_the_context_is_never_more_than_the_models(folder: Path) -> None:
    engine = open_engine(folder, context=100_000)
    engine.close()
    assert engine.info.context == 128


def test_little_memory_means_fewer_slots_and_a_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(folder, slots=8)
    engine.close()
    assert isinstance(engine, GeneratingEngine)
    each = sum(store[:1].nbytes for store in (*engine._memory.keys, *engine._memory.values))
    room = Room(used=0, free=int(2.5 * each / 0.6), limit="the memory limit of this container")
    monkeypatch.setattr(opening, "room_on", lambda device: room)
    small = open_engine(folder, slots=8)
    small.close()
    assert small.stats().slots == 2
    assert "2 answers at once instead of 8: the memory holds no more" in caplog.text


def test_too_little_memory_is_an_error_with_ways_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(used=0, free=1000, limit="the memory limit of this container")
    monkeypatch.setattr(opening, "room_on", lambda device: room)
    with pytest.raises(TooLargeError, match="does not hold one answer of little") as caught:
        open_engine(folder)
    assert "the memory limit of this container" in str(caught.value)
    assert "give a smaller context" in str(caught.value)


def test_without_bf16_instructions_a_decoder_is_held_in_fp16(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "choose_precision", lambda *_: Precision("fp32", "no bf16 here"))
    engine = open_engine(folder)
    engine.close()
    assert engine.info.weights == "fp16"


def test_weights_too_large_for_fp16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "choose_precision", lambda *_: Precision("fp32", "no bf16 here"))
    folder = tiny_llama(tmp_path / "large")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.mlp.down_proj.weight"][0, 0] = 1e6
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    engine = open_engine(folder)
    engine.close()
    assert engine.info.weights == "fp32"
    with pytest.raises(ModelError, match="cannot be held in fp16") as caught:
        open_engine(folder, weights="fp16")
    assert "a weight is larger than 65504, which is the most that fp16 holds" in str(caught.value)


def test_compiled_code_that_fails_its_trial_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(CompiledDecoder, "of", lambda *_, **__: None)
    engine = open_engine(folder, weights="fp32")
    engine.close()
    assert isinstance(engine, GeneratingEngine)
    assert isinstance(engine._decoder, Decoder)
    assert "compiled code does not compute what the model computes here; PyTorch does it, slower" in caplog.text
    with pytest.raises(ModelError, match="cannot be held in int8"):
        open_engine(folder, weights="int8")


def test_plugins_hear_where_compiled_code_is_kept_before_and_after(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[MachineCode] = []
    plugin = SimpleNamespace(tunesmith_machine_code=hookimpl(lambda event: told.append(event)))
    observing = Candidate(
        name="demo", distribution="tunesmith-demo", version="1.0", target="demo", requires=(), load=lambda: plugin
    )
    monkeypatch.setattr(host, "_host", Host([observing], environ={}))
    open_engine(folder).close()
    before, after = told
    assert (before.kind, before.ready, before.seconds) == ("numba", False, 0.0)
    assert after == replace(before, ready=True, seconds=after.seconds)
    assert after.seconds > 0
    assert Path(before.folder).name == before.key
    assert list(Path(before.folder).rglob("*.nbi"))


def test_what_chooses_from_a_large_vocabulary_is_compiled_before_the_first_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def noting(name: str) -> Callable[..., None]:
        real = getattr(scores, name)
        return lambda *arrays: (ran.append(name), real(*arrays))[1]

    for name in ("summarize", "likeliest"):
        monkeypatch.setattr(scores, name, noting(name))
    open_engine(folder).close()
    assert ran == []  # PyTorch chooses from a small one
    monkeypatch.setattr(sampling, "_LARGE", 50)
    open_engine(folder).close()
    assert ran == ["summarize", "likeliest"]


@pytest.mark.parametrize("weights", ["int8", "fp16"])
def test_fewer_bits_are_for_decoders_only(tmp_path: Path, weights: opening.Weights) -> None:
    with pytest.raises(ModelError, match=f"cannot be held in {weights}") as caught:
        open_engine(tiny_t5(tmp_path), weights=weights)
    assert "leave weights at auto" in str(caught.value)


def test_another_engine_by_name() -> None:
    for asked in ("openai:http://127.0.0.1:9/v1#there", "tunesmith/openai:http://127.0.0.1:9/v1#there"):
        engine = open_engine(asked, slots=3, waiting=7)
        engine.close()
        assert isinstance(engine, RemoteEngine)
        assert (engine.info.name, engine.stats().slots) == ("there", 3)
    with pytest.raises(ModelError, match="not the address of a model"):
        open_engine("openai:nowhere")


def test_weights_that_there_are_not(folder: Path) -> None:
    with pytest.raises(ModelError, match="no such weights") as caught:
        open_engine(folder, weights="int3")  # type: ignore[arg-type]
    assert "auto, fp32, fp16, bf16, int8" in str(caught.value)
