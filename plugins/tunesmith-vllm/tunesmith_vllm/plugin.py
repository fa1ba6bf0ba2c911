# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hook. It returns a description only; vLLM is started by whoever opens such an engine."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import EngineSpec, hookimpl


@hookimpl
def tunesmith_engines() -> Iterable[EngineSpec]:
    """One engine."""
    return [
        EngineSpec(
            name="vllm",
            summary="A run or a model folder, by vLLM in a process of its own: vllm:RUN",
            target="tunesmith_vllm.engine:VllmEngine",
        )
    ]
