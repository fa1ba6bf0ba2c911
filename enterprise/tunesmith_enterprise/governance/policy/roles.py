# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which role an account of this machine has, and what that role may do at the command line."""

from __future__ import annotations

from tunesmith.plugin import ACTIONS
from tunesmith_enterprise.governance.policy.schema import ACTIONS_OF, ROLES, Members, Role, RoleTable
from tunesmith_enterprise.governance.who import Account

__all__ = ["actions_of", "role_finding", "role_of"]


def role_of(table: RoleTable, account: Account) -> tuple[Role, str]:
    """The highest role that an account has, and why."""
    for role in reversed(ROLES[1:]):
        members: Members = getattr(table, role)
        if account.name in members.users or account.uid in members.users:
            return role, f"the account {account.name} is named"
        group = next((one for one in account.groups if one in map(str, members.groups)), None)
        if group is not None:
            return role, f"the account {account.name} is in the group {group}"
    return table.default, f"the account {account.name} is named nowhere"


def actions_of(role: Role) -> tuple[str, ...]:
    """All that a role may do: what the roles before it may, and more."""
    return tuple(action for one in ROLES[: ROLES.index(role) + 1] for action in ACTIONS_OF[one])


def role_finding(table: RoleTable, action: str, account: Account) -> tuple[str, str, bool, str]:
    """A finding: rule, what, allowed, why. Only admins may do what no role is known for."""
    role, why = role_of(table, account)
    known = action in ACTIONS or any(action in ours for ours in ACTIONS_OF.values())
    allowed = action in actions_of(role) if known else role == "admin"
    may = ", ".join(actions_of(role)) or "nothing"
    needed = next((one for one in ROLES if action in ACTIONS_OF[one]), "admin")
    said = f"{why}, so its role is {role}, which may {may}"
    return f"roles.{needed}", f"the action {action}", allowed, said if allowed else f"{said}; {needed} may"
