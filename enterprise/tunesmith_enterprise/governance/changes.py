# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What people change of the governance itself, in the audit log: keys, roles, policies, runs that are removed.

Commands call it **before** they do what they are about to do, so that nothing is done that is not in the log.
"""

from __future__ import annotations

from typing import Any

from tunesmith.errors import OutputError
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.governance.where import KEY, audit_log_file
from tunesmith_enterprise.governance.who import who

__all__ = ["write_change"]


def write_change(event: str, **fields: Any) -> bool:
    """Write into the audit log, and wait for the disk, if the settings ask for one.

    Args:
        event: what is about to be done, in words with hyphens: ``key-made``, ``run-removed``.
        fields: plain data, no secrets. Who does it is added as ``by``.

    Returns:
        False: there is no audit log, and nothing was written.

    Raises:
        OutputError: it cannot be written; do not go on.
        SettingsError: the settings cannot be read.

    Example::

        write_change("key-made", name="ci", scope="use", expires="2027-01-01")
    """
    path = audit_log_file()
    if path is None:
        return False
    try:
        ChainedLog(path, fsync=True).append(event, **fields, by=who())
    except (OSError, ValueError) as error:
        raise OutputError(
            f"the audit log {path} cannot be written, so {event} is not done",
            given=getattr(error, "strerror", None) or str(error),
            expected="a log that can be written before something is done",
            fix=["make room for it, or make it writable", f"or ask whoever set {KEY} in [plugins.enterprise]"],
        ) from error
    return True
