# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The journal of an installation: what was granted and refused, installed and removed. It never leaves the machine.

``tunesmith license audit`` shows it, ``usage export`` counts it. It is best effort: what cannot be written is a note.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tunesmith.errors import OutputError
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.entitlement.places import Places

__all__ = ["JOURNAL", "journal_path", "write_journal"]

JOURNAL: Final = "journal.jsonl"


def journal_path(places: Places) -> Path | None:
    """The journal's file; None: there is no folder for it."""
    return None if places.state is None else places.state / JOURNAL


def write_journal(places: Places, event: str, *, fsync: bool = False, **facts: Any) -> str:
    """Write down what happened.

    Args:
        fsync: wait for the disk.

    Returns:
        The note about what went wrong; empty: nothing.
    """
    path = journal_path(places)
    if path is None:
        return "the journal of licenses is not kept: this account has no home folder"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ChainedLog(path, fsync=fsync).append(event, **facts)
    except (OSError, OutputError) as error:
        return f"the journal of licenses cannot be written: {getattr(error, 'strerror', None) or error}"
    return ""
