# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Each method trains what it says, and nothing else moves."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    ResNetConfig,
    ResNetForImageClassification,
)

from tunesmith.engine.items import run_items
from tunesmith.errors import ModelError
from tunesmith.models import (
    apply_method,
    count_parameters,
    find_model_by_name,
    load_weights,
)
from tunesmith.models.freezing import frozen_counts
from tunesmith.models.methods import training_mode
from tunesmith.recipe.schema import MethodSection
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama

IDS = torch.tensor([[3, 9, 8, 7, 21]])


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


# ---- frozen layers -------------------------------------------------------------------------------------------------


def test_frozen_layers_stay_and_the_others_move(models: Path) -> None:
    patterns = ["embeddings*", "encoder.layer.0.*", "bert.encoder.layer.1.attention"]
    model: Any = apply_method(_load(models / "bert", "sequence-classification"), _method("full", freeze=patterns))
    names = _trainable(model)
    assert not [name for name in names if "embeddings" in name or "layer.0." in name or "layer.1.attention" in name]
    assert {"bert.encoder.layer.1.output.dense.weight", "classifier.weight"} <= set(names)
    counts = frozen_counts(model, patterns)
    assert list(counts) == patterns
    trainable, everything = count_parameters(model)
    assert sum(counts.values()) == everything - trainable
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    _step(model, input_ids=IDS)
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved
    assert moved <= set(names)


def test_the_backward_pass_ends_at_the_lowest_layer_that_moves(models: Path) -> None:
    freeze = ["embeddings", "encoder.layer.0"]
    model: Any = apply_method(_load(models / "bert", "sequence-classification"), _method("full", freeze=freeze))
    seen = []
    layers = model.bert.encoder.layer
    layers[0].register_forward_hook(lambda _module, _inputs, output: seen.append(output[0].requires_grad))
    layers[1].register_forward_hook(lambda _module, _inputs, output: seen.append(output[0].requires_grad))
    model(input_ids=IDS).logits.sum().backward()
    assert seen == [False, True]
    assert all(parameter.grad is None for parameter in layers[0].parameters())


def test_tied_weights_are_frozen_by_either_name(models: Path) -> None:
    for pattern in ("embed_tokens", "lm_head"):
        model: Any = apply_method(_load(models / "llama", "causal-lm"), _method("full", freeze=[pattern]))
        assert not model.lm_head.weight.requires_grad
        assert model.lm_head.weight is model.model.embed_tokens.weight


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("encoder.layers.0", r"no layer of this name[\s\S]*did you mean 'encoder\.layer\.0'"),
        ("encoder.layer.9.*", r"no layer of this name[\s\S]*encoder\.layer"),
        ("*", r"(random values|nothing to train)"),
        ("classifier", r"would leave layers at random values[\s\S]*classifier\.bias"),
    ],
)
def test_patterns_that_cannot_be_meant(models: Path, pattern: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        apply_method(_load(models / "bert", "sequence-classification"), _method("full", freeze=[pattern]))
    assert f"method.freeze: {pattern}" in str(caught.value)


def test_freezing_everything_is_refused(models: Path) -> None:
    with pytest.raises(ModelError, match=r"leaves nothing to train[\s\S]*narrow the patterns"):
        apply_method(_load(models / "llama", "causal-lm"), _method("full", freeze=["model*"]))
