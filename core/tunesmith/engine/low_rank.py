# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""LoRA adapters beside one model: each request has its own, and one step serves them all (as S-LoRA, arXiv:2311.03285).

Shapes: I inputs and O outputs of a linear layer, r rank.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tunesmith.errors import ModelError

__all__ = ["Adapter", "LowRank", "read_adapter"]

_NAME = re.compile(r"(?:.*\.)?layers\.(\d+)\.(?:self_attn|mlp)\.(\w+_proj)\.lora_([AB])\.weight\Z")
_JOINED = {
    "q_proj": ("qkv", 0),
    "k_proj": ("qkv", 1),
    "v_proj": ("qkv", 2),
    "o_proj": ("out", 0),
    "gate_proj": ("gate_up", 0),
    "up_proj": ("gate_up", 1),
    "down_proj": ("down", 0),
}
"""Name of a linear layer -> the joined layer that computes it, and its place in it."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """What an adapter adds to some outputs of a joined layer.

    Attributes:
        down: (I, r).
        up: (r, O), the adapter's scale in it.
        start: the first output.
        end: behind the last.
    """

    down: torch.Tensor
    up: torch.Tensor
    start: int
    end: int


class Adapter:
    """Low-rank parts by the number and the name of the joined layer.

    Two of them are never equal: what one has cached is nothing to the other, even where they have one name.

    Attributes:
        parts: number of the layer and name of the joined linear layer -> what is added to it.
    """

    def __init__(self, parts: Mapping[tuple[int, str], list[LowRank]]) -> None:
        self.parts = parts

    def add(self, layer: int, name: str, hidden: torch.Tensor, rows: torch.Tensor, result: torch.Tensor) -> None:
        """Add what the adapter makes of its rows of ``hidden`` (N, I) to those of ``result`` (N, O), in place."""
        for part in self.parts.get((layer, name), ()):
            result[rows, part.start : part.end] += hidden[rows] @ part.down @ part.up


def read_adapter(
    folder: Path,
    layers: int,
    sizes: Mapping[str, tuple[int, tuple[int, ...]]],
    dtype: torch.dtype,
    device: torch.device,
) -> Adapter:
    """The adapter in a PEFT folder, for a model of these sizes.

    Args:
        folder: with ``adapter_config.json`` and ``adapter_model.safetensors``.
        layers: how many the model has.
        sizes: name of a joined layer -> its inputs, and the outputs of each of its parts.
        dtype: of the model.
        device: likewise.

    Raises:
        ModelError: it cannot be read, is no plain LoRA, or does not fit.
    """
    config = _config(folder)
    tensors = _tensors(folder)
    found: dict[tuple[int, str], dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        match = _NAME.match(name)
        if match is None or match[2] not in _JOINED:
            raise _cannot(folder, f"a weight called {name}", "LoRA of attention and of the gated layer only")
        found.setdefault((int(match[1]), match[2]), {})[match[3]] = tensor
    rank = int(config["r"])
    scale = float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)
    parts: dict[tuple[int, str], list[LowRank]] = {}
    for (layer, name), pair in sorted(found.items()):
        joined, place = _JOINED[name]
        inputs, outputs = sizes[joined]
        start, size = sum(outputs[:place]), outputs[place]
        expected = {"A": (rank, inputs), "B": (size, rank)}
        shapes = {side: tuple(tensor.shape) for side, tensor in sorted(pair.items())}
        if layer >= layers or shapes != expected:
            raise _cannot(
                folder, f"layer {layer}, {name}: {_words(shapes)}", f"{layers} layers from 0, with {_words(expected)}"
            )
        down = pair["A"].to(device, torch.float32).T.contiguous().to(dtype)
        up = (pair["B"].to(device, torch.float32).T * scale).contiguous().to(dtype)
        parts.setdefault((layer, joined), []).append(LowRank(down, up, start, start + size))
    return Adapter(parts)


def _words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return " and ".join(f"{side} of {' × '.join(map(str, shape))}" for side, shape in shapes.items())


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _cannot(folder, f"adapter_config.json: {error}", "a PEFT folder") from error
    plain = (
        config.get("peft_type") == "LORA"
        and not config.get("use_dora")
        and config.get("bias", "none") == "none"
        and not any(
            config.get(key) for key in ("modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication")
        )
    )
    if not plain:
        raise _cannot(
            folder, "another kind of adapter (DoRA, biases, saved modules or patterns)", "a plain LoRA adapter"
        )
    return config


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(folder / "adapter_model.safetensors")
    except (OSError, SafetensorError) as error:
        raise _cannot(folder, f"adapter_model.safetensors: {error}", "whole safetensors") from error
    return tensors


def _cannot(folder: Path, given: str, expected: str) -> ModelError:
    return ModelError(
        f"the adapter in {folder} cannot be used beside this model",
        given=given,
        expected=expected,
        fix="serve that run by itself, or merge it: tunesmith export RUN --to merged",
    )
