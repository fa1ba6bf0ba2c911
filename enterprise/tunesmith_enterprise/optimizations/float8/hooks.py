# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who may train in float8: asked once, before it begins. In reach of every start of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith.errors import DeniedError
from tunesmith.plugin import Action, Allow, Deny

__all__ = ["CODE", "STRATEGY", "authorize", "is_asked", "refuse_without_grant"]

CODE: Final = "float8-training"
STRATEGY: Final = "float8"
"""The one that always trains so; those of ``_TAKING`` do where ``plugins.enterprise.float8`` says it."""
_TAKING: Final = (STRATEGY, "overlapped", "ddp", "fsdp", "hsdp")

_allowed = False
"""The gate said yes to the job that this process is about to begin."""


def is_asked(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe, as plain data, asks for float8."""
    return _strategy(recipe) == STRATEGY or _settings(recipe) is not None


def authorize(action: Action) -> Allow | Deny | None:
    """Ask the license for a job in float8; a run that is resumed brings the grant of its start."""
    global _allowed
    if action.name != "train":
        return None
    recipe = action.details.get("recipe") or {}
    _allowed = False
    if not is_asked(recipe):
        return None
    if _strategy(recipe) not in _TAKING:
        return Deny(
            reason=f"plugins.enterprise.float8 says nothing to train.strategy: {_strategy(recipe)}; "
            f"it is for {', '.join(_TAKING)}",
            fix=[f"--set train.strategy={STRATEGY}", "or leave plugins.enterprise.float8 out"],
        )
    from tunesmith_enterprise.optimizations.asking import ask

    answer = ask(action, CODE)
    _allowed = not isinstance(answer, Deny)
    return answer


def refuse_without_grant(*, is_main: bool = True) -> None:
    """Before the layers are converted.

    Args:
        is_main: this process asks for its job. Others were told by it that they may begin.

    Raises:
        DeniedError: nobody has asked.
    """
    if is_main and not _allowed:
        raise DeniedError(
            "nobody has asked the license for training in float8",
            given="plugins.enterprise.float8, or train.strategy: float8",
            expected="the gate of the enterprise package, before the job begins",
            fix="see `tunesmith plugins list`: the plugin enterprise must be in use",
        )


def _strategy(recipe: Mapping[str, Any]) -> str:
    name = str((recipe.get("train") or {}).get("strategy") or "")
    return name.removeprefix("enterprise/")


def _settings(recipe: Mapping[str, Any]) -> Any:
    section = (recipe.get("plugins") or {}).get("enterprise")
    return section.get("float8") if isinstance(section, Mapping) else None
