# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith/tiny`` is in the package, or the message says how to get it back."""

import json
from pathlib import Path

import pytest
import torch

import tunesmith.models.embedded as embedded
from tunesmith.data import read_examples
from tunesmith.errors import ModelError
from tunesmith.evaluate import evaluate_items
from tunesmith.models import find_model_by_name
from tunesmith.recipe import read_recipe
from tunesmith.registry import get_registry
from tunesmith.runs import file_digest
from tunesmith.tasks.rendering import open_task
from tunesmith.testing import tiny_llama


def test_found_by_both_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_llama(tmp_path / "assets" / "tiny")
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    for name in ("tunesmith/tiny", "tiny"):
        source = find_model_by_name(name, get_registry())
        assert (source.name, source.kind, source.folder) == (name, "folder", tmp_path / "assets" / "tiny")


def test_an_installation_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match="does not hold the weights of tunesmith/tiny") as caught:
        embedded.tiny()
    assert "pip install --force-reinstall tunesmith" in str(caught.value)


def test_the_weights_are_those_that_training_json_describes() -> None:
    facts = json.loads((embedded.tiny() / "training.json").read_text(encoding="utf-8"))
    assert file_digest(embedded.tiny() / "model.safetensors") == facts["weights"]
    assert (embedded.tiny() / "model.safetensors").stat().st_size < 8_000_000


def test_its_held_out_figures_are_measured_again(shared: Path) -> None:
    """The recipe committed beside the weights, the text of ../shared, and the weights as they ship."""
    recipe = read_recipe(embedded.tiny() / "recipe.yaml")
    text = shared / recipe.data.train[0].partition("shared/")[2]
    facts = json.loads((embedded.tiny() / "training.json").read_text(encoding="utf-8"))
    assert file_digest(text).removeprefix("sha256:") == facts["text"][0]["sha256"].removeprefix("sha256:")

    section = recipe.data.model_copy(update={"train": [str(text)]})
    task, model = open_task(find_model_by_name("tunesmith/tiny", get_registry()), get_registry())
    held_out = read_examples(section, task, get_registry()).validation
    items = task.encode_all(held_out)[:40]  # a tenth: enough to tell other weights, or another tokenizer
    loss = evaluate_items(model, task, items, held_out, device=torch.device("cpu")).metrics["loss"]
    assert loss == pytest.approx(facts["held_out"]["loss"], abs=0.25)
