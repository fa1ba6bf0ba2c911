# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What ``preprocessor_config.json`` says; pictures come out as transformers' own image processors make them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from tunesmith.data.rows import Origin, Row
from tunesmith.errors import ModelError
from tunesmith.models import ModelSource, image_settings
from tunesmith.models.image_processors import LARGEST_SIDE, read_preparation
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.image_classification import ImageClassification

SHAPES = [(48, 80), (80, 48), (61, 61), (30, 150), (33, 20), (16, 16), (5, 40)]

# As the hub has them, with smaller sizes; also as written before transformers had image processors.
PROCESSORS: list[dict[str, Any]] = [
    {"feature_extractor_type": "ViTFeatureExtractor", "do_normalize": True, "do_resize": True, "size": 32},
    {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 24}, "resample": 3},
    {"image_processor_type": "ViTImageProcessorFast", "size": {"height": 40, "width": 40}, "do_normalize": None},
    {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "do_rescale": False},
    {"feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875, "resample": 3, "size": 32},
    {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.95, "size": {"shortest_edge": 40}},
    {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    {"feature_extractor_type": "DeiTFeatureExtractor", "size": 40, "crop_size": 32, "do_center_crop": True},
    {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 40},
        "crop_size": {"height": 32, "width": 24},
    },
    {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 24},
        "crop_size": {"height": 33, "width": 32},
    },
    {"feature_extractor_type": "CLIPFeatureExtractor", "size": 32, "crop_size": 32, "image_mean": [0.1, 0.2, 0.3]},
    {
        "image_processor_type": "LevitImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
    },
    {"image_processor_type": "PoolFormerImageProcessor", "crop_pct": 0.9, "size": 32, "crop_size": 32},
    {"image_processor_type": "PoolFormerImageProcessor", "crop_pct": None, "size": 40, "crop_size": 32},
    {
        "image_processor_type": "PoolFormerImageProcessor",
        "size": {"height": 32, "width": 32},
        "crop_size": {"height": 32, "width": 32},
    },
    {"image_processor_type": "MobileNetV2ImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 32},
    {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 32},
    {"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 32, "width": 32}, "resample": 0},
    {
        "image_processor_type": "EfficientNetImageProcessor",
        "size": {"height": 32, "width": 32},
        "rescale_factor": 1 / 127.5,
        "rescale_offset": True,
        "include_top": False,
        "do_normalize": False,
    },
    {"image_processor_type": "BeitImageProcessor", "size": 40, "crop_size": 32, "do_center_crop": True, "resample": 2},
    {
        "image_processor_type": "BeitImageProcessor",
        "size": 32,
        "do_resize": False,
        "do_center_crop": True,
        "crop_size": 24,
    },
    {"image_processor_type": "PvtImageProcessor", "size": {"height": 32, "width": 32}},
    {"image_processor_type": "SegformerImageProcessor", "size": 32, "do_reduce_labels": False, "resample": 1},
    {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}},
]


def _name(values: dict[str, Any]) -> str:
    return values.get("image_processor_type") or values["feature_extractor_type"]


def _theirs(values: dict[str, Any]) -> Any:
    name = _name(values).removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    return getattr(transformers, f"{name}Pil")(**values)


@pytest.mark.parametrize("values", PROCESSORS, ids=_name)
def test_pictures_come_out_as_transformers_makes_them(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    source = ModelSource(name="hub/model", kind="folder", folder=tmp_path)
    task = ImageClassification(DataSection(train=["-"]))
    task._settings = image_settings(source, SimpleNamespace(config=SimpleNamespace(num_channels=3)))
    theirs = _theirs(values)
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in SHAPES]
    items = task.encode_all([task.parse(Row({"image": one}, Origin("r")), labelled=False) for one in pictures])
    ours = task.collate(items).inputs["pixel_values"]
    for at, picture in enumerate(pictures):
        wanted = theirs(picture, return_tensors="pt", input_data_format="channels_last")["pixel_values"][0]
        assert torch.allclose(ours[at].double(), torch.as_tensor(wanted).double(), rtol=1e-4, atol=1e-5), SHAPES[at]


@pytest.mark.parametrize("name", ["ViT", "ConvNext", "Bit", "CLIP", "DeiT", "Beit", "Levit", "PoolFormer", "Pvt"])
def test_what_a_file_leaves_out_is_transformers_default(name: str) -> None:
    ours = read_preparation({"image_processor_type": f"{name}ImageProcessor"}, name="m")
    written = read_preparation(
        json.loads(getattr(transformers, f"{name}ImageProcessorPil")().to_json_string()), name="m"
    )
    assert ours is not None
    assert ours == written


def test_the_size_may_stand_in_the_models_configuration_alone() -> None:
    found = read_preparation({"image_mean": [0.1], "image_std": [0.2]}, name="m", size=(8, 9))
    assert found is not None
    assert (found.height, found.width, found.resize) == (8, 9, None)
    assert (found.mean, found.std) == ((0.1,), (0.2,))
    assert read_preparation({"image_mean": [0.1]}, name="m") is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"image_processor_type": "PerceiverImageProcessor", "size": 9},
            "image_processor_type: PerceiverImageProcessor",
        ),
        ({"size": 9, "do_pad": True}, "do_pad: true"),
        ({"size": 9, "do_thumbnail": True}, "do_thumbnail: true"),
        ({"size": {"longest_edge": 9}}, "size: {'longest_edge': 9}"),
        ({"size": 10**12}, f"at most {LARGEST_SIDE}"),
        ({"size": {"height": 0, "width": 3}}, "size: 0"),
        ({"size": "large"}, "size: large"),
        ({"size": 9, "resample": 17}, "resample: 17"),
        ({"size": 9, "image_std": [0.5, 0, 0.5]}, "image_std or rescale_factor: 0"),
        ({"size": 9, "rescale_factor": 0}, "image_std or rescale_factor: 0"),
        ({"size": 9, "image_mean": "dark"}, "image_mean: dark"),
        ({"size": 9, "image_mean": []}, "image_mean: []"),
        ({"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0}, "crop_pct: 0"),
    ],
)
def test_what_cannot_be_followed_is_said(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match="hub/model prepares its images in a way that is not known here") as error:
        read_preparation(values, name="hub/model")
    assert words in str(error.value)
