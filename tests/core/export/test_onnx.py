# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Graphs for ONNX Runtime give the run's probabilities and vectors, alone and in padded batches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

import tunesmith
from tunesmith.errors import ModelError
from tunesmith.export import export_model
from tunesmith.testing import tiny_image_model

ort = pytest.importorskip("onnxruntime", reason="needs the packages of pip install 'tunesmith[onnx]'")
pytest.importorskip("onnxscript", reason="needs the packages of pip install 'tunesmith[onnx]'")

WORDS = ["apple 3", "iron", "an apple and some iron and another apple"]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_a_text_classifier(classifier_run: Path, tmp_path: Path) -> None:
    done = export_model(classifier_run, to="onnx", out=tmp_path / "out")

    assert [finding.name for finding in done.findings] == ["rendering", "token ids", "probabilities", "one batch"]
    assert done.state == "passed"
    session = ort.InferenceSession(str(done.path / "model.onnx"))
    assert {one.name: one.type for one in session.get_inputs()} == {
        "input_ids": "tensor(int64)",
        "attention_mask": "tensor(int64)",
    }
    tokenizer = AutoTokenizer.from_pretrained(done.path)
    batch = tokenizer(WORDS, padding=True, return_tensors="np", return_token_type_ids=False)
    (logits,) = session.run(["logits"], {name: array.astype(np.int64) for name, array in batch.items()})
    answers = tunesmith.load(classifier_run).predict(WORDS)
    wanted = [list(answer["probabilities"].values()) for answer in answers]
    temperature = json.loads((done.path / "rendering.json").read_text())["state"]["temperature"]
    assert temperature != 1
    assert softmax(logits / temperature) == pytest.approx(np.asarray(wanted), abs=1e-5)
    assert f"divided by {temperature}" in done.notes[0]


def test_images_whole_and_in_8_bits(tmp_path: Path) -> None:
    model = tiny_image_model(tmp_path / "in")
    images = [np.full((8, 8, 1), shade, dtype=np.uint8) for shade in (0, 100, 255)]

    done = export_model(model, to="onnx", out=tmp_path / "out")
    small = export_model(model, to="onnx", quantize="int8", out=tmp_path / "small")

    assert (done.state, small.state) == ("passed", "passed")
    loaded = tunesmith.load(model)
    pixels = loaded.definition.collate(loaded.definition.encode_all(_examples(loaded, images))).inputs["pixel_values"]
    session = ort.InferenceSession(str(done.path / "model.onnx"))
    (logits,) = session.run(["logits"], {"pixel_values": pixels.numpy()})
    wanted = [list(answer["probabilities"].values()) for answer in loaded.predict(images)]
    assert softmax(logits) == pytest.approx(np.asarray(wanted), abs=1e-5)
    assert not list(small.path.glob("whole*"))
    (rough,) = ort.InferenceSession(str(small.path / "model.onnx")).run(["logits"], {"pixel_values": pixels.numpy()})
    assert not np.array_equal(rough, logits)
    assert softmax(rough) == pytest.approx(softmax(logits), abs=0.2)


def _examples(model: tunesmith.Model, images: list[np.ndarray]) -> list[object]:
    from tunesmith.engine.inputs import parse_inputs

    return parse_inputs(model.definition, images)


def test_vectors_of_texts(classifier_base: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("anchor,positive\n" + "\n".join(f"q{n},an answer {n}" for n in range(8)))
    recipe = {
        "task": "embedding",
        "model": str(classifier_base),
        "data": {"train": str(tmp_path / "pairs.csv")},
        "train": {"max_steps": 2, "tokens_per_batch": 128},
        "output": str(tmp_path / "run"),
    }
    run = tunesmith.train(tunesmith.parse_recipe(recipe))

    done = export_model(run, to="onnx", out=tmp_path / "out")

    assert done.state == "passed"
    session = ort.InferenceSession(str(done.path / "model.onnx"))
    tokenizer = AutoTokenizer.from_pretrained(done.path)
    batch = tokenizer(WORDS, padding=True, return_tensors="np", return_token_type_ids=False)
    (vectors,) = session.run(["sentence_embedding"], {name: array.astype(np.int64) for name, array in batch.items()})
    assert vectors == pytest.approx(tunesmith.load(run.path).embed(WORDS), abs=1e-5)


def test_without_the_packages(classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModelError, match="exporting to ONNX needs the package onnxscript") as caught:
        export_model(classifier_run, to="onnx", out=tmp_path / "out")
    assert caught.value.fix == ("pip install 'tunesmith[onnx]'",)
