# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who may write checkpoints beside the job: asked once, before it begins. In reach of every start of the program."""

from __future__ import annotations

from typing import Final

from tunesmith.errors import DeniedError
from tunesmith.plugin import Action, Allow, Deny

__all__ = ["CODE", "STRATEGIES", "authorize", "refuse_without_grant"]

CODE: Final = "async-checkpoints"
STRATEGIES: Final = ("overlapped", "enterprise/overlapped")

_allowed = False
"""The gate said yes to the job that this process is about to begin."""


def authorize(action: Action) -> Allow | Deny | None:
    """Ask the license for a job's strategy; a run that is resumed brings the grant of its start."""
    global _allowed
    if action.name != "train":
        return None
    recipe = action.details.get("recipe") or {}
    _allowed = False
    if (recipe.get("train") or {}).get("strategy") not in STRATEGIES:
        return None
    from tunesmith_enterprise.optimizations.asking import ask

    answer = ask(action, CODE)
    _allowed = not isinstance(answer, Deny)
    return answer


def refuse_without_grant() -> None:
    """Before the strategy is made.

    Raises:
        DeniedError: nobody has asked.
    """
    if not _allowed:
        raise DeniedError(
            "nobody has asked the license for checkpoints that are written beside the job",
            given="train.strategy: overlapped",
            expected="the gate of the enterprise package, before the job begins",
            fix="see `tunesmith plugins list`: the plugin enterprise must be in use",
        )
