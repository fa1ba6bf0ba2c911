# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A model folder is complete or not there, the same for the same weights, and says so when it cannot be written."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from tunesmith.errors import OutputError
from tunesmith.models import ModelSource, apply_method, load_tokenizer, load_weights, save_model
from tunesmith.models.check import check_model
from tunesmith.recipe.schema import MethodSection
from tunesmith.testing import tiny_llama


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    folder = tiny_llama(tmp_path_factory.mktemp("models") / "llama")
    return ModelSource(name=str(folder), kind="folder", folder=folder)


@pytest.fixture
def model(source: ModelSource) -> Any:
    return load_weights(source, "causal-lm")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_whole_model_with_its_tokenizer(source: ModelSource, model: Any, tmp_path: Path) -> None:
    save_model(model, tmp_path / "deep" / "m", load_tokenizer(source))
    check_model(tmp_path / "deep" / "m", name="m")
    assert source.folder is not None
    assert (tmp_path / "deep" / "m" / "model.safetensors").read_bytes() == (
        source.folder / "model.safetensors"
    ).read_bytes()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["m"]


def test_the_same_weights_give_the_same_bytes(source: ModelSource, model: Any, tmp_path: Path) -> None:
    save_model(model, tmp_path / "a", load_tokenizer(source))
    save_model(load_weights(source, "causal-lm"), tmp_path / "b", load_tokenizer(source))
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_files_are_for_whoever_the_folder_is_for(source: ModelSource, model: Any, tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    save_model(model, tmp_path / "m", load_tokenizer(source))
    assert {file.stat().st_mode for file in (tmp_path / "m").iterdir()} == {(tmp_path / "any").stat().st_mode}


def test_adapters_have_sorted_settings(source: ModelSource, tmp_path: Path) -> None:
    """peft keeps names in sets; their order must not reach the disk."""
    save_model(apply_method(load_weights(source, "causal-lm"), MethodSection(name="lora")), tmp_path / "a")
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(config["target_modules"])


def test_bf16_on_disk_leaves_the_model_alone(source: ModelSource, model: Any, tmp_path: Path) -> None:
    save_model(model, tmp_path / "m", dtype="bf16")
    saved = load_file(tmp_path / "m" / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.bfloat16}
    assert "lm_head.weight" not in saved  # tied to the embeddings, and still so
    assert json.loads((tmp_path / "m" / "config.json").read_text())["dtype"] == "bfloat16"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    folder = tmp_path / "m"
    again = load_weights(ModelSource(name="m", kind="folder", folder=folder), "causal-lm")
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one.to(torch.bfloat16).float(), other)


def test_what_else_is_in_the_folder_stays_and_old_weights_go(model: Any, tmp_path: Path) -> None:
    for name in ("rendering.json", "README.md", "model-00001-of-00002.safetensors", "adapter_config.json"):
        (tmp_path / name).write_text("old")
    save_model(model, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"rendering.json", "README.md", "config.json", "model.safetensors"} <= names
    assert not {"model-00001-of-00002.safetensors", "adapter_config.json"} & names


def test_a_model_may_replace_the_one_it_was_loaded_from(source: ModelSource, model: Any, tmp_path: Path) -> None:
    save_model(model, tmp_path, load_tokenizer(source))
    own = load_weights(ModelSource(name="m", kind="folder", folder=tmp_path), "causal-lm")
    with torch.no_grad():
        own.model.norm.weight += 1
    save_model(own, tmp_path)
    assert torch.equal(load_file(tmp_path / "model.safetensors")["model.norm.weight"], own.model.norm.weight)


def test_saving_is_silent(model: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_model(model, tmp_path / "m")
    assert capfd.readouterr() == ("", "")


def _full(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _full_as_safetensors_says_it(*args: Any, **kwargs: Any) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("function", "error"),
    [("os.fsync", _full), ("transformers.modeling_utils.safe_save_file", _full_as_safetensors_says_it)],
)
def test_a_full_disk_leaves_nothing_half_written(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, error: Any
) -> None:
    monkeypatch.setattr(function, error)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        save_model(model, tmp_path / "m")
    assert str(tmp_path / "m") in str(caught.value)
    assert "free some space" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(model: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a part of the path is a file, not a folder") as caught:
        save_model(model, tmp_path / "file" / "deep" / "m")
    assert str(tmp_path / "file" / "deep" / "m") in str(caught.value)
