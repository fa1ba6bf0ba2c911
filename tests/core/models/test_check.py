# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Unsafe and damaged model folders are named before anything of them is loaded."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import ModelError
from tunesmith.models.check import check_adapter, check_model, check_safetensors, read_json, weights_digest


def _safetensors(data: bytes = b"\0" * 16, **header: object) -> bytes:
    content = json.dumps(header or {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(content)) + content + data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "vocab_size": 8}')
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(_safetensors())
    return tmp_path


def _refused(folder: Path, *words: str, **options: bool) -> ModelError:
    with pytest.raises(ModelError) as caught:
        check_model(folder, name="my-model", **options)
    for word in words:
        assert word in str(caught.value)
    return caught.value


def test_a_whole_folder_gives_its_weight_files(folder: Path) -> None:
    assert check_model(folder, name="my-model") == [folder / "model.safetensors"]


def test_an_architecture_of_a_plugin_reads_text_only_where_it_counts_a_vocabulary(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "config.json").write_text('{"model_type": "my-plugin-net"}')
    assert check_model(folder, name="my-model") == [folder / "model.safetensors"]
    (folder / "config.json").write_text('{"model_type": "my-plugin-net", "vocab_size": 8}')
    _refused(folder, "the model folder has no tokenizer")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    _refused(folder, "the model folder has no tokenizer")


def test_no_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    _refused(folder, "has no config.json", "model.safetensors, tokenizer.json", "save_pretrained")


def test_config_is_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{,")
    _refused(folder, "config.json cannot be read", "a JSON object in UTF-8")
    (folder / "config.json").write_text("[1]")
    _refused(folder, "config.json is not a JSON object", "a list")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt", "model.pkl", "consolidated.00.pth"])
@pytest.mark.parametrize("with_config", [True, False])
def test_pickle_weights_are_refused(folder: Path, name: str, with_config: bool) -> None:
    (folder / "model.safetensors").rename(folder / name)
    if not with_config:
        (folder / "config.json").unlink()
    _refused(folder, "my-model are pickle files", "can run any code", name, "save_pretrained(NEW_FOLDER)")


def test_pickles_beside_safetensors_are_left_alone(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"junk")
    assert check_model(folder, name="my-model") == [folder / "model.safetensors"]


def test_an_optimizer_state_is_not_taken_for_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "optimizer.pt")
    error = _refused(folder, "no safetensors weights for my-model")
    assert "pickle" not in error.what


def test_a_hub_model_without_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    _refused(folder, "no *.safetensors file in the hub repository", "never fetched", from_hub=True)


@pytest.mark.parametrize("size", [0, 5, 8, 40, 60])
def test_truncated_weights_are_named_with_their_size(folder: Path, size: int) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    assert size < len(whole)
    file.write_bytes(whole[:size])
    _refused(folder, "truncated", str(file), f"{size} bytes", "download the file again")


def test_the_expected_size_follows_from_the_header(folder: Path) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-3])
    _refused(folder, f"{len(whole) - 3} bytes", f"{len(whole)} bytes, by the file's own header")


def test_trailing_bytes_and_broken_headers(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(_safetensors() + b"more")
    _refused(folder, "bytes follow the last tensor")
    file.write_bytes(struct.pack("<Q", 4) + b"oops")
    _refused(folder, "its header cannot be read")
    file.write_bytes(_safetensors(w={"data_offsets": [16, 0]}))
    _refused(folder, "data_offsets of w")
    file.write_bytes(struct.pack("<Q", 1 << 62))
    _refused(folder, "truncated or not safetensors")


def test_git_lfs_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    _refused(folder, "Git LFS pointer", "git lfs pull")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_give_an_answer(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="the weight file is"):  # 120 random bytes are never a whole file
        check_safetensors(file)


def _shard(folder: Path, **places: str) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def test_shards_are_all_checked(folder: Path) -> None:
    _shard(folder, w="a.safetensors", v="b.safetensors")
    _refused(folder, "1 of 2 weight files are missing", "missing: b.safetensors")
    (folder / "b.safetensors").write_bytes(_safetensors()[:-1])
    _refused(folder, "truncated", "b.safetensors")
    (folder / "b.safetensors").write_bytes(_safetensors())
    assert check_model(folder, name="m") == [folder / "a.safetensors", folder / "b.safetensors"]


@pytest.mark.parametrize("place", ["../a.safetensors", "/etc/passwd", "a.bin"])
def test_an_index_cannot_reach_outside(folder: Path, place: str) -> None:
    _shard(folder, w=place)
    _refused(folder, "no safetensors file of this folder", place)


def test_an_index_without_a_map(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")
    _refused(folder, "has no weight_map")


def test_no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")  # half of one
    _refused(folder, "has no tokenizer", "tokenizer.json", "vocab.json + merges.txt", "copy the tokenizer's files")
    (folder / "merges.txt").touch()
    check_model(folder, name="m")


def test_an_image_model_needs_no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "config.json").write_text('{"model_type": "vit", "image_size": 32}')
    check_model(folder, name="m")


def test_remote_code_is_refused_unless_asked_for(folder: Path) -> None:
    config = {"model_type": "my_own", "vocab_size": 8, "auto_map": {"AutoModelForCausalLM": "modeling.My"}}
    (folder / "config.json").write_text(json.dumps(config))
    _refused(folder, "Python code of its own", "auto_map", "AutoModelForCausalLM", "trust_remote_code: true")
    check_model(folder, name="m", trust_remote_code=True)
    # transformers' own class is used instead, and nothing of the model's files runs
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    check_model(folder, name="m")


def test_adapters_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").touch()
    with pytest.raises(ModelError, match="pickle files"):
        check_adapter(tmp_path, name="a")
    (tmp_path / "adapter_model.safetensors").write_bytes(_safetensors()[:-2])
    with pytest.raises(ModelError, match=r"truncated: .*adapter_model\.safetensors"):
        check_adapter(tmp_path, name="a")


def test_digest_depends_on_names_and_content_and_not_on_order(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"x")
    two.write_bytes(b"y")
    digest = weights_digest([one, two])
    assert digest == weights_digest([two, one])
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    two.write_bytes(b"z")
    assert weights_digest([one, two]) != digest
    assert weights_digest([one]) != weights_digest([one.rename(tmp_path / "3")])


def test_deeply_nested_json_is_an_error_not_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("[" * 100_000)
    with pytest.raises(ModelError, match="cannot be read"):
        read_json(file)


@pytest.mark.parametrize(
    "values",
    [{"num_hidden_layers": 10**9}, {"text_config": {"n_layer": 99}}, {"depths": [2, 10**9]}],
    ids=str,
)
def test_more_layers_than_tensors(folder: Path, values: dict[str, Any]) -> None:
    """Built by transformers, a thousand million layers fill the memory before a weight is compared."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
    with pytest.raises(ModelError, match=r"config.json and the weights do not belong together") as caught:
        check_model(folder, name="m")
    assert "tensors in the weight files" in str(caught.value)
