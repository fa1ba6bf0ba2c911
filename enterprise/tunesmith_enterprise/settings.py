# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Every key of ``[plugins.enterprise]``, in one place: one that stands there and nobody reads is an error.

Whoever believes that there is an audit log, a policy or a lock must not find out later that its name was misspelled.
The machine's settings count, and the person's; the project's do not: a folder that came from somebody else must not say
what is written, asked or refused on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith.errors import SettingsError
from tunesmith.settings import plugin_settings

__all__ = ["KEYS", "enterprise_settings"]

KEYS: Final[Mapping[str, str]] = {
    "license_files": "files and folders with licenses",
    "cluster_id": "what the administrator calls this cluster",
    "domain": "of this machine, in the place of its host name",
    "license_server": "which license server is asked for a seat",
    "license_server_ca": "whose certificates it may have",
    "license_server_secret_file": "with which secret it is asked",
    "license_server_cert": "with which certificate it is asked",
    "license_server_key": "and the key of that",
    "audit_log": "the file of the audit log",
    "policy": "the file of the policy",
    "usage": "the folder in which use is counted",
    "access": "who may ask a server",
    "prefix_store_gb": "how much the prefix store may take",
    "compile_cache": "where machine code is shared, and with which key",
    "priority": "in which order requests are computed",
    "seal_keys": "the keys that seal and open files: the first seals",
}
"""From each key to what it holds."""


def enterprise_settings(environ: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """The table ``[plugins.enterprise]`` of the machine's and the person's settings; the machine's values win.

    Args:
        environ: where the person's folder is looked up. Default: ``os.environ``.

    Raises:
        SettingsError: the settings cannot be read, or have a key that nobody reads.
    """
    table = plugin_settings("enterprise", environ, project=False)
    unknown = next((key for key in table if key not in KEYS), None)
    if unknown is not None:
        from difflib import get_close_matches  # by those who have to be told only

        near = get_close_matches(unknown.lower().replace("-", "_"), KEYS, n=1)
        raise SettingsError(
            "[plugins.enterprise] of the settings has a key that nobody reads",
            given=unknown,
            expected=near[0] if near else ", ".join(KEYS),
            fix="correct it in the tunesmith.toml of the machine or of the person",
        )
    return table
