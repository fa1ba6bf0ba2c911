# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Each method trains what it says, and what it trained comes back from disk."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    ResNetConfig,
    ResNetForImageClassification,
)

from tunesmith.engine.items import run_items
from tunesmith.errors import ModelError
from tunesmith.models import (
    ModelSource,
    ScratchOptions,
    apply_method,
    count_parameters,
    find_model_by_name,
    load_weights,
    save_model,
)
from tunesmith.models.methods import training_mode
from tunesmith.recipe.schema import MethodSection
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_llama(folder / "llama")
    tiny_bert(folder / "bert")
    tiny_image_model(folder / "cnn", architecture="cnn")
    return folder


def _load(folder: Path, head: Any, **config: Any) -> Any:
    return load_weights(find_model_by_name(str(folder), get_registry()), head, **config)


def _trainable(model: Any) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def _method(name: str, **values: Any) -> MethodSection:
    return MethodSection.model_validate({"name": name, **values})


def _step(model: Any, **inputs: torch.Tensor) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    model(**inputs).logits.logsumexp(-1).sum().backward()
    optimizer.step()


@pytest.mark.parametrize(("method", "moves"), [("full", True), ("head", False)])
def test_batch_statistics_move_only_where_the_weights_do(tmp_path: Path, method: str, moves: bool) -> None:
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], layer_type="basic", num_labels=2)
    ResNetForImageClassification(config).save_pretrained(tmp_path)
    model = apply_method(_load(tmp_path, "image-classification"), _method(method))
    before = {name: buffer.clone() for name, buffer in model.named_buffers() if "running" in name}
    training_mode(model)
    assert model.training
    model(torch.rand(4, 3, 32, 32))
    after = dict(model.named_buffers())
    assert before
    assert all(torch.equal(after[name], buffer) != moves for name, buffer in before.items())


def test_answers_between_steps_leave_every_module_in_its_mode() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2).eval())
    model.training = model[0].training = True
    run_items(model, SimpleNamespace(default_rows_per_batch=1), [], device=torch.device("cpu"))
    assert [module.training for module in model.modules()] == [True, True, False]


def test_a_configuration_with_other_labels_says_nothing(tmp_path: Path) -> None:
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], layer_type="basic", num_labels=5)
    ResNetForImageClassification(config).save_pretrained(tmp_path)
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        _load(tmp_path, "image-classification", id2label={0: "a", 1: "b", 2: "c"}, num_labels=3)
    finally:
        logger.removeHandler(handler)
    assert said == []


def test_full(models: Path) -> None:
    model = _load(models / "llama", "causal-lm")
    model.requires_grad_(False)
    trainable, everything = count_parameters(apply_method(model, _method("full")))
    assert trainable == everything == 30_560


@pytest.mark.parametrize(("name", "head"), [("bert", "sequence-classification"), ("cnn", "image-classification")])
def test_head_of_a_classifier(models: Path, name: str, head: Any) -> None:
    model = apply_method(_load(models / name, head), _method("head"))
    assert _trainable(model) == ["classifier.weight", "classifier.bias"]


def test_head_of_a_language_model(models: Path) -> None:
    untied = GPT2LMHeadModel(
        GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1, tie_word_embeddings=False)
    )
    assert _trainable(apply_method(untied, _method("head"))) == ["lm_head.weight"]
    with pytest.raises(ModelError, match="it is also the input embedding") as caught:
        apply_method(_load(models / "llama", "causal-lm"), _method("head"))
    assert "use method: lora" in str(caught.value)


def test_lora_starts_as_the_model_itself_and_follows_from_the_seed(models: Path) -> None:
    ids = torch.tensor([[3, 9, 8, 7]])
    before = _load(models / "llama", "causal-lm")(input_ids=ids).logits
    states = []
    for seed in (1, 1, 2):
        model = apply_method(_load(models / "llama", "causal-lm"), _method("lora"), seed=seed)
        assert torch.allclose(model(input_ids=ids).logits, before, atol=1e-6)
        states.append({name: p.detach() for name, p in model.named_parameters() if p.requires_grad})
    assert all("lora_" in name for name in states[0])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_lora_defaults_adapt_every_linear_layer_but_the_output(models: Path) -> None:
    model = apply_method(_load(models / "llama", "causal-lm"), _method("lora"))
    config = model.peft_config["default"]  # type: ignore[union-attr]
    assert (config.r, config.lora_alpha, config.lora_dropout, config.task_type) == (16, 32, 0.0, "CAUSAL_LM")
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name in _trainable(model)}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_lora_targets(models: Path) -> None:
    model = apply_method(_load(models / "llama", "causal-lm"), _method("lora", targets=["q_proj", "v_proj"], rank=2))
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in _trainable(model)} == {"q_proj", "v_proj"}
    with pytest.raises(ModelError, match="no linear layers of these names") as caught:
        apply_method(_load(models / "llama", "causal-lm"), _method("lora", targets=["q_proj", "query"]))
    assert "targets: query" in str(caught.value)
    assert "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "head", "inputs"),
    [
        ("llama", "causal-lm", {"input_ids": torch.tensor([[3, 9, 8, 7]])}),
        ("llama", "sequence-classification", {"input_ids": torch.tensor([[3, 9, 8, 7]])}),
        ("bert", "sequence-classification", {"input_ids": torch.tensor([[3, 9, 8, 7]])}),
        ("cnn", "image-classification", {"pixel_values": torch.ones(1, 1, 8, 8)}),
    ],
)
def test_a_trained_adapter_comes_back(models: Path, tmp_path: Path, name: str, head: Any, inputs: Any) -> None:
    model = apply_method(_load(models / name, head), _method("lora", rank=2))
    _step(model, **inputs)
    save_model(model, tmp_path / "adapter")
    names = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_base.json", "adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(models / name)
    again = load_weights(find_model_by_name(str(tmp_path / "adapter"), get_registry()), head, seed=99)
    assert not _trainable(again)
    assert torch.allclose(again(**inputs).logits, model.eval()(**inputs).logits, atol=1e-6)


def test_new_layers_inside_the_model_are_trained_and_saved_whole(tmp_path: Path) -> None:
    """A masked language model's checkpoint has no pooler: it is random, so an adapter has to carry it."""
    config = BertConfig(
        vocab_size=262,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    base = tiny_bert(tmp_path / "base")
    (base / "model.safetensors").unlink()
    BertForMaskedLM(config).save_pretrained(base)
    model = apply_method(_load(base, "sequence-classification"), _method("lora", rank=2))
    assert any("pooler.dense.modules_to_save" in name for name in _trainable(model))
    ids = torch.tensor([[3, 9, 8]])
    _step(model, input_ids=ids)
    save_model(model, tmp_path / "adapter")
    source = find_model_by_name(str(tmp_path / "adapter"), get_registry())
    again = load_weights(source, "sequence-classification", seed=99)
    assert torch.allclose(again(input_ids=ids).logits, model.eval()(input_ids=ids).logits, atol=1e-6)
    head = apply_method(_load(base, "sequence-classification"), _method("head"))
    assert "bert.pooler.dense.weight" in _trainable(head)


def _adapter(models: Path, folder: Path) -> Path:
    save_model(apply_method(_load(models / "llama", "causal-lm"), _method("lora", rank=2)), folder)
    return folder


def test_training_goes_on_with_an_adapter(models: Path, tmp_path: Path) -> None:
    folder = _adapter(models, tmp_path / "a")
    model = apply_method(_load(folder, "causal-lm"), _method("lora"))
    assert _trainable(model)
    assert all("lora_" in name for name in _trainable(model))
    with pytest.raises(ModelError, match="is an adapter already, and its rank cannot be changed"):
        apply_method(_load(folder, "causal-lm"), _method("lora", rank=4))
    for name in ("full", "head"):
        with pytest.raises(ModelError, match=f"method: {name} cannot train it"):
            apply_method(_load(folder, "causal-lm"), _method(name))


def test_an_adapter_that_lacks_weights_or_fits_another_base(models: Path, tmp_path: Path) -> None:
    folder = _adapter(models, tmp_path / "a")
    file = folder / "adapter_model.safetensors"
    state = load_file(file)
    gone = min(state)
    save_file({name: tensor for name, tensor in state.items() if name != gone}, file)
    with pytest.raises(ModelError, match="lacks weights") as caught:
        _load(folder, "causal-lm")
    assert gone in str(caught.value)
    save_file({name: torch.zeros(2, 2) for name in state}, file)
    with pytest.raises(ModelError, match="does not fit the model under it"):
        _load(folder, "causal-lm")


def test_an_adapter_over_other_weights_than_it_was_trained_on_is_refused(tmp_path: Path) -> None:
    tiny_llama(tmp_path / "base")
    model = apply_method(_load(tmp_path / "base", "causal-lm"), _method("lora"))
    save_model(model, tmp_path / "adapter")
    find_model_by_name(str(tmp_path / "adapter"), get_registry())
    tiny_llama(tmp_path / "base", seed=1)
    with pytest.raises(ModelError, match="is not the one it was trained on") as caught:
        find_model_by_name(str(tmp_path / "adapter"), get_registry())
    assert "bring that model back" in str(caught.value)
    (tmp_path / "adapter" / "adapter_base.json").unlink()  # as adapters of other programs are
    assert find_model_by_name(str(tmp_path / "adapter"), get_registry()).kind == "adapter"


def test_an_adapter_needs_a_trained_base(models: Path) -> None:
    options = ScratchOptions(architecture="llama", size=30_000, tokenizer="byte", vocabulary=262, context=32, seed=0)
    model = load_weights(ModelSource(name="scratch:llama", kind="scratch", scratch=options), "causal-lm")
    with pytest.raises(ModelError, match="starts from scratch") as caught:
        apply_method(model, _method("lora"))
    assert "use method: full" in str(caught.value)
