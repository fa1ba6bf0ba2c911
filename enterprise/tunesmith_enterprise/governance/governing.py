# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The governance of one process: the policy, before all else; then the license, the count of use, and the audit log.

So what the policy refuses takes no seat of a license server, and what is in the log as begun has been refused by nobody
here. What the policy refuses is in the log too, as refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith.errors import TunesmithError
from tunesmith.plugin import Action, Allow, Deny, RequestEnding, RequestServed, RunFinished, RunStarted
from tunesmith_enterprise.governance.auditing import Auditing
from tunesmith_enterprise.governance.granting import Granting
from tunesmith_enterprise.governance.where import Asked

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.metering.metering import Metering

__all__ = ["Governing"]

_WORDS = {"audit_log": "an audit log", "policy": "a policy", "usage": "use to be counted"}


class Governing:
    """What the settings ask for, with one license for all of it."""

    def __init__(self) -> None:
        self._granting = Granting()
        self._auditing = Auditing()
        self._metering: Metering | None = None

    def judge(self, action: Action, asked: Asked) -> Deny | None:
        """The policy's no, which is in the log; None: it has nothing against the action.

        Args:
            asked: what the settings ask for; a policy is among it.
        """
        from tunesmith_enterprise.governance.policy.gate import judged  # by those who have a policy

        assert asked.policy is not None
        no = judged(action, asked.policy)
        if no is not None and asked.audit_log is not None:
            self._auditing.refused(action, asked.audit_log, no.reason)
        return no

    def authorize(self, action: Action, asked: Asked) -> Allow | Deny:
        """Whether an action may begin that the policy has nothing against.

        Args:
            asked: what the settings ask for; something.
        """
        try:
            granted = self._granting.ask(action)
        except TunesmithError as error:
            return _unlicensed(error, asked)
        if asked.usage is not None:
            from tunesmith_enterprise.governance.metering.metering import Metering

            self._metering = self._metering or Metering()
            no = self._metering.begin(action, asked.usage, granted)
            if no is not None:
                return no
        elif self._metering is not None:
            self._metering.stop()
        if asked.audit_log is None:
            self._auditing.stop()
        else:
            no = self._auditing.begin(action, asked.audit_log, granted)
            if no is not None:
                return no
        self._granting.keep(granted)
        return Allow(record=granted.record)

    def stop(self) -> None:
        """The settings ask for nothing any more."""
        self._auditing.stop()
        if self._metering is not None:
            self._metering.stop()

    def run_started(self, event: RunStarted) -> None:
        """A run of this process has begun."""
        if self._metering is not None:
            self._metering.run_started(event)

    def run_finished(self, event: RunFinished) -> None:
        """A run of this process has ended."""
        if self._metering is not None:
            self._metering.run_finished(event)
        self._auditing.run_finished(event)

    def request_ending(self, event: RequestEnding) -> None:
        """A server of this process is about to send the last byte of an answer."""
        if self._metering is not None:
            self._metering.request_ending(event)

    def request_served(self, event: RequestServed) -> None:
        """A server of this process has answered."""
        self._auditing.request_served(event)


def _unlicensed(error: TunesmithError, asked: Asked) -> Deny:
    wanted = [key for key, value in asked._asdict().items() if value is not None]
    what = error.what if error.given is None else f"{error.what}: {error.given}"
    listed = " and ".join(_WORDS[key] for key in wanted)
    owner = f"or ask whoever set {' and '.join(wanted)} in [plugins.enterprise] of tunesmith.toml"
    return Deny(reason=f"{' '.join(what.split())}; the settings ask for {listed}", fix=[*error.fix, owner])
