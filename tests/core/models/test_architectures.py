# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plugin's architecture has the powers of a built-in one: started from scratch, saved, loaded by its name."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from tunesmith.errors import ModelError
from tunesmith.models import ModelSource, ScratchOptions, load_weights, save_model
from tunesmith.plugin import ModelSpec


class OneLayerConfig(PreTrainedConfig):
    model_type = "zoo-onelayer"
    heads: ClassVar[dict[str, str]] = {"image-classification": "OneLayer"}
    pixels: int = 4


class OneLayer(PreTrainedModel):
    config_class = OneLayerConfig
    base_model_prefix = "body"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.classifier = nn.Linear(config.pixels, config.num_labels)
        self.post_init()

    def forward(self, pixel_values: torch.Tensor) -> ImageClassifierOutput:
        return ImageClassifierOutput(logits=self.classifier(pixel_values.flatten(1)))


class Zoo:
    """A registry with one architecture, of a plugin named ``zoo``."""

    spec = ModelSpec(name="onelayer", summary="One layer", target="zoo.nets:onelayer", weights=False)

    def all(self, kind: str) -> tuple[Any, ...]:
        return (SimpleNamespace(spec=self.spec, full_name="zoo/onelayer", plugin="zoo"),)

    def load(self, kind: str, name: str) -> Any:
        return lambda options: OneLayerConfig()


def _options() -> ScratchOptions:
    return ScratchOptions(architecture="onelayer", size=None, tokenizer="bpe", vocabulary=512, context=64, seed=0)


def test_from_scratch_to_disk_and_back(tmp_path: Path) -> None:
    zoo: Any = Zoo()
    scratch = ModelSource(name="scratch:onelayer", kind="scratch", scratch=_options())
    model = load_weights(scratch, "image-classification", registry=zoo, num_labels=3, pixels=6)
    assert model.classifier.weight.shape == (3, 6)
    save_model(model, tmp_path)
    saved = ModelSource(name="m", kind="folder", folder=tmp_path)
    again = load_weights(saved, "image-classification", registry=zoo, new_head=False)
    assert isinstance(again, OneLayer)
    assert torch.equal(again.classifier.weight, model.classifier.weight)


def test_without_the_plugin_the_folder_says_what_is_missing(tmp_path: Path) -> None:
    save_model(OneLayer(OneLayerConfig()), tmp_path)
    with pytest.raises(ModelError, match=r"config\.json cannot be used") as caught:
        load_weights(ModelSource(name="m", kind="folder", folder=tmp_path), "image-classification")
    assert "zoo-onelayer" in str(caught.value)
    assert "install the plugin that has this architecture" in str(caught.value)
