# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who is at work: the account of the operating system, not what a variable says it is."""

from __future__ import annotations

import os
import socket
from typing import Any, NamedTuple

__all__ = ["Account", "account", "who"]


class Account(NamedTuple):
    """An account of this machine.

    Attributes:
        name: its number as text, where it has no name, as in containers.
        uid: the real one; None on Windows, which has none.
        groups: their names (or numbers) that the process is in.
    """

    name: str
    uid: int | None
    groups: tuple[str, ...]


def account() -> Account:
    """The account that this process belongs to: its real user id, and the groups that the system gave it."""
    try:
        import grp
        import pwd
    except ImportError:  # Windows: asked of the system, as getlogin does there
        return Account(os.getlogin(), None, ())
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    names = []
    for gid in sorted({os.getgid(), *os.getgroups()}):
        try:
            names.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            names.append(str(gid))
    return Account(name, uid, tuple(names))


def who() -> dict[str, Any]:
    """For a record: the account, the machine, the process."""
    try:
        user = account().name
    except OSError:  # no terminal, on Windows
        user = "unknown"
    return {"user": user, "host": socket.gethostname(), "pid": os.getpid()}
