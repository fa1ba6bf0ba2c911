# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which texts of a step are negatives of which anchor, by keys that stand for texts.

Shapes: R rows of a step, C candidates of a step (every row's positive and its negatives, in the rows' order).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tunesmith.tasks.base import Batch

__all__ = ["NO_TEXT", "step_targets", "text_key"]

NO_TEXT = 0
"""Key of no text."""


def text_key(text: str) -> int:
    """A number that stands for a text; never the one that stands for none."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True) or 1


def step_targets(
    batches: Sequence[Batch],
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Place of every row's positive among all candidates, (R,), and which candidates are no negatives of it, (R, C).

    No negative of an anchor is: a copy of its positive, another positive of the same anchor, and the anchor itself.

    Args:
        batches: the parts of a step, with ``extra["keys"]``, int64 (R, 1 + most candidates of a row): anchor, positive,
            negatives, ``NO_TEXT`` behind them; and ``extra["counts"]``, int64 (R,): candidates of a row.
    """
    positives, anchor_keys, positive_keys, candidate_keys, owners = [], [], [], [], []
    offset = 0
    for batch in batches:
        counts, keys = batch.extra["counts"], batch.extra["keys"]
        positives.append(offset + counts.cumsum() - counts)
        offset += int(counts.sum())
        anchor_keys.append(keys[:, 0])
        positive_keys.append(keys[:, 1])
        candidate_keys += [row[1 : count + 1] for row, count in zip(keys, counts.tolist(), strict=True)]
        # Of a positive, the anchor it belongs to; a negative belongs to nobody.
        owners += [[row[0], *[NO_TEXT] * (count - 1)] for row, count in zip(keys, counts.tolist(), strict=True)]
    places = np.concatenate(positives)
    texts, owner = np.concatenate(candidate_keys), np.concatenate([np.asarray(row, np.int64) for row in owners])
    anchors, own = np.concatenate(anchor_keys)[:, None], np.concatenate(positive_keys)[:, None]
    masked = (texts == own) | (owner == anchors) | (texts == anchors)
    masked[np.arange(len(places)), places] = False
    return places, masked
