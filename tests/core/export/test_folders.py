# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Merged folders open with transformers as they are and answer as the run does; adapters are what training wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, GenerationConfig

import tunesmith
from tunesmith.errors import ModelError
from tunesmith.export import export_model
from tunesmith.export.subject import stored_precision
from tunesmith.models.find import find_model_by_name
from tunesmith.models.save import save_model
from tunesmith.registry import get_registry

QUESTION = [{"role": "user", "content": "say up"}]


def test_a_merged_adapter_writes_the_same_text_with_transformers_alone(lora_run: Path, tmp_path: Path) -> None:
    done = export_model(lora_run, to="merged", out=tmp_path / "out")
    model = tunesmith.load(lora_run)
    ids = model.definition.prompt_tokens(QUESTION)  # type: ignore[attr-defined]

    tokenizer = AutoTokenizer.from_pretrained(done.path)
    plain = AutoModelForCausalLM.from_pretrained(done.path).eval()
    mine = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_dict=True)["input_ids"]
    settings = GenerationConfig.from_pretrained(done.path)

    assert mine == ids
    assert not hasattr(plain, "peft_config")
    assert set(np.atleast_1d(settings.eos_token_id).tolist()) == model.definition.stop_tokens()  # type: ignore[attr-defined]
    with torch.inference_mode():
        merged = plain(torch.tensor([ids])).logits
        adapted = model.module(torch.tensor([ids])).logits
    assert torch.allclose(merged, adapted, atol=1e-4)
    base = json.loads((lora_run / "model" / "adapter_config.json").read_text())["base_model_name_or_path"]
    with torch.inference_mode():
        before = AutoModelForCausalLM.from_pretrained(base).eval()(torch.tensor([ids])).logits
    assert (merged - before).abs().max() > 0.1  # the adapter is in it


def test_the_stored_precision_is_kept(chat_model: Path, tmp_path: Path) -> None:
    for precision in ("fp32", "bf16", "fp16"):
        source = tmp_path / precision
        model = AutoModelForCausalLM.from_pretrained(chat_model)
        save_model(model, source, AutoTokenizer.from_pretrained(chat_model), dtype=precision)  # type: ignore[arg-type]
        done = export_model(source, to="merged", out=tmp_path / f"{precision}-out")

        assert stored_precision(find_model_by_name(str(done.path), get_registry())) == precision
        assert (source / "model.safetensors").read_bytes() == (done.path / "model.safetensors").read_bytes()


def test_a_classifier_keeps_its_labels_and_its_temperature(classifier_run: Path, tmp_path: Path) -> None:
    done = export_model(classifier_run, to="merged", out=tmp_path / "out")

    plain = AutoModelForSequenceClassification.from_pretrained(done.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(done.path)
    with torch.inference_mode():
        logits = plain(**tokenizer("apple 3", return_tensors="pt", return_token_type_ids=False)).logits[0]
    answer = tunesmith.load(classifier_run).predict(["apple 3"])[0]

    assert plain.config.id2label[int(logits.argmax())] == answer["label"]
    temperature = json.loads((done.path / "rendering.json").read_text())["state"]["temperature"]
    assert (logits / temperature).softmax(-1).max().item() == pytest.approx(answer["probability"], abs=1e-5)
    assert done.notes == (
        f"its logits are as the network gives them: divided by {temperature} (temperature in rendering.json) they "
        "become calibrated probabilities, of the same labels",
    )
    assert tunesmith.load(done.path).predict(["apple 3"]) == [answer]


def test_sampling_settings_are_written_where_transformers_has_them(chat_model: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(chat_model)
    model.generation_config.do_sample = True
    model.generation_config.temperature = 0.7
    model.generation_config.top_k = 20
    save_model(model, tmp_path / "in", AutoTokenizer.from_pretrained(chat_model))

    done = export_model(tmp_path / "in", to="merged", out=tmp_path / "out")

    settings = GenerationConfig.from_pretrained(done.path)
    assert (settings.do_sample, settings.temperature, settings.top_k) == (True, 0.7, 20)
    assert settings.eos_token_id == [0, 5]  # <|endoftext|>, <|end|>


def test_the_adapter_is_what_training_wrote_and_names_its_base(
    lora_run: Path, chat_model: Path, tmp_path: Path
) -> None:
    done = export_model(lora_run, to="adapter", out=tmp_path / "out")

    for name in ("adapter_model.safetensors", "adapter_config.json", "rendering.json"):
        assert (done.path / name).read_bytes() == (lora_run / "model" / name).read_bytes()
    assert any(str(chat_model) in note for note in done.notes)
    assert tunesmith.load(done.path).generate("say up", greedy=True, max_new_tokens=6) == tunesmith.load(
        lora_run
    ).generate("say up", greedy=True, max_new_tokens=6)


def test_a_run_whose_weights_were_trained_has_no_adapter(classifier_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no adapter: its weights were trained themselves") as caught:
        export_model(classifier_run, to="adapter", out=tmp_path / "out")
    assert caught.value.fix == ("export it --to merged",)
    assert list(tmp_path.iterdir()) == []
