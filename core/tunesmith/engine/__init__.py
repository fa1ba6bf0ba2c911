# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answering: the ``Engine`` protocol, the native engine, and ``Model``, a trained model ready for use.

Importing this package loads neither torch nor transformers; the heavy names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names
from tunesmith.engine.requests import Engine, GenerateRequest, Sampling, Token

if TYPE_CHECKING:
    from tunesmith.engine.model import Model, load
    from tunesmith.engine.native import NativeEngine

__all__ = ["Engine", "GenerateRequest", "Model", "NativeEngine", "Sampling", "Token", "load"]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Model": "tunesmith.engine.model",
            "NativeEngine": "tunesmith.engine.native",
            "load": "tunesmith.engine.model",
        },
    )
