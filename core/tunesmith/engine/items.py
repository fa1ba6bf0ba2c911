# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Encoded items through a model, in batches of like length, answers back in the items' order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tunesmith.data.batches import batch_order
from tunesmith.machine.precision import autocast
from tunesmith.models.methods import evaluation_mode
from tunesmith.tasks.base import Batch, Encoded, Task
from tunesmith.tasks.encoded import item_lengths

__all__ = ["TOKENS_PER_BATCH", "Divide", "run_items"]

Divide = Callable[[Sequence[NDArray[np.int64]], Callable[[NDArray[np.int64]], Sequence[Any]]], Sequence[Sequence[Any]]]
"""Of batches, and of what computes one: the answers to every batch, in their order. Processes may share the work."""

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
    divide: Divide | None = None,
) -> list[Any]:
    """``task.outputs`` over all items; the i-th output belongs to ``items[i]``.

    The model is put into evaluation mode, and every module of it back into its own mode; no gradient is recorded.

    Args:
        device: where the model is.
        precision: ``fp32`` (the model as it is) or ``bf16`` (autocast).
        tokens_per_batch: budget of a batch, padding included. Default: the task's rows, else 4096 tokens.
        rows_per_batch: rows of a batch instead.
        collate: makes a batch of items. Default: ``task.collate``.
        divide: who computes which batch. Default: all of them are computed here, one after another.
    """
    if tokens_per_batch is None and rows_per_batch is None:
        rows_per_batch = task.default_rows_per_batch
        tokens_per_batch = None if rows_per_batch else TOKENS_PER_BATCH
    outputs: list[Any] = [None] * len(items)
    lengths = item_lengths(items)
    # What a strategy gathers to compute with, it may go on training with: no tensor of inference mode can be.
    without_gradients = torch.inference_mode if divide is None else torch.no_grad

    def compute(batch: NDArray[np.int64]) -> Sequence[Any]:
        inputs = (collate or task.collate)([items[int(place)] for place in batch]).to(device)
        with without_gradients(), autocast(precision, device):
            return task.outputs(model, inputs)

    batches = batch_order(lengths, tokens=tokens_per_batch, rows=rows_per_batch, seed=0, epoch=0, shuffle=False)
    with evaluation_mode(model):
        found = map(compute, batches) if divide is None else divide(batches, compute)
        for batch, answers in zip(batches, found, strict=True):
            for place, answer in zip(batch, answers, strict=True):
                outputs[int(place)] = answer
    return outputs
