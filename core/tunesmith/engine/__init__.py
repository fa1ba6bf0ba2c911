# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answering: the ``Engine`` protocol, the native engine, and ``Model``, a trained model ready for use.

Importing this package loads neither torch nor transformers; the heavy names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunesmith.engine.requests import Engine, GenerateRequest, Sampling, Token

if TYPE_CHECKING:
    from tunesmith.engine.model import Model, load
    from tunesmith.engine.native import NativeEngine

__all__ = ["Engine", "GenerateRequest", "Model", "NativeEngine", "Sampling", "Token", "load"]

_HOME = {
    "Model": "tunesmith.engine.model",
    "NativeEngine": "tunesmith.engine.native",
    "load": "tunesmith.engine.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tunesmith.engine' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
