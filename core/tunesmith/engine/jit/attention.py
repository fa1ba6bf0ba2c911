# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention of the new tokens of one sequence to all that came before, for the query heads of one key-value head.

Each token's sums are taken in the same order whoever came with it, so that a prompt read in parts, or found in the
cache, is the same to the last bit as one read at once.

Shapes: N tokens, H query heads, G key-value heads, D head width, C tokens that a slot holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tunesmith.engine.jit.native import compiled, to_float
from tunesmith.engine.jit.products import multiply

__all__ = ["attend", "exp", "mix", "normalize", "turn"]


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
def attend(queries: Any, share: int, keys: Any, values: Any, length: int, scores: Any) -> None:
    """The likeness of keys to the queries of some tokens that follow one another, up to each token's own place.

    Args:
        queries: float32 (N · share, D), one token's behind the other's.
        share: H / G, the queries of a token.
        keys: (C, D), float32 or the bits of fp16.
        values: likewise; they are asked for while keys are looked at.
        length: tokens that the first of the tokens looks at, at least 1.
        scores: float32 (N · share or more, C), of which each row's are made probabilities.
    """
    count, width = queries.shape
    rate = np.float32(1) / np.sqrt(np.float32(width))
    # Whole groups of keys, so that a key is in the same place of a group whatever the length.
    end = min((length + count // share + 6) // 8 * 8, keys.shape[0])
    multiply(queries, keys, np.int64(0), end, np.int64(values.ctypes.data), scores)
    for row in range(count):
        _share_out(scores[row, : length + row // share], rate)


@compiled
def _share_out(scores: Any, rate: np.float32) -> None:
    """Softmax of scores times a rate, in place."""
    most = np.float32(-np.inf)
    for place in range(scores.shape[0]):
        most = max(most, scores[place])
    total = np.float32(0)
    for place in range(scores.shape[0]):
        scores[place] = exp((scores[place] - most) * rate)
        total += scores[place]
    part = np.float32(1) / total
    for place in range(scores.shape[0]):
        scores[place] *= part


@compiled
def mix(probabilities: Any, values: Any, mixed: Any) -> None:
    """The sum of values by their probabilities.

    Args:
        probabilities: float32, of the first so many values.
        values: (C, D), float32 or the bits of fp16.
        mixed: float32 (D,), the result.
    """
    length, width = probabilities.shape[0], mixed.shape[0]
    even = length // 4 * 4
    for d in range(width):
        mixed[d] = np.float32(0)
    for at in range(0, even, 4):
        p0, p1, p2, p3 = probabilities[at], probabilities[at + 1], probabilities[at + 2], probabilities[at + 3]
        for d in range(width):
            value = mixed[d] + p0 * to_float(values[at, d]) + p1 * to_float(values[at + 1, d])
            mixed[d] = value + p2 * to_float(values[at + 2, d]) + p3 * to_float(values[at + 3, d])
    for at in range(even, length):
        for d in range(width):
            mixed[d] += probabilities[at] * to_float(values[at, d])
