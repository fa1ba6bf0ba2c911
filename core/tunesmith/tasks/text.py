# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the tasks on text share: binding a tokenizer, padding, checking that the two halves fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["bind_tokenizer", "check_vocabulary", "pad_right", "padding_token", "token_ids"]


def bind_tokenizer(source: ModelSource, texts: Callable[[], list[str]]) -> tuple[Any, ModelSource]:
    """The tokenizer of a model, and the source to load the weights from.

    From scratch, the tokenizer is learned from ``texts()`` first and the source gets the vocabulary it turned
    out to have; otherwise ``texts`` is not called.
    """
    from tunesmith import models

    if source.scratch is None:
        return models.load_tokenizer(source), source
    tokenizer = models.train_tokenizer(source.scratch, texts())
    options = dataclasses.replace(source.scratch, vocabulary=len(tokenizer))
    return tokenizer, dataclasses.replace(source, scratch=options)


def check_vocabulary(model: nn.Module, tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that makes tokens the model has no embedding for.

    Raises:
        ModelError: the two do not belong together.
    """
    rows = int(model.get_input_embeddings().num_embeddings)  # type: ignore[operator]
    if len(tokenizer) > rows:
        raise ModelError(
            f"the tokenizer of {name!r} does not fit its weights",
            given=f"{len(tokenizer):,} tokens in the tokenizer, {rows:,} embeddings in the model",
            expected="at least as many embeddings as tokens",
            fix="use the tokenizer files that were published with these weights",
        )


def padding_token(tokenizer: Any, config: Any) -> int:
    """The token to pad with: the tokenizer's, the model's, else an end or unknown token, else 0."""
    ids = (tokenizer.pad_token_id, config.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    return next((int(token) for token in ids if isinstance(token, int) and token >= 0), 0)


def token_ids(tokenizer: Any, text: str, *, special: bool, max_length: int | None = None) -> list[int]:
    """Tokens of a text.

    Args:
        special: with the tokens the tokenizer puts around every text, such as ``[CLS]``.
        max_length: cut to this many, those around the text included.
    """
    encoding = tokenizer(
        text,
        add_special_tokens=special,
        truncation=max_length is not None,
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    ids: list[int] = encoding["input_ids"]
    return ids


def pad_right(rows: Sequence[np.ndarray[Any, Any]], value: int) -> torch.Tensor:
    """Stack rows of unequal length, int64 (R, L), with ``value`` behind the shorter ones."""
    import torch

    stacked = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for index, row in enumerate(rows):
        stacked[index, : len(row)] = row
    return torch.from_numpy(stacked)
