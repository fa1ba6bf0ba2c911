# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``--policy FILE`` of commands, and the policy that they look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith.errors import NotFoundError

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.policy.schema import Policy

__all__ = ["PolicyFile", "policy_of"]

PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="A draft to look at.  [default: as set]", show_default=False),
]


def policy_of(draft: Path | None, *, wanted: str = "") -> tuple[Path, Policy]:
    """The policy of a draft, or else that of the settings, and where it is.

    Args:
        wanted: what the command looks for in it, for the error.

    Raises:
        NotFoundError: no draft is given, and the settings name no policy.
        SettingsError: it is not as a policy has to be.
    """
    from tunesmith_enterprise.governance.policy.file import read_policy
    from tunesmith_enterprise.governance.where import asked_for

    path = draft or asked_for().policy
    if path is None:
        raise NotFoundError(
            f"the settings name no policy{f', and so no {wanted}' if wanted else ''}",
            expected='policy = "/etc/tunesmith/policy.toml" under [plugins.enterprise] of the machine\'s settings',
            fix="set it, or look at a draft: --policy FILE, where a command takes it",
        )
    return path, read_policy(path)
