# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models load as saved; what a checkpoint lacks is an error, except a new output layer, which follows from the seed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from tunesmith.errors import ModelError
from tunesmith.models import ModelSource, ScratchOptions, load_tokenizer, load_weights, save_model
from tunesmith.models.fresh import new_parameters
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_llama(folder / "llama")
    tiny_bert(folder / "bert")
    tiny_image_model(folder / "mlp", labels=3)
    return folder


def _source(folder: Path) -> ModelSource:
    return ModelSource(name=str(folder), kind="folder", folder=folder)


def _copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def _edit_weights(folder: Path, drop: str = "", **replace: torch.Tensor) -> None:
    state = load_file(folder / "model.safetensors")
    state = {name: tensor for name, tensor in state.items() if name != drop}
    save_file({**state, **replace}, folder / "model.safetensors", metadata={"format": "pt"})


def _edit_config(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_float32_evaluation_mode_and_every_weight(models: Path) -> None:
    model = load_weights(_source(models / "llama"), "causal-lm")
    saved = load_file(models / "llama" / "model.safetensors")
    assert not model.training
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, saved[name])
    assert not new_parameters(model)


def test_a_new_head_follows_from_the_seed_and_leaves_the_global_generator_alone(models: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    heads = [
        load_weights(_source(models / "bert"), "sequence-classification", seed=seed, num_labels=4).classifier.weight
        for seed in (1, 1, 2)
    ]
    assert torch.equal(before, torch.random.get_rng_state())
    assert heads[0].shape[0] == 4
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_new_parameters_are_known(models: Path) -> None:
    model = load_weights(_source(models / "bert"), "sequence-classification", num_labels=4)
    assert new_parameters(model) == {"classifier.weight", "classifier.bias"}


def test_loading_is_silent_and_settings_are_put_back(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils import logging

    before = (logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled())
    load_weights(_source(models / "bert"), "sequence-classification", num_labels=4)
    assert capfd.readouterr() == ("", "")
    assert before == (logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled())


def test_a_decoder_that_classifies_knows_its_padding(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "llama", tmp_path / "m")
    _edit_config(folder, pad_token_id=None)
    model = load_weights(_source(folder), "sequence-classification", num_labels=2)
    assert model.config.pad_token_id == 1
    short = torch.tensor([[7, 8, 1, 1]])
    logits = model(input_ids=short, attention_mask=(short != 1).long()).logits
    assert torch.allclose(logits, model(input_ids=short[:, :2]).logits, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "head", "weight"),
    [
        ("llama", "causal-lm", "model.layers.0.mlp.up_proj.weight"),
        ("llama", "sequence-classification", "model.norm.weight"),
        ("bert", "sequence-classification", "encoder.layer.1.output.dense.bias"),
        ("mlp", "image-classification", "body.1.weight"),
        ("mlp", "image-classification", "classifier.weight"),  # it was saved as a classifier, so it must be there
    ],
)
def test_a_missing_weight_is_named(models: Path, tmp_path: Path, model: str, head: Any, weight: str) -> None:
    folder = _copy(models / model, tmp_path / "m")
    _edit_weights(folder, drop=weight)
    with pytest.raises(ModelError, match="lacks weights of a") as caught:
        load_weights(_source(folder), head)
    assert weight in str(caught.value)
    assert "incomplete or belongs to another architecture" in str(caught.value)


def test_a_wrong_shape_is_named(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "llama", tmp_path / "m")
    _edit_weights(folder, **{"model.norm.weight": torch.zeros(3)})
    with pytest.raises(ModelError, match=r"do not have the shape that its config\.json asks for") as caught:
        load_weights(_source(folder), "causal-lm")
    assert "model.norm.weight: [3]" in str(caught.value)


def test_weights_of_another_architecture(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "llama", tmp_path / "m")
    (folder / "model.safetensors").write_bytes((models / "bert" / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"lacks weights of a LlamaForCausalLM"):
        load_weights(_source(folder), "causal-lm")


def test_another_number_of_labels_makes_a_new_head(models: Path) -> None:
    model = load_weights(_source(models / "mlp"), "image-classification", num_labels=5)
    assert new_parameters(model) == {"classifier.weight", "classifier.bias"}
    assert model.classifier.out_features == 5
    assert len(model.config.id2label) == 5
    with pytest.raises(ModelError, match="do not have the shape"):
        load_weights(_source(models / "mlp"), "image-classification", new_head=False, num_labels=5)


def test_no_new_head_where_none_is_wanted(models: Path) -> None:
    with pytest.raises(ModelError, match=r"classifier\.bias, classifier\.weight"):
        load_weights(_source(models / "bert"), "sequence-classification", new_head=False)


@pytest.mark.parametrize(
    ("model", "head", "needs"),
    [
        ("bert", "causal-lm", "a decoder"),  # transformers would load it, and it reads both ways
        ("llama", "image-classification", "an image model"),
        ("mlp", "causal-lm", "a decoder"),
        ("mlp", "sequence-classification", "a text model"),
    ],
)
def test_the_wrong_kind_of_model(models: Path, model: str, head: Any, needs: str) -> None:
    with pytest.raises(ModelError, match=f"cannot be used for {head}") as caught:
        load_weights(_source(models / model), head)
    assert needs in str(caught.value)


def test_an_architecture_nobody_has(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "llama", tmp_path / "m")
    _edit_config(folder, model_type="hyperllama")
    with pytest.raises(ModelError, match=r"config\.json cannot be used") as caught:
        load_weights(_source(folder), "causal-lm")
    assert "hyperllama" in str(caught.value)
    assert "pip install -U transformers" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_attention_heads": 0}, "ZeroDivisionError"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"hidden_act": "os.system"}, "os.system"),
        ({"architectures": 5}, None),
    ],
    ids=str,
)
def test_a_configuration_that_nobody_could_have_saved(
    models: Path, tmp_path: Path, values: dict[str, Any], words: str | None
) -> None:
    folder = _copy(models / "bert", tmp_path / "m")
    _edit_config(folder, **values)
    if words is None:
        assert load_weights(_source(folder), "sequence-classification")
        return
    with pytest.raises(ModelError) as caught:
        load_weights(_source(folder), "sequence-classification")
    assert words in str(caught.value)


def test_a_tokenizer_without_a_length_that_is_a_number(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "bert", tmp_path / "m")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": "long"}))
    with pytest.raises(ModelError, match="model_max_length: 'long'"):
        load_tokenizer(_source(folder))


def test_code_that_comes_with_a_known_architecture_is_not_run(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "llama", tmp_path / "m")
    _edit_config(folder, auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"})
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    model = load_weights(_source(folder), "causal-lm")
    assert type(model).__module__.startswith("transformers.")
    assert not (tmp_path / "ran").exists()


def test_a_value_the_configuration_does_not_have(models: Path) -> None:
    with pytest.raises(TypeError, match="has no colour"):
        load_weights(_source(models / "llama"), "causal-lm", colour="red")


def test_generation_settings_that_could_not_be_saved_are_replaced(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _copy(models / "llama", tmp_path / "m")
    (folder / "generation_config.json").write_text('{"temperature": 0.6, "do_sample": false, "eos_token_id": [0, 5]}')
    model = load_weights(_source(folder), "causal-lm")
    assert "generation_config.json" in caplog.text
    save_model(model, tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "generation_config.json").read_text())["eos_token_id"] == [0, 5]


# ---- from scratch ------------------------------------------------------------------------------


def _scratch(architecture: str, **values: Any) -> ModelSource:
    options = {"size": None, "tokenizer": "byte", "vocabulary": 262, "context": 32, "seed": 0, **values}
    return ModelSource(
        name=f"scratch:{architecture}", kind="scratch", scratch=ScratchOptions(architecture=architecture, **options)
    )


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_untrained_decoders(architecture: str) -> None:
    states = [
        load_weights(_scratch(architecture, size=60_000, seed=seed), "causal-lm").state_dict() for seed in (3, 3, 4)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_untrained_classifiers() -> None:
    for architecture in ("bert", "llama", "gpt2"):
        model = load_weights(_scratch(architecture, size=60_000), "sequence-classification", num_labels=7)
        assert model(input_ids=torch.tensor([[9, 8]])).logits.shape == (1, 7)
    names = {0: "cat", 1: "dog", 2: "eel"}
    model = load_weights(_scratch("bert", size=60_000), "sequence-classification", id2label=names)
    assert model.config.num_labels == 3
    with pytest.raises(ModelError, match="scratch:bert cannot be used for causal-lm"):
        load_weights(_scratch("bert", size=60_000), "causal-lm")


def test_ids_of_a_foreign_tokenizer(models: Path) -> None:
    source = _scratch("llama", size=60_000, tokenizer=str(models / "llama"))
    assert load_weights(source, "causal-lm").config.pad_token_id == 1


# ---- real models -------------------------------------------------------------------------------


def test_stories_continue(shared: Path) -> None:
    source = _source(shared / "models" / "stories260k")
    model = load_weights(source, "causal-lm")
    from tunesmith.models import load_tokenizer

    tokenizer = load_tokenizer(source)
    with torch.inference_mode():
        ids = model.generate(torch.tensor([[tokenizer.bos_token_id]]), max_new_tokens=24, do_sample=False)
    assert tokenizer.decode(ids[0], skip_special_tokens=True).strip().startswith("Once upon a time, there was a little")


def test_untied_checkpoint_without_its_output_layer(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1, tie_word_embeddings=False)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    _edit_weights(tmp_path, drop="lm_head.weight")
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        load_weights(_source(tmp_path), "causal-lm")
