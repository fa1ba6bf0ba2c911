# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hook. It returns a description only; llama.cpp is loaded by whoever opens such an engine."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import EngineSpec, hookimpl


@hookimpl
def tunesmith_engines() -> Iterable[EngineSpec]:
    """One engine."""
    return [
        EngineSpec(
            name="llama-cpp",
            summary="A GGUF file, by llama.cpp in this process: llama-cpp:PATH",
            target="tunesmith_llama_cpp.engine:LlamaCppEngine",
        )
    ]
