# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Write a model folder: complete or not at all, and the same bytes for the same weights."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunesmith.models.adapters import is_adapted
from tunesmith.models.quiet import quiet_libraries
from tunesmith.models.source import BASE_FILE
from tunesmith.runs import usual_permissions, writing

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedTokenizerBase

__all__ = ["save_model"]

_WEIGHT_FILE = re.compile(r"(adapter_)?model(-\d+-of-\d+)?\.safetensors(\.index\.json)?\Z")
_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_LAST = ("config.json", "adapter_config.json")
"""A folder is a model once it has one of these, so they are put in place last."""


def save_model(
    model: nn.Module,
    folder: str | Path,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32",
    state: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Save a model with its tokenizer as transformers and peft do: safetensors and JSON.

    Everything is written beside ``folder`` first and then moved, so that a process that dies leaves no half model.
    Other files in ``folder`` stay; weight files of an earlier model go.

    Args:
        model: a ``PreTrainedModel``, or a ``PeftModel``, of which only the adapter is saved. Not changed.
        folder: made if it is not there.
        tokenizer: its files are saved too.
        dtype: of the weights on disk.
        state: written in the place of ``model.state_dict()``, with its names, where the model is in several parts.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    target = Path(folder)
    with writing(target), _system_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"  # same disk: it can be renamed
        draft.mkdir()
        try:
            with quiet_libraries():
                whole = _as_dtype(dict(model.state_dict() if state is None else state), dtype)
                (_write_adapter if is_adapted(model) else _write_model)(model, draft, whole, dtype)
                if tokenizer is not None:
                    tokenizer.save_pretrained(draft)
            usual_permissions(draft)
            _to_disk(draft)
            _move(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _write_model(model: Any, draft: Path, state: dict[str, Any], dtype: str) -> None:
    model.save_pretrained(draft, state_dict=state)
    if dtype != "fp32":
        _edit_json(draft / "config.json", dtype=_DTYPES[dtype])


def _write_adapter(model: Any, draft: Path, state: dict[str, Any], dtype: str) -> None:
    # Without save_embedding_layers=False, peft asks the hub whether the base model's vocabulary was another.
    model.save_pretrained(draft, state_dict=state, save_embedding_layers=False)
    (draft / "README.md").unlink(missing_ok=True)  # peft's empty model card; the run writes a full one
    file = draft / "adapter_config.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    # peft keeps these as sets, whose order changes from process to process.
    lists = {key: values.get(key) for key in ("target_modules", "modules_to_save")}
    _edit_json(file, **{key: sorted(set(names)) for key, names in lists.items() if isinstance(names, list)})
    digest = getattr(model, "_tunesmith_digest", "")
    if digest:
        (draft / BASE_FILE).write_text(json.dumps({"digest": digest}, indent=2) + "\n", encoding="utf-8")


def _as_dtype(state: dict[str, Any], dtype: str) -> dict[str, Any]:
    """The state with floating point tensors converted; tensors that share memory still do."""
    import torch

    if dtype == "fp32":
        return state
    converted: dict[tuple[int, torch.Size], torch.Tensor] = {}
    result = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            result[name] = tensor
            continue
        key = (tensor.data_ptr(), tensor.shape)
        if key not in converted:
            converted[key] = tensor.to(getattr(torch, _DTYPES[dtype]))
        result[name] = converted[key]
    return result


def _edit_json(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    content.update(values)
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _to_disk(draft: Path) -> None:
    """Ask the system to write the files out now, so that what is moved survives a power cut."""
    for path in draft.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _move(draft: Path, target: Path) -> None:
    if not target.exists():
        os.replace(draft, target)
        return
    files = sorted(draft.iterdir(), key=lambda path: (path.name in _LAST, path.name))
    new = {path.name for path in files}
    for name in _LAST:
        (target / name).unlink(missing_ok=True)
    for old in target.iterdir():
        if _WEIGHT_FILE.match(old.name) and old.name not in new:
            old.unlink()
    for path in files:
        os.replace(path, target / path.name)


@contextmanager
def _system_errors() -> Iterator[None]:
    """safetensors reports what the system said as text of an error of its own; make it the system's error again."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
