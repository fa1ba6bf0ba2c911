# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the hooks do, in reach of every start of the program: nothing, unless the settings name a shared cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunesmith.errors import TunesmithError
from tunesmith.plugin import Action, Allow, Deny, MachineCode
from tunesmith_enterprise.settings import enterprise_settings

if TYPE_CHECKING:
    from tunesmith_enterprise.optimizations.compile_cache.sharing import Sharing

__all__ = ["CODE", "authorize", "machine_code"]

CODE: Final = "compile-cache"
KEY: Final = "compile_cache"

_sharing: Sharing | None = None
"""Of this process, once the license was asked."""


def authorize(action: Action) -> Allow | Deny | None:
    """Ask the license before code is shared: for a job that may compile, and once for the models a process opens.

    A run that is resumed brings the grant of its start.
    """
    global _sharing
    if not _compiles(action):
        return None
    try:
        if KEY not in enterprise_settings():
            _sharing = None
            return None
        from tunesmith_enterprise.optimizations.compile_cache.settings import wanted_cache
        from tunesmith_enterprise.optimizations.compile_cache.sharing import Sharing

        wanted = wanted_cache()
        if action.name == "open" and _sharing is not None and _sharing.wanted == wanted:
            return None
        sharing = Sharing(wanted)
    except TunesmithError as error:
        from tunesmith_enterprise.recorded import denied

        return denied(error)
    from tunesmith_enterprise.optimizations.asking import ask

    answer = ask(action, CODE)
    if isinstance(answer, Deny):
        return _with_its_cause(answer)
    _sharing = sharing
    return answer


def machine_code(event: MachineCode) -> None:
    """Bring what others have compiled, or give what was compiled here."""
    if _sharing is not None:
        _sharing.machine_code(event)


def _with_its_cause(no: Deny) -> Deny:
    """Whoever opens a model has asked for no optimization: the settings have."""
    fix = [no.fix] if isinstance(no.fix, str) else no.fix
    return Deny(
        reason=f"{no.reason}; the settings name a {KEY}",
        fix=[*fix, f"or take {KEY} out of [plugins.enterprise] of tunesmith.toml: code is then compiled here"],
    )


def _compiles(action: Action) -> bool:
    if action.name == "open":
        return True
    recipe = action.details.get("recipe") or {}
    return action.name == "train" and (recipe.get("train") or {}).get("compile", False) is not False
