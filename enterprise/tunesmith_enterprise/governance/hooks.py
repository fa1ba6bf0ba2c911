# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the hooks do, in reach of every start of the program: nothing, unless the settings ask for governance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith.errors import SettingsError
from tunesmith.plugin import Action, Allow, Deny, RequestEnding, RequestServed, RunFinished, RunStarted
from tunesmith_enterprise.governance.where import asked_for

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.governing import Governing

__all__ = ["authorize", "request_ending", "request_served", "run_finished", "run_started"]

_governing: Governing | None = None
"""Of this process, from its first action that is governed; a process that is forked off inherits what was granted."""


def authorize(action: Action) -> Allow | Deny | None:
    """Whether an action may begin, with which record; None: nobody asks for governance."""
    global _governing
    try:
        asked = asked_for()
    except SettingsError as error:
        what = error.what if error.given is None else f"{error.what}: {error.given}"
        return Deny(reason=" ".join(what.split()), fix=error.fix)
    if not any(asked):
        if _governing is not None:
            _governing.stop()
        return None
    if _governing is None:
        from tunesmith_enterprise.governance.governing import Governing

        _governing = Governing()
    return _governing.authorize(action, asked)


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
