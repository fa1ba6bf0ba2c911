# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""For tests, ours and those of plugin authors: models small enough to train in a second.

Importing this package loads neither torch nor transformers; names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.testing.models import tiny_bert, tiny_image_model, tiny_llama

__all__ = ["tiny_bert", "tiny_image_model", "tiny_llama"]

_HOME = dict.fromkeys(__all__, "tunesmith.testing.models")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tunesmith.testing' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
