# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The license of the feature ``priority``, asked for once, when a server starts.

When a license has ended, a server still starts with the classes and quotas that were set up while it ran; changes of
them are refused. So what is set up is remembered in the state folder, in the open: it is no secret and no permission.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Final

from tunesmith.errors import SignedDocumentError
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.priority.plan import Plan, priority_plan

__all__ = ["FEATURE", "REMEMBERED", "licensed_plan"]

FEATURE: Final = "priority"
REMEMBERED: Final = "priority.json"

_log = logging.getLogger("tunesmith.enterprise.priority")


def licensed_plan() -> Plan:
    """What the settings say, for who may use it.

    Raises:
        LicenseError: there is no license; or it has ended, and the settings are not those that were set up before.
        SettingsError: the settings say nothing of priority, or something that cannot be.
    """
    from tunesmith_enterprise import require

    plan = priority_plan()
    grant = require(FEATURE)
    for note in grant.notes:
        _log.warning("%s", note)
    folder, now = StateFolder(Places.of().state), plan.model_dump(mode="json")
    if grant.effect == "kept":
        _refuse_changes(_remembered(folder), now)
    else:
        _remember(folder, now)
    return plan


def _refuse_changes(before: dict[str, Any] | None, now: dict[str, Any]) -> None:
    change = None if before is None else next(_changes(before, now), None)
    if before is not None and change is None:
        return
    raise LicenseError(
        "the license of priority has ended: what was set up goes on, and nothing new can be set up",
        code="expired",
        feature=FEATURE,
        given="settings, and none that were set up before" if change is None else f"a change of the settings: {change}",
        expected="the settings of [plugins.enterprise.priority] as they were while the license ran",
        fix=[
            "take the change back" if change else "start the server without --scheduler enterprise/priority",
            "or ask the vendor for a renewal",
        ],
    )


def _changes(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """What differs, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            at = f"{where}.{key}" if where else key
            if key not in now:
                yield f"{at} is gone"
            elif key not in before:
                yield f"{at} is new"
            else:
                yield from _changes(before[key], now[key], at)
    elif before != now:
        yield f"{where} is {json.dumps(now)}, was {json.dumps(before)}"


def _remembered(folder: StateFolder) -> dict[str, Any] | None:
    try:
        content = folder.read(REMEMBERED)
        kept = json.loads(content) if content else None
    except (SignedDocumentError, ValueError):
        return None
    return kept["settings"] if isinstance(kept, dict) and isinstance(kept.get("settings"), dict) else None


def _remember(folder: StateFolder, settings: dict[str, Any]) -> None:
    if _remembered(folder) == settings:
        return
    try:
        folder.write(REMEMBERED, json.dumps({"schema": 1, "settings": settings}, indent=1).encode() + b"\n")
    except OSError as error:
        _log.warning(
            "%s; a server could not go on with these settings when the license has ended", folder.trouble(error)
        )
