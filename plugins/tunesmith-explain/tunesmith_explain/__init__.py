# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which words, pixels or columns an answer rests on: :func:`attribute`, ``tunesmith explain``, a part of the report."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith_explain.attributions import Attribution, Piece
    from tunesmith_explain.explaining import attribute

__version__ = "0.1.0"

__all__ = ["Attribution", "Piece", "attribute"]

_HOMES = {"Attribution": "attributions", "Piece": "attributions", "attribute": "explaining"}


def __getattr__(name: str) -> Any:
    # On first use: the host imports this package to list it, and must not wait for torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
