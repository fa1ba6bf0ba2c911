# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Model times rows gives figures; figures give ``report.html`` and the model card.

Importing this package loads neither torch nor Jinja2; the names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.evaluate.card import write_card
    from tunesmith.evaluate.report import write_report
    from tunesmith.evaluate.samples import sample_texts
    from tunesmith.evaluate.scoring import Evaluation, evaluate, evaluate_items

__all__ = ["Evaluation", "evaluate", "evaluate_items", "sample_texts", "write_card", "write_report"]

_HOME = {
    "Evaluation": "tunesmith.evaluate.scoring",
    "evaluate": "tunesmith.evaluate.scoring",
    "evaluate_items": "tunesmith.evaluate.scoring",
    "sample_texts": "tunesmith.evaluate.samples",
    "write_card": "tunesmith.evaluate.card",
    "write_report": "tunesmith.evaluate.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tunesmith.evaluate' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
