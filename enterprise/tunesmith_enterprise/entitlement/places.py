# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The folders of this machine and this person: where licenses lie, and where is kept what is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.settings import config_folder

__all__ = ["NOWHERE", "Places"]

_SYSTEM: Final = Path("/etc/tunesmith/licenses.d")
_SECRETS: Final = Path("/run/secrets")


class Places(NamedTuple):
    """Folders, none of which needs to exist. The working folder is none of them: what lies there comes from whoever
    sent the project.

    Attributes:
        user: the person's licenses; None: the account has no home.
        system: the machine's licenses; None: not looked at.
        secrets: where containers are given theirs; None: not looked at.
        state: what is kept from one start to the next; None: nothing is.
    """

    user: Path | None
    system: Path | None
    secrets: Path | None
    state: Path | None

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> Places:
        """The usual ones.

        ``$XDG_CONFIG_HOME/tunesmith/licenses.d``, ``/etc/tunesmith/licenses.d``, ``/run/secrets`` and
        ``$XDG_STATE_HOME/tunesmith/enterprise``, by default below ``~/.config`` and ``~/.local/state``; on Windows
        below ``%APPDATA%``, ``%PROGRAMDATA%`` and ``%LOCALAPPDATA%``. A variable that holds a relative path counts as
        unset, as the XDG Base Directory Specification has it.
        """
        environ = os.environ if environ is None else environ
        windows = sys.platform == "win32"
        system = (
            Path(environ.get("PROGRAMDATA") or r"C:\ProgramData", "tunesmith", "licenses.d") if windows else _SYSTEM
        )
        named = environ.get("LOCALAPPDATA" if windows else "XDG_STATE_HOME", "")
        user: Path | None = None
        above: Path | None = Path(named) if os.path.isabs(named) else None
        with suppress(RuntimeError):  # the account has no home: a container that runs under a random number, say
            user = config_folder(environ) / "licenses.d"
        with suppress(RuntimeError):
            above = above or Path(Path.home(), ".local", "state")
        return cls(
            user,
            system,
            _SECRETS,
            Path(above, "tunesmith", "enterprise") if above else None,
        )


NOWHERE: Final = Places(None, None, None, None)
"""No folder at all, no settings: what is handed over counts, and nothing else."""
