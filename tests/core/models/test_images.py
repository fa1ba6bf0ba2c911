# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The built-in image nets, and what image models say about their pixels."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, ViTConfig, ViTForImageClassification

from tunesmith.errors import ModelError
from tunesmith.models import ModelSource, ScratchOptions, image_settings, load_weights, save_model


def _scratch(architecture: str, size: int | None = None) -> ModelSource:
    options = ScratchOptions(
        architecture=architecture, size=size, tokenizer="bpe", vocabulary=1024, context=256, seed=0
    )
    return ModelSource(name=f"scratch:{architecture}", kind="scratch", scratch=options)


def _folder(folder: Path) -> ModelSource:
    return ModelSource(name=str(folder), kind="folder", folder=folder)


@pytest.mark.parametrize(("architecture", "parameters"), [("cnn", 467_818), ("mlp", 235_146)])
def test_sizes_as_documented(architecture: str, parameters: int) -> None:
    model = load_weights(_scratch(architecture), "image-classification", num_labels=10)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    with pytest.raises(ModelError, match=f"the {architecture} comes in one size"):
        load_weights(_scratch(architecture, size=1000), "image-classification")


@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 30, 21), (1, 64, 40)])
def test_any_image_size(architecture: str, shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    model = load_weights(
        _scratch(architecture), "image-classification", num_labels=4, num_channels=channels, image_size=(height, width)
    )
    output = model(torch.zeros(2, *shape), labels=torch.tensor([0, 3]))
    assert output.logits.shape == (2, 4)
    assert output.loss.isfinite()


def test_images_too_small_to_be_halved_twice() -> None:
    with pytest.raises(ModelError, match="too small for the cnn") as error:
        load_weights(_scratch("cnn"), "image-classification", image_size=(2, 30))
    assert "2 × 30 pixels" in str(error.value)
    assert "scratch:mlp" in str(error.value)


@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
def test_each_row_stands_for_itself(architecture: str) -> None:
    """No batch statistics: a batch cut in parts gives the same logits and gradients."""
    model = load_weights(_scratch(architecture), "image-classification", image_size=(8, 8)).train()
    pixels = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = model(pixels).logits
    parts = torch.cat([model(pixels[:1]).logits, model(pixels[1:]).logits])
    assert torch.allclose(whole, parts, atol=1e-6)


@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
def test_saved_and_loaded_without_entering_any_global_table(architecture: str, tmp_path: Path) -> None:
    facts: dict[str, Any] = {"image_size": (8, 6), "num_channels": 3, "image_mean": [0.1, 0.2, 0.3]}
    model = load_weights(_scratch(architecture), "image-classification", id2label={0: "a", 1: "b"}, **facts)
    save_model(model, tmp_path)
    again = load_weights(_folder(tmp_path), "image-classification", new_head=False)
    assert type(again) is type(model)
    assert again.config.id2label == {0: "a", 1: "b"}
    pixels = torch.ones(1, 3, 8, 6)
    assert torch.equal(model(pixels).logits, again(pixels).logits)
    settings = image_settings(_folder(tmp_path), again)
    assert (settings.height, settings.width, settings.channels) == (8, 6, 3)
    assert settings.mean == (0.1, 0.2, 0.3)
    assert settings.std == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="tunesmith-"):
        AutoConfig.from_pretrained(tmp_path)


# ---- transformers' image models ------------------------------------------------------------------


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
        num_labels=3,
    )
    ViTForImageClassification(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_new_head_on_a_transformers_model(vit: Path) -> None:
    model = load_weights(_folder(vit), "image-classification", num_labels=10)
    assert model(torch.zeros(1, 3, 16, 16)).logits.shape == (1, 10)


def _settings(vit: Path, **preprocessor: Any) -> Any:
    if preprocessor:
        (vit / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return image_settings(_folder(vit), load_weights(_folder(vit), "image-classification"))


def test_settings_from_the_configuration_alone(vit: Path) -> None:
    settings = _settings(vit)
    assert (settings.height, settings.width, settings.channels) == (16, 16, 3)
    assert settings.mean == settings.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("preprocessor", "size"),
    [
        ({"size": {"height": 20, "width": 24}}, (20, 24)),
        ({"size": 32}, (32, 32)),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 200}},
            (224, 200),
        ),
        ({"size": {"shortest_edge": 256}, "crop_size": 224}, (256, 256)),
    ],
)
def test_size_from_the_preprocessor(vit: Path, preprocessor: dict[str, Any], size: tuple[int, int]) -> None:
    settings = _settings(vit, **preprocessor)
    assert (settings.height, settings.width) == size


@pytest.mark.parametrize(
    ("preprocessor", "theirs"),
    [
        ({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}, lambda p: (p / 255 - 0.2) / 0.5),
        ({"do_normalize": False}, lambda p: p / 255),
        ({"do_rescale": False, "image_mean": [120.0] * 3, "image_std": [60.0] * 3}, lambda p: (p - 120) / 60),
        ({"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False}, lambda p: p / 127.5 - 1),
    ],
)
def test_normalization_equals_their_own(vit: Path, preprocessor: dict[str, Any], theirs: Any) -> None:
    settings = _settings(vit, size=16, **preprocessor)
    for pixel in (0, 77, 255):
        ours = (pixel / 255 - settings.mean[1]) / settings.std[1]
        assert ours == pytest.approx(theirs(pixel))


def test_no_size_anywhere(tmp_path: Path) -> None:
    resnet = SimpleNamespace(config=SimpleNamespace(num_channels=3))  # a ResNet takes any size and states none
    with pytest.raises(ModelError, match="does not say how large its images are"):
        image_settings(_folder(tmp_path), resnet)
