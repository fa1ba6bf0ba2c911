# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the hooks do, in reach of every start of the program: nothing, unless the settings ask for an audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith.errors import SettingsError
from tunesmith.plugin import Action, Allow, Deny, RequestServed, RunFinished
from tunesmith_enterprise.governance.where import audit_log_file

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.auditing import Auditing

__all__ = ["authorize", "request_served", "run_finished"]

_auditing: Auditing | None = None
"""Of this process, from its first action that is audited; a process that is forked off inherits what was granted."""


def authorize(action: Action) -> Allow | Deny | None:
    """Whether an action may begin, with which record; None: nobody asks for an audit log."""
    global _auditing
    try:
        path = audit_log_file()
    except SettingsError as error:
        what = error.what if error.given is None else f"{error.what}: {error.given}"
        return Deny(reason=" ".join(what.split()), fix=error.fix)
    if path is None:
        if _auditing is not None:
            _auditing.stop()
        return None
    if _auditing is None:
        from tunesmith_enterprise.governance.auditing import Auditing

        _auditing = Auditing()
    return _auditing.authorize(action, path)


def run_finished(event: RunFinished) -> None:
    """Tell the log, where there is one."""
    if _auditing is not None:
        _auditing.run_finished(event)


def request_served(event: RequestServed) -> None:
    """Tell the log, where there is one."""
    if _auditing is not None:
        _auditing.request_served(event)
