# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Everything random in a job: seeded once, saved in checkpoints, and given back to the caller as it was.

The core draws from PyTorch's global generator alone. A plugin's task may draw from NumPy's or Python's global one, for
example to change images as it collates them; those are part of the promise as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["own_random_state", "random_tensors", "restore_random", "seed_all"]


def seed_all(seed: int) -> None:
    """Seed PyTorch (all devices), NumPy and Python.

    Args:
        seed: at least 0, less than 2**32.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


@contextmanager
def own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """While it lasts, everything random follows from ``seed``; then it is as the caller left it."""
    outside = random_tensors(device)
    try:
        seed_all(seed)
        yield
    finally:
        restore_random(outside)


def random_tensors(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of every generator, as tensors that ``safetensors`` holds exactly.

    Returns:
        ``cpu`` uint8, ``numpy`` int64 (626,) and ``numpy.normal`` float64 (1,), ``python`` int64 (626,) and
        ``python.normal`` float64 (1,); on a GPU also ``cuda`` uint8.
    """
    numpy: Any = np.random.get_state(legacy=False)
    _, words, gauss = random.getstate()
    tensors = {
        "cpu": torch.get_rng_state(),
        "numpy": torch.tensor(
            [*numpy["state"]["key"].tolist(), numpy["state"]["pos"], numpy["has_gauss"]], dtype=torch.int64
        ),
        "numpy.normal": torch.tensor([numpy["gauss"]], dtype=torch.float64),
        "python": torch.tensor([*words, gauss is not None], dtype=torch.int64),
        "python.normal": torch.tensor([gauss or 0.0], dtype=torch.float64),
    }
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def restore_random(tensors: Mapping[str, torch.Tensor]) -> None:
    """The counterpart of :func:`random_tensors`."""
    torch.set_rng_state(tensors["cpu"])
    *keys, position, has_normal = tensors["numpy"].tolist()
    state = ("MT19937", np.array(keys, dtype=np.uint32), position, has_normal, tensors["numpy.normal"].item())
    np.random.set_state(state)
    *words, has_gauss = tensors["python"].tolist()
    random.setstate((3, tuple(words), tensors["python.normal"].item() if has_gauss else None))
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
