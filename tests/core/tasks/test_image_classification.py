# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunesmith import models
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.image_classification import ImageClassification


def scratch(name="mlp") -> ModelSource:
    options = ScratchOptions(architecture=name, size=None, tokenizer="byte", vocabulary=256, context=8, seed=0)
    return ModelSource(name=f"scratch:{name}", kind="scratch", scratch=options)


def images(sizes, channels=1):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (h, w) if channels == 1 else (h, w, channels), dtype=np.uint8) for h, w in sizes]


def ready(source, section, pictures, labels):
    task = ImageClassification(section)
    rows = [
        Row({"image": i, "label": l}, Origin("digits.idx", n + 1))
        for n, (i, l) in enumerate(zip(pictures, labels, strict=True))
    ]
    examples = [task.parse(row) for row in rows]
    task.fit(examples)
    model = task.build(source).eval()
    return task, model, examples, task.encode_all(examples)


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_a_net_from_scratch_reads_the_most_common_size_and_its_own_mean(data, name):
    pictures = images([(8, 10)] * 3 + [(20, 20)])
    task, model, _, items = ready(scratch(name), data(), pictures, [1, 0, 1, 10])
    assert (task.settings.height, task.settings.width, task.settings.channels) == (8, 10, 1)
    assert task.labels == ("0", "1", "10")
    assert task.notes[-1] == "1 of 4 images resized to 8 × 10 pixels"
    assert all(item.features["pixels"].dtype == np.uint8 for item in items)
    batch = task.collate(items)
    values = batch.inputs["pixel_values"]
    assert values.shape == (4, 1, 8, 10)
    assert values.mean().item() == pytest.approx(0, abs=1e-5)
    assert values.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    logits = model(**batch.inputs).logits
    expected = functional.cross_entropy(logits, torch.tensor([1, 0, 1, 2]), reduction="sum")
    assert task.loss(model, batch).item() == pytest.approx(expected.item(), rel=1e-6)
    assert (batch.targets, batch.tokens, items[0].length) == (4, 4, 1)


def test_one_color_image_makes_the_net_read_color(data):
    pictures = [*images([(8, 8)] * 2), *images([(8, 8)], channels=3)]
    task, _, _, items = ready(scratch(), data(), pictures, list("aba"))
    assert task.settings.channels == 3
    assert items[0].features["pixels"].shape == (8, 8, 3)


def test_images_all_alike_do_not_divide_by_zero(data):
    task, _, _, items = ready(scratch(), data(), [np.full((4, 4), 9, np.uint8)] * 2, "ab")
    assert torch.isfinite(task.collate(items).inputs["pixel_values"]).all()


def test_a_trained_model_says_what_it_reads(data, image_net):
    task, model, _, items = ready(image_net, data(), images([(5, 5)] * 2), ["cat", "dog"])
    assert (task.settings.height, task.settings.width, task.settings.channels) == (8, 8, 3)
    with torch.inference_mode():
        output = task.outputs(model, task.collate(items))[0]
    assert set(task.answer(output)["probabilities"]) == {"cat", "dog"}


def test_worst_mistakes_show_the_images(data):
    task, model, examples, items = ready(scratch(), data(), images([(8, 8)] * 12), list("ab") * 6)
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    scores = task.score(outputs, examples)
    assert 0 < scores["accuracy"] < 1
    table = task.sections(outputs, examples)[-1]
    assert table.title == "Worst mistakes"
    assert len(table.images) == len(table.rows) == round(12 * (1 - scores["accuracy"]))
    assert all(image.startswith(b"\x89PNG") for image in table.images)
    losses = [row[-1] for row in table.rows]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_saved_and_restored_predictions_are_identical(data, tmp_path, name):
    task, model, examples, items = ready(scratch(name), data(), images([(8, 8)] * 4), list("abab"))
    models.save_model(model, tmp_path / "m")
    again = ImageClassification(data())
    source = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    restored = again.restore(task.state(), source).eval()
    assert again.state() == task.state()
    with torch.inference_mode():
        before = task.outputs(model, task.collate(items))
        after = again.outputs(restored, again.collate(again.encode_all(examples)))
    assert all(np.array_equal(one.probabilities, two.probabilities) for one, two in zip(before, after, strict=True))
    with pytest.raises(ModelError, match=r"rendering.json: mean and std cannot be used"):
        ImageClassification(data()).restore({**task.state(), "std": [0.0]}, source)
    with pytest.raises(ModelError, match=r"rendering.json: 'height' cannot be used"):
        ImageClassification(data()).restore({**task.state(), "height": "8"}, source)


def test_a_broken_image_is_a_row_error_that_names_it(data, tmp_path):
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(RowError, match=r"cat.png is (damaged|not an image)"):
        ImageClassification(data()).parse(Row({"image": tmp_path / "cat.png", "label": "cat"}, Origin("cats")))


def test_a_net_from_scratch_does_not_read_photographs_at_their_own_size(data):
    task, _, _, items = ready(scratch("cnn"), data(), images([(300, 401)] * 2, channels=3), list("ab"))
    assert (task.settings.height, task.settings.width) == (96, 128)
    assert items[0].features["pixels"].shape == (96, 128, 3)
    assert task.notes[-1] == "2 of 2 images resized to 96 × 128 pixels"


def test_how_images_are_prepared_is_saved_with_the_model(data, image_net):
    (image_net.folder / "preprocessor_config.json").write_text(
        '{"size": {"shortest_edge": 10}, "crop_size": 8, "do_center_crop": true, "resample": 3,'
        ' "do_flip_channel_order": true}'
    )
    task, _, _, items = ready(image_net, data(), images([(20, 12)] * 2, channels=3), ["cat", "dog"])
    assert (task.settings.resize, task.settings.resample, task.settings.bgr) == (10, "bicubic", True)
    assert task.notes[-1] == "2 of 2 images resized and cropped to 8 × 8 pixels"
    state = task.state()
    again = ImageClassification(data())
    again.restore(state, image_net)
    assert again.settings == task.settings
    pictures = task.collate(items).inputs["pixel_values"]
    assert torch.equal(pictures, again.collate(items).inputs["pixel_values"])
    older = {key: value for key, value in state.items() if key not in ("resize", "resample", "bgr")}
    again.restore(older, image_net)
    assert (again.settings.resize, again.settings.resample, again.settings.bgr) == (None, "bilinear", False)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"height": 10**9}, "height, width, channels and resize"),
        ({"resize": [8, 10**9]}, "height, width, channels and resize"),
        ({"resize": 10**9}, "height, width, channels and resize"),
        ({"resize": [8]}, "height, width, channels and resize"),
        ({"resize": "8"}, "'resize'"),
        ({"channels": 2, "mean": [0.5] * 2, "std": [0.5] * 2}, "height, width, channels and resize"),
        ({"resample": "sinc"}, "resample"),
    ],
)
def test_what_is_saved_is_not_trusted(data, image_net, wrong, words):
    task, _, _, _ = ready(image_net, data(), images([(5, 5)] * 2), ["cat", "dog"])
    with pytest.raises(ModelError, match=rf"rendering.json: {words} cannot be used"):
        ImageClassification(data()).restore({**task.state(), **wrong}, image_net)


def test_real_digits(data, shared):
    folder = shared / "data/mnist"
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(16 + 784 * 64), np.uint8, offset=16)
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + 64), np.uint8, offset=8)
    task, model, _, items = ready(scratch("cnn"), data(), list(pixels.reshape(-1, 28, 28)), list(labels))
    assert task.labels == tuple(map(str, range(10)))
    assert task.loss(model, task.collate(items)).item() / 64 < 5
