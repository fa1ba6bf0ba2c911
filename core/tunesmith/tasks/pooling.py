# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From the features of tokens to one vector a text, and how sentence-transformers writes down which way that goes.

A folder of sentence-transformers (https://sbert.net) names its steps in ``modules.json``: the model, a pooling layer
with a configuration of its own, perhaps a normalization. Folders of all its versions are read; what is written is the
form of version 2, which every later version opens.

Shapes: T texts, L length in tokens, H width of the features.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tunesmith.errors import ModelError
from tunesmith.tasks.state import state_text

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = [
    "MODULES_FILE",
    "PoolMode",
    "Pooling",
    "pooled",
    "pooling_of",
    "read_pooling",
    "reads_forward",
    "saved_pooling",
    "sentence_transformers_files",
]

MODULES_FILE = "modules.json"
PoolMode = Literal["mean", "cls", "last"]
_POOLING_FOLDER = "1_Pooling"
_MODES: dict[str, PoolMode] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
    "lasttoken": "last",
}
_OLD_KEYS = (
    "pooling_mode_cls_token",
    "pooling_mode_mean_tokens",
    "pooling_mode_max_tokens",
    "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens",
    "pooling_mode_lasttoken",
)


@dataclass(frozen=True, slots=True)
class Pooling:
    """How a model's vectors are made.

    Attributes:
        mode: ``mean`` of the tokens, the first token (``cls``), or the ``last``.
        max_length: longest input the vectors were trained for, in tokens; ``None`` where it is not said.
        prompts: names of texts that the model's makers put in front of inputs; empty where there are none.
    """

    mode: PoolMode
    max_length: int | None = None
    prompts: tuple[str, ...] = ()


def pooled(model: nn.Module, ids: torch.Tensor, mask: torch.Tensor | None, mode: PoolMode) -> torch.Tensor:
    """Vectors of length 1, float32 (T, H).

    Args:
        model: gives ``last_hidden_state``.
        ids: int64 (T, L), padded on the right.
        mask: int64 (T, L), 1 where there is a token; ``None``: everywhere.
    """
    import torch
    from torch.nn import functional

    from tunesmith.tasks.supervised import plain_model

    options: dict[str, Any] = {} if mask is None else {"attention_mask": mask}
    if _takes_cache(type(plain_model(model)).forward):
        options["use_cache"] = False
    hidden: torch.Tensor = model(input_ids=ids, **options).last_hidden_state.float()
    if mode == "cls":
        vectors = hidden[:, 0]
    elif mode == "last":
        ends = torch.full((len(ids),), ids.shape[1] - 1, device=ids.device) if mask is None else mask.sum(1) - 1
        vectors = hidden[torch.arange(len(ids), device=ids.device), ends]
    elif mask is None:
        vectors = hidden.mean(1)
    else:
        weights = mask.to(hidden.dtype).unsqueeze(-1)
        vectors = (hidden * weights).sum(1) / weights.sum(1)
    return functional.normalize(vectors, dim=-1)


def read_pooling(folder: Path) -> Pooling | None:
    """What ``modules.json`` of a folder says; ``None`` where there is none.

    Raises:
        ModelError: a step or a way of pooling that is not known here, or files that cannot be read.
    """
    if not (folder / MODULES_FILE).is_file():
        return None
    modules = _json(folder / MODULES_FILE)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise _unusable(folder / MODULES_FILE, repr(modules)[:100], "a list of modules")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        raise _unusable(folder / MODULES_FILE, ", ".join(kinds), "Transformer, Pooling, and perhaps Normalize")
    file = folder / str(modules[1].get("path") or _POOLING_FOLDER) / "config.json"
    return Pooling(_mode(file), _max_length(folder), _prompts(folder))


def saved_pooling(state: Mapping[str, Any]) -> Pooling:
    """What a task's state says.

    Raises:
        ModelError: a way of pooling that is not known here.
    """
    mode = state_text(state, "pooling")
    known: dict[str, PoolMode] = {"mean": "mean", "cls": "cls", "last": "last"}
    if mode not in known:
        raise ModelError(
            "rendering.json: 'pooling' cannot be used",
            given=repr(mode),
            expected=f"one of {', '.join(known)}",
            fix="save the model again; rendering.json is written with it and should not be edited",
        )
    return Pooling(known[mode])


def pooling_of(source: ModelSource) -> Pooling | None:
    """What the model's folder, or that of the model under an adapter, says."""
    while source.base is not None:
        source = source.base
    return None if source.folder is None else read_pooling(source.folder)


def reads_forward(config: Any) -> bool:
    """A decoder: what a token says of the text before it is complete only at the last."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = type(config)
    both: Any = (AutoModelForCausalLM, AutoModelForMaskedLM)
    return kind in both[0]._model_mapping and kind not in both[1]._model_mapping


def sentence_transformers_files(mode: PoolMode, *, width: int, max_length: int) -> dict[str, bytes]:
    """What makes a saved model a folder that sentence-transformers opens, by relative path.

    Args:
        width: H.
        max_length: longest input, tokens.
    """
    steps = (("", "Transformer"), (_POOLING_FOLDER, "Pooling"), ("2_Normalize", "Normalize"))
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(steps)
    ]
    chosen = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken"}
    pooling = {"word_embedding_dimension": width, **{key: key == chosen[mode] for key in _OLD_KEYS}}
    contents: dict[str, Any] = {
        MODULES_FILE: modules,
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
        f"{_POOLING_FOLDER}/config.json": pooling,
        "2_Normalize/config.json": {},
    }
    return {name: (json.dumps(content, indent=2) + "\n").encode() for name, content in contents.items()}


def _mode(file: Path) -> PoolMode:
    config = _json(file)
    if not isinstance(config, dict):
        raise _unusable(file, repr(config)[:100], "an object")
    if isinstance(config.get("pooling_mode"), str):
        named = [config["pooling_mode"]]
    else:
        named = [
            key.removeprefix("pooling_mode_") for key, value in config.items() if _is_choice(key) and value is True
        ]
    if len(named) != 1 or named[0] not in _MODES:
        raise _unusable(
            file, f"pooling {' and '.join(named) or 'not named'}", f"one of {', '.join(get_args(PoolMode))}"
        )
    return _MODES[named[0]]


def _is_choice(key: str) -> bool:
    return key.startswith("pooling_mode_")


def _max_length(folder: Path) -> int | None:
    file = folder / "sentence_bert_config.json"
    value = _json(file).get("max_seq_length") if file.is_file() else None
    if value is not None and (type(value) is not int or value < 1):
        raise _unusable(file, f"max_seq_length {value!r}", "a whole number above 0")
    return value


def _prompts(folder: Path) -> tuple[str, ...]:
    file = folder / "config_sentence_transformers.json"
    prompts = _json(file).get("prompts") if file.is_file() else None
    return tuple(name for name, text in prompts.items() if text) if isinstance(prompts, dict) else ()


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(file, str(error), "a file of sentence-transformers, in JSON") from error


def _unusable(file: Path, given: str, expected: str) -> ModelError:
    return ModelError(
        f"the way this model makes vectors is not known here: {file}",
        given=given,
        expected=expected,
        fix=("choose another embedding model,", "or remove modules.json to pool as the architecture is usually pooled"),
    )


@lru_cache(maxsize=64)
def _takes_cache(forward: Callable[..., Any]) -> bool:
    return "use_cache" in inspect.signature(forward).parameters
