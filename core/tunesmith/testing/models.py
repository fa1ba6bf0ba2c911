# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Small random models, written as real model folders: config, safetensors, tokenizer. Each is under 200 KB."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tunesmith.models.find import BYTE_VOCABULARY
from tunesmith.models.load import load_weights
from tunesmith.models.save import save_model
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.models.tokenizers import train_tokenizer

__all__ = ["tiny_bert", "tiny_image_model", "tiny_llama", "tiny_t5"]


def tiny_llama(folder: str | Path, *, seed: int = 0, size: int = 30_000, context: int = 128) -> Path:
    """A decoder of about ``size`` parameters with a byte tokenizer and a chat template; returns ``folder``."""
    return _write_text_model(Path(folder), "llama", seed=seed, size=size, context=context)


def tiny_bert(folder: str | Path, *, seed: int = 0, size: int = 40_000, context: int = 128) -> Path:
    """An encoder without a head, as encoders come from the hub, with a byte tokenizer; returns ``folder``."""
    return _write_text_model(Path(folder), "bert", seed=seed, size=size, context=context)


def tiny_t5(folder: str | Path, *, seed: int = 0, size: int = 38_000, context: int = 128) -> Path:
    """An encoder-decoder of about ``size`` parameters with a byte tokenizer; returns ``folder``."""
    return _write_text_model(Path(folder), "t5", seed=seed, size=size, context=context)


def tiny_image_model(
    folder: str | Path,
    *,
    seed: int = 0,
    image_size: tuple[int, int] = (8, 8),
    channels: int = 1,
    labels: int = 3,
    architecture: Literal["cnn", "mlp"] = "mlp",
) -> Path:
    """An image classifier with ``labels`` classes; returns ``folder``."""
    source = _scratch(architecture, seed=seed)
    config: dict[str, Any] = {"image_size": image_size, "num_channels": channels, "num_labels": labels, "width": 8}
    save_model(load_weights(source, "image-classification", **config), folder)
    return Path(folder)


def _write_text_model(folder: Path, architecture: str, *, seed: int, size: int, context: int) -> Path:
    source = _scratch(architecture, seed=seed, size=size, context=context)
    assert source.scratch is not None
    tokenizer = train_tokenizer(source.scratch, ())
    if architecture == "bert":
        save_model(load_weights(source, "sequence-classification").base_model, folder, tokenizer)
    else:
        save_model(load_weights(source, "seq2seq-lm" if architecture == "t5" else "causal-lm"), folder, tokenizer)
    return folder


def _scratch(architecture: str, *, seed: int, size: int | None = None, context: int = 128) -> ModelSource:
    options = ScratchOptions(
        architecture=architecture,
        size=size,
        tokenizer="byte",
        vocabulary=BYTE_VOCABULARY,
        context=context,
        seed=seed,
    )
    return ModelSource(name=f"scratch:{architecture}", kind="scratch", scratch=options)
