# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention of the new tokens of one sequence to all that came before, for the query heads of one key-value head.

Each token is computed by itself, in the same order whoever came with it, so that a prompt read in parts, or found in
the cache, is the same to the last bit as one read at once.

Shapes: N tokens of a step, H query heads, G key-value heads, D head width, C tokens that a slot holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tunesmith.engine.jit.native import compiled, to_float

__all__ = ["attend", "exp", "normalize", "turn"]


@compiled
def exp(value: Any) -> Any:
    """e to the power of a float32, to one part in two million; at least e^-87 and at most e^88.

    Only arithmetic, so that loops over it use whole vectors: 2^n by the exponent's bits, and the series of 2^f on
    [-0.5, 0.5] to the sixth power.
    """
    power = min(max(value, np.float32(-87)), np.float32(88)) * np.float32(1.44269504)
    whole = np.floor(power + np.float32(0.5))
    f = (power - whole) * np.float32(0.69314718)
    series = np.float32(1 / 720)
    series = series * f + np.float32(1 / 120)
    series = series * f + np.float32(1 / 24)
    series = series * f + np.float32(1 / 6)
    series = series * f + np.float32(0.5)
    series = series * f + np.float32(1)
    series = series * f + np.float32(1)
    return series * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def normalize(row: Any, weight: Any, epsilon: np.float32, made: Any) -> None:
    """RMSNorm (arXiv:1910.07467) of one row of float32 into another, which may be the same."""
    width = row.shape[0]
    total = np.float32(0)
    for k in range(width):
        total += row[k] * row[k]
    scale = np.float32(1) / np.sqrt(total / np.float32(width) + epsilon)
    for k in range(width):
        made[k] = row[k] * scale * weight[k]


@compiled
def turn(head: Any, norm: Any, cos: Any, sin: Any, epsilon: np.float32) -> None:
    """Normalize a head, where the model does, and turn it by its place, in place.

    Args:
        head: float32 (D,).
        norm: float32 (D,) weights of its norm; empty: none.
        cos: float32 (D,) of the place.
        sin: likewise, the first half with its sign changed.
        epsilon: of the norm.
    """
    half = head.shape[0] // 2
    if norm.shape[0]:
        normalize(head, norm, epsilon, head)
    for d in range(half):
        low, high = head[d], head[d + half]
        head[d] = low * cos[d] + high * sin[d]
        head[d + half] = high * cos[d + half] + low * sin[d + half]


@compiled
def attend(query: Any, keys: Any, values: Any, length: int, scores: Any, mixed: Any) -> None:
    """Mix the values of the first ``length`` tokens by the likeness of their keys to a query.

    Args:
        query: float32 (D,).
        keys: (C, D), float32 or the bits of fp16.
        values: likewise.
        length: tokens that are looked at, at least 1.
        scores: float32 (C,), to compute in.
        mixed: float32 (D,), the result.
    """
    width = query.shape[0]
    rate = np.float32(1) / np.sqrt(np.float32(width))
    most = np.float32(-np.inf)
    for place in range(length):
        score = np.float32(0)
        for d in range(width):
            score += query[d] * to_float(keys[place, d])
        scores[place] = score * rate
        most = max(most, scores[place])
    total = np.float32(0)
    for place in range(length):
        scores[place] = exp(scores[place] - most)
        total += scores[place]
    for d in range(width):
        mixed[d] = np.float32(0)
    for place in range(length):
        weight = scores[place]
        for d in range(width):
            mixed[d] += weight * to_float(values[place, d])
    share = np.float32(1) / total
    for d in range(width):
        mixed[d] *= share
