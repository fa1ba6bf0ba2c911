# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Encoded items through a model, in batches of like length, answers back in the items' order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from tunesmith.data.batches import batch_order
from tunesmith.machine.precision import autocast
from tunesmith.models.methods import evaluation_mode
from tunesmith.tasks.base import Batch, Encoded, Task
from tunesmith.tasks.encoded import item_lengths

__all__ = ["TOKENS_PER_BATCH", "run_items"]

TOKENS_PER_BATCH = 4096
"""Default budget of a batch. No gradients are kept, so batches may be larger than in training."""


def run_items(
    model: nn.Module,
    task: Task[Any, Any],
    items: Sequence[Encoded],
    *,
    device: torch.device,
    precision: str = "fp32",
    tokens_per_batch: int | None = None,
    rows_per_batch: int | None = None,
    collate: Callable[[Sequence[Encoded]], Batch] | None = None,
) -> list[Any]:
    """``task.outputs`` over all items; the i-th output belongs to ``items[i]``.

    The model is put into evaluation mode, and every module of it back into its own mode; no gradient is recorded.

    Args:
        device: where the model is.
        precision: ``fp32`` (the model as it is) or ``bf16`` (autocast).
        tokens_per_batch: budget of a batch, padding included. Default: the task's rows, else 4096 tokens.
        rows_per_batch: rows of a batch instead.
        collate: makes a batch of items. Default: ``task.collate``.
    """
    if tokens_per_batch is None and rows_per_batch is None:
        rows_per_batch = task.default_rows_per_batch
        tokens_per_batch = None if rows_per_batch else TOKENS_PER_BATCH
    outputs: list[Any] = [None] * len(items)
    lengths = item_lengths(items)
    with evaluation_mode(model):
        for batch in batch_order(lengths, tokens=tokens_per_batch, rows=rows_per_batch, seed=0, epoch=0, shuffle=False):
            chosen = [int(place) for place in batch]
            inputs = (collate or task.collate)([items[place] for place in chosen]).to(device)
            with torch.inference_mode(), autocast(precision, device):
                answers = task.outputs(model, inputs)
            for place, answer in zip(chosen, answers, strict=True):
                outputs[place] = answer
    return outputs
