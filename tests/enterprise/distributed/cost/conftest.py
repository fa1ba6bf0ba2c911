# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job to plan: a model of known size, and rows of known length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tunesmith.planning import Block, Growth, JobShape, Row

MakeJob = Callable[..., JobShape]


def a_job(**changes: Any) -> JobShape:
    """Llama 3.1 8B on rows of 8,192 tokens, two a step: its operations follow from its dimensions."""
    layers, width, middle, vocabulary, keys = 32, 4096, 14_336, 128_256, 1024
    block = 2 * width * width + 2 * width * keys + 3 * width * middle + 2 * width
    outside = 2 * vocabulary * width + width
    values = {
        "parameters": layers * block + outside,
        "moving": layers * block + outside,
        "weight_bytes": 4,
        "precision": "bf16",
        "blocks": (Block(block, block),) * layers,
        "width": width,
        "heads": (32, 8),
        "tensor_plan": True,
        "forward": Growth(0.0, 2.0 * layers * block, 4.0 * layers * width, 2.0 * vocabulary * width),
        "backward": Growth(0.0, 4.0 * layers * block, 8.0 * layers * width, 4.0 * vocabulary * width),
        "kept": Growth(5e8, 6.0 * layers * width, 0.0, 0.0),
        "largest": Growth(0.0, 2.0 * middle, 0.0, 0.0),
        "batches": ((Row(8192, 8192),) * 2,),
        "parts": 1,
        "total_steps": 100,
        "steps_in_epoch": 100,
        "elsewhere": 0,
        "room": None,
        "threads": 2,
        "measured": (),
        "recipe": {},
    }
    return JobShape(**{**values, **changes})


@pytest.fixture
def job() -> MakeJob:
    return a_job
