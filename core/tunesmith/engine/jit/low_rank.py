# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What LoRA adapters add to linear layers, each to the tokens that asked for it (arXiv:2106.09685).

An adapter's parts are found by address: int64 (adapters, L, 4, 3, 5), for each layer, each of its four linear layers
(``qkv``, ``out``, ``gate_up``, ``down``) and each part of it: the address of A (r, I), of B (r, O'), r, the first
output and the one behind the last; r is 0 where there is no such part.

Shapes: N tokens, I inputs, O' outputs of a part, r rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tunesmith.engine.jit.native import compiled, matrix

__all__ = ["PARTS", "add_low_rank", "lower"]

PARTS = 3


@compiled
def lower(read: Any, adapters: Any, table: Any, layer: int, place: int, low: Any) -> None:
    """Multiply the rows of ``read`` (N, I) by their adapters' A, into ``low`` (N, 3 r): one part beside the other."""
    for row in range(read.shape[0]):
        if adapters[row] >= 0:
            start = 0
            for part in range(PARTS):
                down, _, rank, _, _ = table[adapters[row], layer, place, part]
                if rank:
                    weights = matrix(down, rank, read.shape[1], np.float32)
                    for k in range(rank):
                        total = np.float32(0)
                        for column in range(read.shape[1]):
                            total += read[row, column] * weights[k, column]
                        low[row, start + k] = total
                    start += rank


@compiled
def add_low_rank(low: Any, adapters: Any, table: Any, layer: int, place: int, first: int, last: int, made: Any) -> None:
    """Add B of each row's adapter times its part of ``low`` to the outputs from ``first`` to ``last`` of ``made``."""
    for row in range(made.shape[0]):
        if adapters[row] >= 0:
            start = 0
            for part in range(PARTS):
                _, up, rank, begin, end = table[adapters[row], layer, place, part]
                if rank:
                    weights = matrix(up, rank, end - begin, np.float32)
                    for k in range(rank):
                        value = low[row, start + k]
                        for output in range(max(first, begin), min(last, end)):
                            made[row, output] += value * weights[k, output - begin]
                    start += rank
