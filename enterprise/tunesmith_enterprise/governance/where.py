# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where the audit log is, if there is to be one: ``[plugins.enterprise] audit_log`` of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tunesmith.errors import SettingsError
from tunesmith.settings import plugin_settings

__all__ = ["KEY", "audit_log_file"]

KEY = "audit_log"


def audit_log_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file of the audit log; None: nobody asked for one.

    The machine's settings count, and the person's; the project's do not: a folder that came from somebody else must not
    say which file of this machine is appended to.

    Args:
        environ: where the person's folder is looked up. Default: ``os.environ``.

    Raises:
        SettingsError: the settings cannot be read, it is no absolute path, or its name is misspelled: whoever believes
            that there is a log must not find out later that there is none.
    """
    table = plugin_settings("enterprise", environ, project=False)
    given = table.get(KEY)
    if given is None:
        _refuse_misspelled(table)
        return None
    if not isinstance(given, str) or not Path(given).is_absolute():
        raise SettingsError(
            f"{KEY} of [plugins.enterprise] in the settings is no absolute path",
            given=repr(given),
            expected=f'the file of the audit log: {KEY} = "/var/log/tunesmith/audit.jsonl"',
            fix="correct it in the tunesmith.toml of the machine or of the person",
        )
    return Path(given)


def _refuse_misspelled(table: Mapping[str, object]) -> None:
    if not table:
        return
    from difflib import get_close_matches  # by the machines with settings of this plugin and without a log

    for key in table:
        if get_close_matches(key.lower(), [KEY], cutoff=0.8):
            raise SettingsError(
                "[plugins.enterprise] of the settings has a key that nobody reads",
                given=key,
                expected=KEY,
                fix="correct it in the tunesmith.toml of the machine or of the person",
            )
