# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Is this folder a model that is safe and whole? Asked before anything of it is loaded.

Only names, sizes, JSON and the headers of safetensors files are read, with the standard library: nothing that came with
the model runs, and a damaged file is named with what it should have been.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunesmith.errors import ModelError

__all__ = ["check_adapter", "check_model", "check_safetensors", "read_json", "refuse_pickle_file", "weights_digest"]

_PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.bin", "scheduler.pt"})
_TOKENIZERS: tuple[tuple[str, ...], ...] = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
    ("spiece.model",),
    ("sentencepiece.bpe.model",),
    ("tekken.json",),
)
_IMAGE_KEYS = frozenset({"image_size", "num_channels", "channels", "pretrained_cfg"})
_TABLE_KEYS = frozenset({"table_edges", "table_codes"})
_DEPTHS = frozenset(
    {"num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers", "depths"}
    | {"num_decoder_layers"}
)
_HEADER_LIMIT = 100_000_000  # bytes; the format's own limit
_SAFETENSORS_FIX = "copy or download the file again; a download that broke off leaves such a file"


def check_model(folder: Path, *, name: str, trust_remote_code: bool = False, from_hub: bool = False) -> list[Path]:
    """Check a folder with a whole model.

    Args:
        folder: holds ``config.json``, safetensors weights, and for a text model the tokenizer's files.
        name: the model as the user wrote it, for messages.
        trust_remote_code: False refuses a model whose classes are Python files of its own.
        from_hub: only safetensors were fetched, so the message cannot name what else the repository holds.

    Returns:
        The weight files, sorted by name.

    Raises:
        ModelError: what is missing, unsafe or damaged, and what to do.
    """
    config_file = folder / "config.json"
    if not config_file.is_file():
        _refuse_if_only_pickle(folder, name)
        raise ModelError(
            f"the model folder has no config.json: {folder}",
            given=_listing(folder),
            expected="config.json, model.safetensors and the tokenizer's files, as save_pretrained writes them",
            fix="name the folder that holds config.json, or a run folder",
        )
    config = read_json(config_file)
    weights = _weight_files(folder, "model", name, from_hub=from_hub)
    tensors = sum(check_safetensors(file) for file in weights)
    _check_depth(config, tensors, config_file)
    if _reads_text(config, folder) and not _has_tokenizer(folder):
        raise ModelError(
            f"the model folder has no tokenizer: {folder}",
            given=_listing(folder),
            expected="one of " + ", ".join(" + ".join(files) for files in _TOKENIZERS),
            fix="copy the tokenizer's files of the original model into the folder",
        )
    if not trust_remote_code:
        _refuse_remote_code(config, name)
    return weights


def check_adapter(folder: Path, *, name: str) -> list[Path]:
    """Check a folder with a PEFT adapter (``adapter_config.json``); the counterpart of :func:`check_model`."""
    weights = _weight_files(folder, "adapter_model", name, from_hub=False)
    for file in weights:
        check_safetensors(file)
    return weights


def weights_digest(files: Sequence[Path]) -> str:
    """``sha256:…`` over names, sizes and content of the files, in order of their names."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.name):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of a model folder.

    Raises:
        ModelError: the file is missing, not JSON, or not an object.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{file.name} cannot be read: {file}",
            given=str(error),
            expected="a JSON object in UTF-8",
            fix="copy or download the file again",
        ) from error
    if not isinstance(value, dict):
        raise ModelError(
            f"{file.name} is not a JSON object: {file}",
            given=f"a {type(value).__name__}",
            expected="a JSON object",
            fix="copy or download the file again",
        )
    return value


def check_safetensors(file: Path) -> int:
    """Compare a safetensors file's header with its size; gives the number of tensors.

    The format (https://huggingface.co/docs/safetensors): 8 bytes little-endian length N, N bytes of JSON that give each
    tensor's place, then the tensors.

    Raises:
        ModelError: the file is truncated, damaged, or a Git LFS pointer.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            length = int.from_bytes(start, "little")
            raw = stream.read(length) if length <= min(size, _HEADER_LIMIT) else b""
    except OSError as error:
        raise ModelError(f"the weight file cannot be read: {file}", given=str(error), fix=_SAFETENSORS_FIX) from error
    if start == b"version ":
        raise ModelError(
            f"the weight file is a Git LFS pointer, not the weights: {file}",
            given=f"{size:,} bytes of text",
            expected="a safetensors file",
            fix="run `git lfs pull` in the model's repository",
        )
    if size < 8 or 8 + length > size:
        needed = 8 + length if size >= 8 and length <= _HEADER_LIMIT else 8
        raise _damaged(file, "truncated or not safetensors", size, f"at least {needed:,} bytes")
    tensors, end = _data_end(file, raw, size)
    if 8 + length + end != size:
        what = "truncated" if size < 8 + length + end else "damaged: bytes follow the last tensor"
        raise _damaged(file, what, size, f"{8 + length + end:,} bytes, by the file's own header")
    return tensors


def _data_end(file: Path, raw: bytes, size: int) -> tuple[int, int]:
    """How many tensors there are, and where the last one ends, in bytes after the header."""
    try:
        header = json.loads(raw)
        ends = [0]
        for tensor, fact in header.items():
            if tensor != "__metadata__":
                begin, end = fact["data_offsets"]
                if not (isinstance(begin, int) and isinstance(end, int) and 0 <= begin <= end):
                    raise ValueError(f"data_offsets of {tensor}: {fact['data_offsets']}")
                ends.append(end)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(file, f"damaged, its header cannot be read ({error})", size, "a safetensors file") from error
    return len(ends) - 1, max(ends)


def _check_depth(config: dict[str, Any], tensors: int, file: Path) -> None:
    """A layer has at least one tensor. A damaged number of layers would be built before anybody could compare it."""
    sections = [config, *(section for section in config.values() if isinstance(section, dict))]
    for section in sections:
        for key in _DEPTHS & section.keys():
            depths = section[key] if isinstance(section[key], list) else [section[key]]
            layers = sum(depth for depth in depths if isinstance(depth, int))
            if layers > tensors:
                raise ModelError(
                    f"config.json and the weights do not belong together: {file}",
                    given=f"{key}: {section[key]} in config.json, {tensors:,} tensors in the weight files",
                    expected="no more layers than tensors",
                    fix="copy or download the model again",
                )


def _damaged(file: Path, what: str, size: int, expected: str) -> ModelError:
    return ModelError(
        f"the weight file is {what}: {file}", given=f"{size:,} bytes", expected=expected, fix=_SAFETENSORS_FIX
    )


def _weight_files(folder: Path, stem: str, name: str, *, from_hub: bool) -> list[Path]:
    single, index = folder / f"{stem}.safetensors", folder / f"{stem}.safetensors.index.json"
    if single.is_file():
        return [single]
    if index.is_file():
        return _shards(folder, index)
    _refuse_if_only_pickle(folder, name)
    raise ModelError(
        f"no safetensors weights for {name}: {folder}",
        given="no *.safetensors file in the hub repository" if from_hub else _listing(folder),
        expected=f"{stem}.safetensors, or {index.name} with its shards",
        fix="choose a model with safetensors weights; pickle weights (*.bin, *.pt) are never fetched or loaded"
        if from_hub
        else "name the folder that holds the weights",
    )


def _shards(folder: Path, index: Path) -> list[Path]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise ModelError(
            f"the index of the weight files has no weight_map: {index}",
            expected="an object that gives each tensor's file",
            fix="copy or download the file again",
        )
    names = sorted(set(places.values()))
    outside = [shard for shard in names if Path(shard).name != shard or not shard.endswith(".safetensors")]
    if outside:
        raise ModelError(
            f"the index of the weight files names something that is no safetensors file of this folder: {index}",
            given=", ".join(outside[:3]),
            expected="names of *.safetensors files beside the index",
            fix="do not use this model: such an index reads files from elsewhere",
        )
    missing = [shard for shard in names if not (folder / shard).is_file()]
    if missing:
        raise ModelError(
            f"{len(missing)} of {len(names)} weight files are missing: {folder}",
            given="missing: " + ", ".join(missing[:5]) + (" …" if len(missing) > 5 else ""),
            expected=f"every file that {index.name} names",
            fix="copy or download the missing files",
        )
    return [folder / shard for shard in names]


def refuse_pickle_file(file: Path) -> None:
    """Raise for a single weight file given instead of a folder, where that is a pickle."""
    if file.suffix in _PICKLE_SUFFIXES:
        raise _pickle_error(str(file), [file.name])


def _refuse_if_only_pickle(folder: Path, name: str) -> None:
    """Raise where the weights are there, but as pickle alone."""
    pickles = sorted(
        path.name
        for path in _entries(folder)
        if path.suffix in _PICKLE_SUFFIXES and path.name not in _NOT_WEIGHTS and not path.name.startswith("rng_state")
    )
    if pickles:
        raise _pickle_error(name, pickles)


def _pickle_error(name: str, files: Sequence[str]) -> ModelError:
    return ModelError(
        f"the weights of {name} are pickle files, which are never loaded: a pickle can run any code",
        given=", ".join(files[:5]),
        expected="model.safetensors, which holds numbers and nothing else",
        fix=(
            "take a safetensors version of the model (most hub models have one),",
            "or convert it where running it can do no harm, e.g. in a container without network:",
            "AutoModel….from_pretrained(FOLDER, weights_only=True).save_pretrained(NEW_FOLDER)",
        ),
    )


def _refuse_remote_code(config: dict[str, Any], name: str) -> None:
    """Raise for a model that only its own Python files can run.

    A config that names files of its own *and* an architecture that transformers has is loaded with transformers' class;
    the model's files are not run, so there is nothing to refuse.
    """
    if not config.get("auto_map") or _is_of_transformers(config):
        return
    raise ModelError(
        f"{name} brings Python code of its own, which is not run unless you ask for it",
        given=f"auto_map in config.json: {', '.join(sorted(map(str, config['auto_map'])))}",
        expected=f"an architecture that transformers has; {config.get('model_type')!r} is none",
        fix=(
            "choose another model; or, if you have read the code and trust it, say so in the recipe:",
            f"model: {{name: {name}, trust_remote_code: true}}",
        ),
    )


def _is_of_transformers(config: dict[str, Any]) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return config.get("model_type") in CONFIG_MAPPING_NAMES


def _reads_text(config: dict[str, Any], folder: Path) -> bool:
    if "vocab_size" in config:
        return True
    if config.get("model_type") and not config.get("auto_map") and not _is_of_transformers(config):
        return False  # a registered architecture: it reads text only where it counts a vocabulary
    return not ((_IMAGE_KEYS | _TABLE_KEYS) & config.keys()) and not (folder / "preprocessor_config.json").is_file()


def _has_tokenizer(folder: Path) -> bool:
    return any(all((folder / file).is_file() for file in files) for files in _TOKENIZERS)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise ModelError(
            f"the model folder cannot be read: {folder}", given=str(error), fix="check the folder's permissions"
        ) from error


def _listing(folder: Path) -> str:
    names = [path.name + ("/" if path.is_dir() else "") for path in _entries(folder)]
    if not names:
        return "an empty folder"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
