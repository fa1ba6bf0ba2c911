# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The policy before an action: the first rule that does not allow it refuses it. What cannot be read refuses all."""

from __future__ import annotations

from pathlib import Path

from tunesmith.errors import TunesmithError
from tunesmith.plugin import Action, Deny
from tunesmith.registry import get_registry
from tunesmith_enterprise.governance.policy.file import read_policy
from tunesmith_enterprise.governance.policy.judging import judge
from tunesmith_enterprise.governance.who import account

__all__ = ["judged"]

_OWNER = "or ask whoever set policy in [plugins.enterprise] of tunesmith.toml"


def judged(action: Action, path: Path) -> Deny | None:
    """The policy's no; None: it has nothing against the action.

    Args:
        path: of the policy.
    """
    try:
        policy = read_policy(path)
        for found in judge(policy, action, account(), get_registry()):
            if not found.allowed:
                return Deny(
                    reason=_line(f"the policy {path} does not allow {found.what} ({found.rule}): {found.why}"),
                    fix=["see what it allows: `tunesmith policy show`", f"or ask {_line(policy.contact)}"],
                )
    except (TunesmithError, OSError) as error:
        what = error.what if isinstance(error, TunesmithError) else str(error.strerror or error)
        given = "" if not isinstance(error, TunesmithError) or error.given is None else f": {error.given}"
        wanted = getattr(error, "expected", None)
        expected = "" if wanted is None else f"; expected {wanted}"
        reason = _line(f"{what}{given}{expected}; nothing begins until the policy can be read and applied")
        return Deny(reason=reason, fix=[*getattr(error, "fix", ()), _OWNER])
    return None


def _line(text: str) -> str:
    return " ".join(text.split())
