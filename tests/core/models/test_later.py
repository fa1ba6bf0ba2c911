# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models whose weights come later are, when these are in place, the models that loading gives, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tunesmith.errors import ModelError
from tunesmith.models import apply_method, find_model_by_name, load_weights
from tunesmith.models import later as later_module
from tunesmith.models.later import LaterWeights, StandIns, later_weights
from tunesmith.models.shapes import weights_later
from tunesmith.recipe.schema import MethodSection
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("models")
    tiny_llama(found / "llama", size=120_000)
    tiny_bert(found / "bert")
    return found


def opened(folder: Path, head: Any, *, later: bool, **config: Any) -> Any:
    source = find_model_by_name(str(folder), get_registry())
    if not later:
        return load_weights(source, head, seed=3, **config)
    with weights_later():
        return load_weights(source, head, seed=3, **config)


def filler(model: Any) -> LaterWeights:
    found = later_weights(model)
    assert found is not None
    return found


def memory(model: nn.Module) -> int:
    return sum(one.untyped_storage().nbytes() for one in model.parameters())


@pytest.mark.parametrize(
    ("name", "head", "config", "new"),
    [
        ("llama", "causal-lm", {}, 0),
        ("bert", "sequence-classification", {"num_labels": 3}, 2),
        ("bert", "features", {}, 0),
    ],
)
def test_filled_models_equal_loaded_ones(folder: Path, name: str, head: str, config: Any, new: int) -> None:
    model, whole = (opened(folder / name, head, later=later, **config) for later in (True, False))
    weights = dict(model.named_parameters())
    assert memory(model) < memory(whole) / 50
    assert len(filler(model)) == len(weights) - new
    filled = filler(model).fill(model)
    assert len(filler(model)) == 0
    assert filled.keys() <= weights.keys()
    expected = whole.state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(bool(tensor.equal(expected[key])) for key, tensor in model.state_dict().items())
    assert model.config.to_dict() == whole.config.to_dict()
    assert later_weights(whole) is None


def test_a_layer_is_filled_alone(folder: Path) -> None:
    model = opened(folder / "llama", "causal-lm", later=True)
    layer = model.model.layers[1]
    filled = filler(model).fill(layer)
    assert set(filled) == {f"model.layers.1.{name}" for name, _ in layer.named_parameters()}
    assert not any(one.isnan().any() for one in layer.parameters())
    assert all(bool(one.isnan().all()) for one in model.model.layers[0].parameters())


def test_types_are_those_of_training(folder: Path, tmp_path: Path) -> None:
    halves = tmp_path / "halves"
    halves.mkdir()
    for file in (folder / "llama").iterdir():
        (halves / file.name).write_bytes(file.read_bytes())
    weights = load_file(halves / "model.safetensors")
    save_file({name: one.bfloat16() for name, one in weights.items()}, halves / "model.safetensors", {"format": "pt"})
    model, whole = (opened(halves, "causal-lm", later=later) for later in (True, False))
    filler(model).fill(model)
    for one, other in zip(model.parameters(), whole.parameters(), strict=True):
        assert one.dtype == torch.float32
        assert one.equal(other)


def test_adapters_are_there_at_once(folder: Path) -> None:
    method = MethodSection(name="lora")
    model, whole = (apply_method(opened(folder / "llama", "causal-lm", later=later), method) for later in (True, False))
    adapters = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    expected = dict(whole.named_parameters())
    assert adapters
    assert all(one.equal(expected[name]) for name, one in adapters)
    filler(model).fill(model)
    assert all(one.equal(expected[name]) for name, one in model.named_parameters())


def test_it_computes_a_layer_at_a_time_and_is_empty_again(folder: Path) -> None:
    model, whole = (opened(folder / "llama", "causal-lm", later=later) for later in (True, False))
    ids = torch.arange(6)[None]
    before = memory(model)
    with torch.no_grad():
        with filler(model).while_computing(model):
            said = model(input_ids=ids).logits
        assert said.equal(whole(input_ids=ids).logits)
        assert bool(model(input_ids=ids).logits.isnan().all())
    assert memory(model) == before


def test_a_layer_that_fails_gives_its_weights_back_too(folder: Path) -> None:
    model = opened(folder / "llama", "causal-lm", later=True)
    before = memory(model)
    with pytest.raises(RuntimeError), filler(model).while_computing(model):
        model.model.layers[0].mlp.down_proj(torch.ones(1, 1))
    assert memory(model) == before


def test_a_file_that_cannot_be_opened_is_told_as_in_loading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def safe_open(path: Path, **_: Any) -> Any:
        raise OSError(f"{path.name}: the disk reports an error")

    monkeypatch.setattr(later_module, "safe_open", safe_open)
    with pytest.raises(ModelError) as caught:
        opened(folder / "bert", "features", later=True)
    text = " ".join(str(caught.value).split())
    assert "the weights of" in text
    assert "model.safetensors: the disk reports an error" in text
    assert "copy or download the model again" in text


def test_weights_that_were_copied_when_loaded_come_whole(folder: Path) -> None:
    model, stand_ins = opened(folder / "llama", "causal-lm", later=True), StandIns(folder / "llama")
    layer = model.model.layers[0].mlp.down_proj
    layer.weight = nn.Parameter(torch.empty(layer.weight.shape).copy_(layer.weight))
    assert stand_ins.adopted(model) is None


def test_weights_that_are_put_together_when_loaded_come_whole(folder: Path) -> None:
    model = opened(folder / "llama", "causal-lm", later=True)
    stand_ins = StandIns(folder / "llama")
    model._weight_conversions = [object()]
    assert stand_ins.adopted(model) is None
