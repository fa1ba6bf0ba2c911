# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What of governance the settings ask for: an audit log, a policy, a folder in which use is counted; or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tunesmith.errors import SettingsError
from tunesmith_enterprise.settings import enterprise_settings

__all__ = ["KEY", "Asked", "asked_for", "audit_log_file"]

KEY: Final = "audit_log"
_EXAMPLES: Final = {
    KEY: 'the file of the audit log: audit_log = "/var/log/tunesmith/audit.jsonl"',
    "policy": 'the file of the policy: policy = "/etc/tunesmith/policy.toml"',
    "usage": 'the folder in which use is counted: usage = "/var/lib/tunesmith/usage"',
}


class Asked(NamedTuple):
    """What the settings ask for; None: not that.

    Attributes:
        audit_log: file of the audit log.
        policy: file of the policy.
        usage: folder in which use is counted.
    """

    audit_log: Path | None = None
    policy: Path | None = None
    usage: Path | None = None


def asked_for(environ: Mapping[str, str] | None = None) -> Asked:
    """What the settings of the machine and of the person ask for.

    Args:
        environ: where the person's folder is looked up. Default: ``os.environ``.

    Raises:
        SettingsError: they cannot be read, have a key that nobody reads, or a path that is none.
    """
    table = enterprise_settings(environ)
    return Asked(*(_path(table, key) for key in _EXAMPLES)) if table else Asked()


def audit_log_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file of the audit log; None: nobody asked for one. Arguments and errors as of :func:`asked_for`."""
    return asked_for(environ).audit_log


def _path(table: Mapping[str, Any], key: str) -> Path | None:
    given = table.get(key)
    if given is None:
        return None
    if not isinstance(given, str) or not Path(given).is_absolute():
        raise SettingsError(
            f"{key} of [plugins.enterprise] in the settings is no absolute path",
            given=repr(given),
            expected=_EXAMPLES[key],
            fix="correct it in the tunesmith.toml of the machine or of the person",
        )
    return Path(given)
