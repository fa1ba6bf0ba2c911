# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Weights that no checkpoint holds: where they start from, and which they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["new_parameters", "seeded"]


def new_parameters(model: Any) -> frozenset[str]:
    """Names of the parameters that ``load_weights`` initialized because the checkpoint does not hold them."""
    return frozenset(getattr(model, "_tunesmith_new", ()))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's generator of the CPU starts from ``seed`` inside the block and is as before afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
