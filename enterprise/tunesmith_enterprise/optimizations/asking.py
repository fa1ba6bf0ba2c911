# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the gate answers where an action uses an optimization."""

from __future__ import annotations

from typing import Final

from tunesmith.errors import TunesmithError
from tunesmith.plugin import Action, Allow, Deny
from tunesmith_enterprise.optimizations.dates import allowed
from tunesmith_enterprise.recorded import denied, grants_of, recorded

__all__ = ["ask"]

_FEATURE: Final = "optimizations"


def ask(action: Action, code: str) -> Allow | Deny | None:
    """Ask the license, unless the run that is resumed brings the grant of its start.

    Args:
        code: of ``OPTIMIZATIONS``.

    Returns:
        None: it is open to all, so there is nothing to record.
    """
    earlier = recorded(action)
    if any(grant.covers(_FEATURE, {}) for grant in grants_of(earlier)):
        return Allow(record={"grants": earlier})
    try:
        grant = allowed(code)
    except TunesmithError as error:
        return denied(error)
    return None if grant is None else Allow(record={"grants": [*earlier, grant.to_json()]})
