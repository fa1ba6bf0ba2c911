# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Products of any number of rows, in every way weights are stored: right, and the same bits alone as in company."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tunesmith.engine.jit.attention import exp
from tunesmith.engine.jit.products import multiply

STORED = {
    "fp32": lambda weight: (weight.numpy(), weight),
    "bf16": lambda weight: (weight.bfloat16().view(torch.uint16).numpy(), weight.bfloat16()),
    "fp16": lambda weight: (weight.half().view(torch.int16).numpy(), weight.half()),
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (7, 5), (32, 8), (48, 30), (321, 41)])
def test_a_row_is_the_same_whatever_lies_beside_it(stored: str, inputs: int, outputs: int) -> None:
    random = torch.Generator().manual_seed(inputs)
    held, exact = STORED[stored](torch.randn(outputs, inputs, generator=random))
    x = torch.randn(11, inputs, generator=random).numpy()
    together = np.full((11, outputs), np.nan, np.float32)
    multiply(x, held, 0, outputs, 0, together)
    expected = torch.from_numpy(x).double() @ exact.double().T
    assert np.allclose(together, expected.numpy(), atol=1e-5 * float(expected.abs().max()) + 1e-6)
    for start, count in ((0, 1), (3, 2), (1, 3), (2, 4), (5, 6)):
        some = np.empty((count, outputs), np.float32)
        multiply(x[start : start + count], held, 0, outputs, 0, some)
        assert np.array_equal(some, together[start : start + count])


def test_only_the_outputs_that_are_asked_for() -> None:
    made = np.full((5, 40), 7, np.float32)
    multiply(np.ones((5, 6), np.float32), np.ones((40, 6), np.float32), 8, 21, 0, made)
    assert np.array_equal(np.unique(made[:, 8:21]), [6])
    assert np.array_equal(np.unique(np.delete(made, np.s_[8:21], 1)), [7])


def test_halves_of_every_kind_are_read_exactly() -> None:
    bits = np.arange(-(2**15), 2**15, dtype=np.int64).astype(np.int16)
    halves = bits.view(np.float16)
    finite = np.isfinite(halves)
    held = bits[finite].reshape(-1, 1)
    made = np.empty((1, len(held)), np.float32)
    multiply(np.ones((1, 1), np.float32), held, 0, len(held), 0, made)
    assert np.array_equal(made[0], halves[finite].astype(np.float32))


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 0.3465, -0.3466, 5.5, -20.0, -86.9, 87.9])
def test_exp(value: float) -> None:
    function: Any = exp
    assert function(np.float32(value)) == pytest.approx(float(np.exp(np.float32(value))), rel=6e-7)


def test_exp_of_the_far_ends() -> None:
    function: Any = exp
    assert function(np.float32(-1000)) == pytest.approx(0, abs=1e-37)
    assert function(np.float32(-np.inf)) == pytest.approx(0, abs=1e-37)
    assert np.isfinite(function(np.float32(1000)))
