# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A form of weights of the tests' own: bf16 with each row turned around, and eight outputs behind a head."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from tunesmith.engine.jit.native import c_function, matrix, prefetch, to_float
from tunesmith.engine.packing import Packed

HEAD = 16


def _unpack(packed: int, target: int, ahead: int) -> None:
    inputs = matrix(packed, 1, 1, np.int64)[0, 0]
    prefetch(ahead, 64)
    for output in range(8):
        source = matrix(packed + HEAD + output * inputs * 2, 1, inputs, np.uint16)[0]
        made = matrix(target + output * inputs * 2, 1, inputs, np.uint16)[0]
        for k in range(inputs):
            made[k] = source[inputs - 1 - k]


def _multiply(packed: int, x: int, made: int, ahead: int) -> None:
    """Not the core's products: so that it can be seen who was asked."""
    inputs = matrix(packed, 1, 1, np.int64)[0, 0]
    row, results = matrix(x, 1, inputs, np.float32)[0], matrix(made, 1, 8, np.float32)[0]
    for output in range(8):
        source = matrix(packed + HEAD + output * inputs * 2, 1, inputs, np.uint16)[0]
        total = 0.0
        for k in range(inputs):
            total += row[k] * to_float(source[inputs - 1 - k])
        results[output] = total


@lru_cache
def functions() -> tuple[Any, Any]:
    return c_function(_unpack, 3), c_function(_multiply, 4)


class TurnedAround:
    """Takes layers with at most so many inputs.

    Args:
        most: inputs.
        multiply: with a function for one row.
        wrong: weights become others.
    """

    def __init__(self, most: int = 10_000, *, multiply: bool = False, wrong: bool = False) -> None:
        self.most, self.multiply, self.wrong = most, multiply, wrong
        self.taken: list[tuple[int, ...]] = []

    def pack(self, weight: torch.Tensor) -> Packed | None:
        outputs, inputs = weight.shape
        if inputs > self.most or not torch.equal(weight.bfloat16().to(weight.dtype), weight):
            return None
        self.taken.append((outputs, inputs))
        rows = torch.zeros(-(-outputs // 8) * 8, inputs, dtype=torch.bfloat16)
        rows[:outputs] = (-weight if self.wrong else weight).flip(1)
        blocks = rows.view(torch.uint8).reshape(-1, 16 * inputs)
        heads = torch.tensor([[inputs, 0]]).view(torch.uint8).expand(len(blocks), -1)
        data = torch.cat([heads, blocks], 1).flatten()
        unpack, multiply = functions()
        return Packed(data, (HEAD + 16 * inputs) // 8, unpack.address, multiply.address if self.multiply else 0)
