# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The license of governance, asked for at the start of an action and never within one: one answer for all of its parts.

A run that is resumed brings the grant of its start; a process that was granted the feature once keeps it, so that a
search with many runs is not refused in the middle. Without a license nothing new begins where the settings ask for
governance, and people still come to the models that are there: what they made is theirs. That a license is missing
lifts no rule: else taking it away would be a way around the policy.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

from tunesmith.plugin import Action
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.recorded import grants_of, recorded

__all__ = ["FEATURE", "OWN", "Granted", "Granting"]

FEATURE: Final = "governance"
OWN: Final = frozenset({"open", "export", "unseal", "unseal-copy", "rewrap"})
"""Actions by which people come to what is there: not refused for want of a license."""
_ASKED: Final = "asked for now"
_BEFORE: Final = "of what this process did before"

_log = logging.getLogger("tunesmith.enterprise.audit")


class Granted(NamedTuple):
    """A grant, and where it is from.

    Attributes:
        grant: None: there is none, and the action is one of :data:`OWN`.
        how: in words, for the audit log.
        earlier: what the run that is resumed had recorded.
    """

    grant: Grant | None
    how: str
    earlier: list[Any]

    @property
    def kept(self) -> bool:
        """The license has ended: what is set up goes on, and nothing new is set up."""
        return self.grant is not None and self.how == _ASKED and self.grant.effect == "kept"

    @property
    def record(self) -> dict[str, Any]:
        """What the run remembers."""
        if self.grant is None:
            return {"grants": self.earlier}
        mine = self.grant.to_json()
        return {"grants": [*(one for one in self.earlier if one != mine), mine]}

    def described(self) -> dict[str, Any]:
        """For the audit log: on which license it rests, and in which state that was."""
        if self.grant is None:
            return {"state": "none", "effect": "off", "basis": [], "how": self.how}
        basis = [{"id": one.id, "serial": one.serial} for one in self.grant.basis]
        return {"state": self.grant.state, "effect": self.grant.effect, "basis": basis, "how": self.how}


class Granting:
    """What one process was granted."""

    def __init__(self) -> None:
        self._grant: Grant | None = None
        self._told: set[str] = set()

    def ask(self, action: Action) -> Granted:
        """The grant of an action.

        Raises:
            LicenseError: there is none.
            SettingsError: a license server would have to be asked, and what the settings say of it is wrong.
        """
        earlier = recorded(action)
        for grant in grants_of(earlier):
            if grant.covers(FEATURE, {}):
                return Granted(grant, "of the start of the run", earlier)
        if action.name in ("open", "unseal") and self._grant is not None:
            return Granted(self._grant, _BEFORE, earlier)
        from tunesmith_enterprise import require

        try:
            return Granted(require(FEATURE), _ASKED, earlier)
        except LicenseError as error:
            if self._grant is not None:
                return Granted(self._grant, _BEFORE, earlier)
            if action.name in OWN:
                return Granted(None, f"none: {error.code}", earlier)
            raise

    def keep(self, granted: Granted) -> None:
        """The action may begin: the process has the grant from now on, and people are told what it says, once."""
        if granted.grant is None:
            return
        self._grant = granted.grant
        for note in granted.grant.notes if granted.how == _ASKED else ():
            if note not in self._told:
                self._told.add(note)
                _log.warning("%s", note)
