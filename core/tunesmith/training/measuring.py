# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The held-out rows of a job, through the model while it trains: whoever divides them, scored as by one process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tunesmith.engine.items import run_items
from tunesmith.evaluate import Evaluation, evaluate_items
from tunesmith.training.prepare import Work

__all__ = ["measure_split", "split_outputs"]


def measure_split(work: Work, split: str) -> Evaluation:
    """Score a split; on the main process.

    Args:
        split: ``validation`` or ``test``.

    Raises:
        DataError: there is nothing to score.
    """
    return evaluate_items(
        work.model, work.task, work.items[split], getattr(work.splits, split), **_options(work, split)
    )


def split_outputs(work: Work, split: str) -> Sequence[Any]:
    """What the model says of a split, without scores: for the processes that help the main one in ``measure_split``."""
    return run_items(work.model, work.task, work.items[split], **_options(work, split))


def _options(work: Work, split: str) -> dict[str, Any]:
    section = work.recipe.train
    return {
        "device": work.strategy.device,
        "precision": section.precision,
        "tokens_per_batch": section.tokens_per_batch,
        "rows_per_batch": section.rows_per_batch,
        "collate": work.collate,
        "divide": partial(work.strategy.divide, split) if work.strategy.divides else None,
    }
