# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Products of 8-bit weights: exact in whole numbers, right in float, and the same bits alone as in company."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tunesmith.engine.jit.quantized import ALIGNED, Activations, Weights, blocks, multiply_quantized, quantize

Array = NDArray[Any]
SIZES = [(1, 1), (7, 5), (32, 8), (48, 30), (321, 41), (512, 9), (513, 16), (1025, 8), (3072, 10)]


def rounded(x: Array) -> Activations:
    """Activations as whole numbers, written over garbage."""
    count, inputs = x.shape
    numbers = np.full((count, inputs + -inputs % ALIGNED), -999, np.int16)
    made = Activations(numbers, np.full((count, blocks(inputs)), np.nan, np.float32), inputs)
    quantize(x, made)
    return made


def product(x: Array, weights: Array, scales: Array | None = None) -> Array:
    activations = rounded(x)
    held = np.ascontiguousarray(np.pad(weights, ((0, 0), (0, -x.shape[1] % ALIGNED))))
    scales = np.ones(len(weights), np.float32) if scales is None else scales
    made = np.full((len(x), len(weights)), np.nan, np.float32)
    multiply_quantized(activations, Weights(held.ctypes.data, scales), 0, len(weights), 0, made)
    return made


def some(inputs: int, outputs: int, rows: int = 11) -> tuple[Array, Array]:
    random = np.random.default_rng(inputs)
    return (
        random.standard_normal((rows, inputs), np.float32),
        random.integers(-127, 128, (outputs, inputs)).astype(np.int8),
    )


@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_a_row_is_the_same_whatever_lies_beside_it(inputs: int, outputs: int) -> None:
    x, weights = some(inputs, outputs)
    together = product(x, weights)
    expected = x.astype(np.float64) @ weights.T.astype(np.float64)
    assert np.allclose(together, expected, atol=1e-3 * np.abs(expected).std() + 1e-3)
    for start, count in ((0, 1), (3, 2), (1, 3), (2, 4), (5, 6)):
        assert np.array_equal(product(x[start : start + count], weights), together[start : start + count])


@pytest.mark.parametrize(("inputs", "outputs"), SIZES)
def test_sums_are_those_of_whole_numbers(inputs: int, outputs: int) -> None:
    x, weights = some(inputs, outputs)
    numbers, scales, _ = rounded(x)
    assert not np.isnan(scales[:, 0]).any()
    assert not numbers[:, inputs:].any()
    length = -(-inputs // (blocks(inputs) * ALIGNED)) * ALIGNED
    exact = np.zeros((len(x), outputs))
    for block, start in enumerate(range(0, inputs, length)):
        part = numbers[:, start : min(start + length, inputs)].astype(np.int64)
        exact += (
            part @ weights[:, start : start + length].T.astype(np.int64) * scales[:, block, None].astype(np.float64)
        )
        assert np.allclose(
            part * scales[:, block, None], x[:, start : start + length], atol=0.51 * scales[:, block].max()
        )
    assert np.allclose(product(x, weights), exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


def test_each_output_has_a_scale_of_its_own() -> None:
    x, weights = some(96, 21)
    rates = np.geomspace(1e-3, 1e3, 21, dtype=np.float32)
    assert np.array_equal(product(x, weights, rates), product(x, weights) * rates)


def test_the_largest_sums_do_not_overflow() -> None:
    for sign in (1, -1):
        made = product(np.full((5, 2048), 3.0, np.float32), np.full((9, 2048), sign * 127, np.int8))
        assert np.allclose(made, sign * 3.0 * 127 * 2048)


def test_a_large_value_costs_its_own_block_only() -> None:
    x, weights = some(2048, 8, rows=1)
    weights[:, 1024:] = 0
    before = product(x, weights)
    x[0, 1500] = 1e6
    assert np.array_equal(product(x, weights), before)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_hidden(wrong: float) -> None:
    x, weights = some(64, 9, rows=6)
    clean = product(x, weights)
    x[2, 17] = wrong
    made = product(x, weights)
    assert not np.isfinite(made[2]).any()
    assert np.array_equal(np.delete(made, 2, 0), np.delete(clean, 2, 0))


@pytest.mark.parametrize("scale", [0.0, 1e-44, 1e-38, 1e30])
def test_very_small_and_very_large_activations(scale: float) -> None:
    x, weights = some(96, 8)
    x *= np.float32(scale)
    expected = x.astype(np.float64) @ weights.T.astype(np.float64)
    assert np.allclose(product(x, weights), expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max() + 1e-28)


def test_only_the_outputs_that_are_asked_for() -> None:
    weights, made = np.ones((40, 32), np.int8), np.full((5, 40), 7, np.float32)
    nowhere = 12345
    held = Weights(weights.ctypes.data, np.ones(40, np.float32))
    multiply_quantized(rounded(np.ones((5, 6), np.float32)), held, 8, 21, nowhere, made)
    assert np.allclose(made[:, 8:21], 6)
    assert np.array_equal(np.unique(np.delete(made, np.s_[8:21], 1)), [7])
