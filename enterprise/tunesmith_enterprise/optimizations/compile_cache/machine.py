# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""On which machines code of this one runs, and is what would be compiled there. In doubt it is another machine."""

from __future__ import annotations

import hashlib
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from tunesmith_enterprise.optimizations.processor import processor

__all__ = ["archive_name"]

_MADE_BY: Final = ("tunesmith", "torch", "numba", "llvmlite", "triton")
_FOUND_AT: Final = ("tunesmith", "torch")
"""Their folders are part of what compilers are called with, and of where Numba looks."""


def archive_name(kind: str, key: str, team: str) -> str:
    """The file for code of a kind and key, for machines as this one, of a team.

    Args:
        kind, key: as of ``MachineCode``.
        team: the number of the secret that they share. Teams that share a folder and no secret have other files, so
            that neither takes the place of the other's.
    """
    facts = ["1", kind, key, sys.version, platform.system(), platform.machine(), processor(), *platform.libc_ver()]
    facts += [f"{name} {_version(name)}" for name in _MADE_BY]
    facts += [str(spec.origin) for name in _FOUND_AT if (spec := find_spec(name)) is not None]
    if kind == "torch":
        facts += _torch_facts()
    return f"{kind}-{team}-{hashlib.sha256(chr(0).join(facts).encode()).hexdigest()[:32]}.code"


def _version(name: str) -> str:
    with suppress(PackageNotFoundError):
        return version(name)
    return "none"


def _torch_facts() -> list[str]:
    import torch  # the job that asks has it

    facts = [str(torch.version.cuda)]
    with suppress(OSError, ValueError):  # a system without such a file is told apart by its C library
        system = platform.freedesktop_os_release()
        facts.append(f"{system.get('ID')} {system.get('VERSION_ID')}")
    if torch.cuda.is_available():
        facts += [
            f"{torch.cuda.get_device_name(number)} {torch.cuda.get_device_capability(number)}"
            for number in range(torch.cuda.device_count())
        ]
    return facts
