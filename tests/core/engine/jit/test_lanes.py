# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Vectors of whole numbers: the processor's own instructions, and the same bits in registers of any width."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys

import numpy as np
import pytest

from tunesmith.engine.jit.quantized import ALIGNED, Activations, Weights, blocks, multiply_quantized, quantize

OTHER_WIDTH = """
import llvmlite.binding
import numba

numba.njit(lambda x: x)(1)  # from here on Numba knows the processor
features = llvmlite.binding.get_host_cpu_features
wide = not features().get("avx512bw")
llvmlite.binding.get_host_cpu_features = lambda: {"avx512bw": wide}
from tunesmith.engine.jit.lanes import LANES
llvmlite.binding.get_host_cpu_features = features
assert LANES == (32 if wide else 16)
import test_lanes
print(test_lanes.digest())
"""


def digest() -> str:
    """Of products of many sizes, some rows at once and alone."""
    random, found = np.random.default_rng(5), hashlib.sha256()
    for inputs, outputs in ((1, 1), (40, 9), (333, 24), (1100, 17)):
        x = random.standard_normal((7, inputs), np.float32)
        weights = np.zeros((outputs, inputs + -inputs % ALIGNED), np.int8)
        weights[:, :inputs] = random.integers(-127, 128, (outputs, inputs))
        rounded = Activations(
            np.zeros((7, weights.shape[1]), np.int16), np.zeros((7, blocks(inputs)), np.float32), inputs
        )
        quantize(x, rounded)
        made = np.zeros((7, outputs), np.float32)
        held = Weights(weights.ctypes.data, np.ones(outputs, np.float32))
        multiply_quantized(rounded, held, 0, outputs, 0, made)
        found.update(made.tobytes())
    return found.hexdigest()


def test_registers_of_another_width_give_the_same_bits(request: pytest.FixtureRequest) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OTHER_WIDTH], cwd=request.path.parent, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.strip() == digest()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="another processor's instructions")
def test_products_are_the_processors_own() -> None:
    digest()
    codes = multiply_quantized.inspect_asm().values()
    assert codes
    for code in codes:
        assert "pmaddwd" in code or "vpdpwssd" in code
        assert "pmulld" not in code
