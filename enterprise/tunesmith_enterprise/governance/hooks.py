# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the hooks do, in reach of every start of the program: nothing, unless the settings ask for governance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith.errors import SettingsError
from tunesmith.plugin import Action, Allow, Deny, RequestEnding, RequestServed, RunFinished, RunStarted
from tunesmith_enterprise.governance.where import Asked, asked_for

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.governing import Governing

__all__ = ["authorize", "judge", "request_ending", "request_served", "run_finished", "run_started"]

_governing: Governing | None = None
"""Of this process, from its first action that is governed; a process that is forked off inherits what was granted."""


def judge(action: Action) -> Deny | None:
    """The policy's no, before any license is asked; None: there is no policy, or it has nothing against the action."""
    asked = _asked()
    if isinstance(asked, Deny):
        return asked
    return None if asked.policy is None else _of_this_process().judge(action, asked)


def authorize(action: Action) -> Allow | Deny | None:
    """Whether an action that the policy has nothing against may begin, with which record; None: nobody asks for it."""
    asked = _asked()
    if isinstance(asked, Deny):
        return asked
    if not any(asked):
        if _governing is not None:
            _governing.stop()
        return None
    return _of_this_process().authorize(action, asked)


def run_started(event: RunStarted) -> None:
    """Tell those who keep count, where there are any."""
    if _governing is not None:
        _governing.run_started(event)


def run_finished(event: RunFinished) -> None:
    """Tell those who keep count, where there are any."""
    if _governing is not None:
        _governing.run_finished(event)


def request_ending(event: RequestEnding) -> None:
    """Count it, where use is counted: the answer waits for this."""
    if _governing is not None:
        _governing.request_ending(event)


def request_served(event: RequestServed) -> None:
    """Tell those who keep count, where there are any."""
    if _governing is not None:
        _governing.request_served(event)


def _asked() -> Asked | Deny:
    try:
        return asked_for()
    except SettingsError as error:
        from tunesmith_enterprise.recorded import denied

        return denied(error)


def _of_this_process() -> Governing:
    global _governing
    if _governing is None:
        from tunesmith_enterprise.governance.governing import Governing

        _governing = Governing()
    return _governing
