# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The batches of a step: which rows it sees, and what the task makes of them. A function of job and step alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunesmith.tasks.base import Batch
from tunesmith.training.prepare import Work

__all__ = ["collated_parts", "parts_of_step"]


def parts_of_step(work: Work, step: int) -> list[Batch]:
    """What this process computes in the 0-based step, in the parts it is computed in. On the host."""
    return collated_parts(work, work.strategy.share(work.feed.batch(step)), work.feed.epoch_of(step))


def collated_parts(work: Work, batch: NDArray[np.int64], epoch: int = 0) -> list[Batch]:
    """Training items, given by their places, as an epoch sees them, in the parts they are computed in."""
    items = work.seen_in(epoch)
    return [work.collate([items[int(place)] for place in part]) for part in work.feed.parts(batch)]
