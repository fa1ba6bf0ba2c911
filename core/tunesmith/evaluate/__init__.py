# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Model times rows gives figures; figures give ``report.html`` and the model card.

Importing this package loads neither torch nor Jinja2; the names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.evaluate.card import write_card
    from tunesmith.evaluate.report import write_report
    from tunesmith.evaluate.report_sections import Finished, ReportSection
    from tunesmith.evaluate.samples import sample_texts
    from tunesmith.evaluate.scoring import Evaluation, evaluate, evaluate_items

__all__ = [
    "Evaluation",
    "Finished",
    "ReportSection",
    "evaluate",
    "evaluate_items",
    "sample_texts",
    "write_card",
    "write_report",
]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Evaluation": "tunesmith.evaluate.scoring",
            "Finished": "tunesmith.evaluate.report_sections",
            "ReportSection": "tunesmith.evaluate.report_sections",
            "evaluate": "tunesmith.evaluate.scoring",
            "evaluate_items": "tunesmith.evaluate.scoring",
            "sample_texts": "tunesmith.evaluate.samples",
            "write_card": "tunesmith.evaluate.card",
            "write_report": "tunesmith.evaluate.report",
        },
    )
