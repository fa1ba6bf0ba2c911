# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where the commands look. The one place that a test has to change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tunesmith_enterprise.entitlement import journal as _journal
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["journal", "journal_path", "look", "places", "searched", "state"]


def places() -> Places:
    """The folders of this machine and this person."""
    return Places.of(os.environ)


def look(argument: bytes | None = None) -> Evidence:
    """All that is found, with this text first."""
    return gather(argument, places=places())


def state() -> StateFolder:
    """What is kept of this installation."""
    return StateFolder(places().state)


def journal_path() -> Path | None:
    """The journal of licenses; None: there is no folder for it."""
    return _journal.journal_path(places())


def journal(event: str, **facts: Any) -> str:
    """Write down what was done with licenses. Best effort: the note about what went wrong, or nothing."""
    return _journal.write_journal(places(), event, fsync=True, **facts)


def searched(evidence: Evidence) -> list[dict[str, Any]]:
    """The places in the order in which they are searched, with what was found in each."""
    where = places()
    names = {
        "argument": "what a program hands over",
        "environment": "TUNESMITH_LICENSE (a text), TUNESMITH_LICENSE_FILE (files and folders)",
        "settings": "license_files of [plugins.enterprise] in the settings of the machine and of the person",
        "user": "none: this account has no home folder" if where.user is None else str(where.user),
        "system": str(where.system),
        "secrets": f"{where.secrets} (files named tunesmith-license*)",
        "server": "the license server, if the settings name one",
    }
    held = [(one.source, one.license.license_id, one.license.serial) for one in evidence.held]
    held += [(one.source, one.pool.pool_id, one.pool.serial) for one in evidence.seats]
    return [
        {
            "place": place,
            "name": name,
            "found": [
                {"id": id_, "serial": serial, "in": source.name}
                for source, id_, serial in held
                if source.place == place
            ],
            "refused": [
                {"in": one.source.name, "reason": one.error.reason, "what": one.error.what}
                for one in evidence.refused
                if one.source.place == place
            ],
        }
        for place, name in names.items()
    ]
