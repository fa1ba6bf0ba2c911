# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a job will do, need and cost, told before it is started; nothing is trained and nothing written.

Importing this package loads neither torch nor transformers; names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.planning.facts import Plan
    from tunesmith.planning.planner import plan
    from tunesmith.planning.projection import Block, Growth, JobShape, Layout, Projection, Row, StepTime, Table

__all__ = ["Block", "Growth", "JobShape", "Layout", "Plan", "Projection", "Row", "StepTime", "Table", "plan"]

_PROJECTION = "tunesmith.planning.projection"

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Plan": "tunesmith.planning.facts",
            "plan": "tunesmith.planning.planner",
            **{name: _PROJECTION for name in __all__ if name not in ("Plan", "plan")},
        },
    )
