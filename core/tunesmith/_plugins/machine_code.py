# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plugins are told where machine code is looked for and kept, before and after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunesmith._plugins.host import Host, get_host
from tunesmith.plugin import MachineCode

__all__ = ["telling_of_machine_code"]


@contextmanager
def telling_of_machine_code(kind: str, folder: Path | None, host: Host | None = None) -> Iterator[None]:
    """The block loads code from a folder, or compiles it.

    Args:
        kind: who compiles, as of ``MachineCode``.
        folder: its name is the key. ``None``: nothing is kept, so there is nothing to tell.
        host: whose plugins are told. Default: the process's.
    """
    host = host or get_host()
    if folder is None or not host.observed(MachineCode):
        yield
        return
    started = time.perf_counter()
    host.notify(MachineCode(kind=kind, key=folder.name, folder=str(folder), ready=False))
    yield
    seconds = time.perf_counter() - started
    host.notify(MachineCode(kind=kind, key=folder.name, folder=str(folder), ready=True, seconds=seconds))
