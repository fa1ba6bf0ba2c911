# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Adapters beside one model: the same logits as peft's, for each request its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from tunesmith.engine import GenerateRequest, Sampling, open_engine
from tunesmith.errors import ModelError, RequestError
from tunesmith.testing import tiny_llama

GREEDY = Sampling(temperature=0)
PROMPT = tuple(range(5, 17))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base"))


def make_adapter(base: Path, folder: Path, seed: int, **settings: Any) -> Path:
    model = AutoModelForCausalLM.from_pretrained(base)
    options = {"r": 4, "lora_alpha": 32, "target_modules": "all-linear", "init_lora_weights": False} | settings
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options)).save_pretrained(folder)
    return folder


def plain(base: Path, adapter: Path | None, count: int) -> list[int]:
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    model = model if adapter is None else PeftModel.from_pretrained(model, adapter)
    ids = list(PROMPT)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(PROMPT) :]


def request(adapter: str | None, count: int = 12) -> GenerateRequest:
    return GenerateRequest(
        prompt=PROMPT, max_new_tokens=count, sampling=GREEDY, adapter=adapter, stop_tokens=frozenset()
    )


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"target_modules": ["q_proj", "v_proj"]}])
def test_requests_with_and_without_adapters_in_one_step(base: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    folders = {name: make_adapter(base, tmp_path / name, seed, **settings) for seed, name in enumerate(("one", "two"))}
    engine = open_engine(base)
    try:
        for name, folder in folders.items():
            engine.load_adapter(name, folder)
        assert engine.stats().adapters == ("one", "two")
        streams = {name: engine.submit(request(name)) for name in (None, "one", "two", None, "one")}
        got = {name: [token.id for token in stream.result(60).choices[0].tokens] for name, stream in streams.items()}
    finally:
        engine.close()
    assert got == {name: plain(base, folders.get(name) if name else None, 12) for name in got}
    assert len({tuple(ids) for ids in got.values()}) == 3


def test_one_adapter_never_goes_on_from_what_another_cached(base: Path, tmp_path: Path) -> None:
    engine = open_engine(base)
    try:
        engine.load_adapter("a", make_adapter(base, tmp_path / "a", 0))
        assert engine.submit(request("a")).result(60).usage.cached_tokens == 0
        assert engine.submit(request(None)).result(60).usage.cached_tokens == 0
        assert engine.submit(request("a")).result(60).usage.cached_tokens == len(PROMPT) - 1
        engine.unload_adapter("a")
        engine.load_adapter("a", make_adapter(base, tmp_path / "other", 1))
        assert engine.submit(request("a")).result(60).usage.cached_tokens == 0
    finally:
        engine.close()


def test_names(base: Path, tmp_path: Path) -> None:
    folder = make_adapter(base, tmp_path / "a", 0)
    engine = open_engine(base)
    try:
        with pytest.raises(RequestError, match="no such adapter") as caught:
            engine.submit(request("a"))
        assert (caught.value.parameter, caught.value.expected) == ("adapter", "one of those loaded: none")
        engine.load_adapter("a", folder)
        with pytest.raises(RequestError, match="an adapter of this name is loaded"):
            engine.load_adapter("a", folder)
        engine.unload_adapter("a")
        with pytest.raises(RequestError, match="no such adapter"):
            engine.unload_adapter("a")
    finally:
        engine.close()


def _config(folder: Path, **changes: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_adapters_that_do_not_fit_are_refused_with_words(base: Path, tmp_path: Path) -> None:
    larger = tiny_llama(tmp_path / "larger", size=120_000)
    foreign = make_adapter(larger, tmp_path / "foreign", 0)
    dora = make_adapter(base, tmp_path / "dora", 0)
    _config(dora, use_dora=True)
    broken = make_adapter(base, tmp_path / "broken", 0)
    (broken / "adapter_model.safetensors").write_bytes(b"\x00" * 40)
    engine = open_engine(base)
    try:
        for folder, words in (
            (foreign, "layers from 0, with A of 4 × "),
            (dora, "a plain LoRA adapter"),
            (broken, "whole safetensors"),
            (tmp_path / "nothing", "a PEFT folder"),
        ):
            with pytest.raises(ModelError, match="cannot be used beside this model") as caught:
                engine.load_adapter("x", folder)
            assert words in str(caught.value)
            assert "tunesmith export RUN --to merged" in str(caught.value)
        assert engine.stats().adapters == ()
    finally:
        engine.close()
