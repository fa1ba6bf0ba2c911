# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What this build of the package brings: whom it trusts, when it was made, what was revoked by then.

The vendor's desk places three files into ``placed/`` when it builds a wheel; a checkout has none of them, and unlocks
nothing. They are read from the package and from nowhere else: no variable and no setting names another root.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from tunesmith.licensing import Trust, dearmor, dearmor_all, parse_json, parse_timestamp
from tunesmith.licensing.fields import members, text

__all__ = ["BUILD", "PRODUCT", "REVOCATIONS", "ROOT", "Build", "read_build", "this_build"]

PRODUCT: Final = "tunesmith-enterprise"
"""What a license has to be for."""

ROOT: Final = "root.txt"
"""Armored: the roots of a chain, of which this build starts with the last."""
BUILD: Final = "build.json"
"""``{"schema": 1, "built_at": "2026-11-26T12:00:00Z", "version": "0.1.0"}``"""
REVOCATIONS: Final = "revocations.txt"
"""Armored; may be missing."""


@dataclass(frozen=True)
class Build:
    """What a build brings.

    Attributes:
        trust: its root; None: it has none, and unlocks nothing.
        built_at: when it was made; None with ``trust`` only.
        version: of the package.
        revocations: the envelope of the list that it was made with, not yet verified; None: no list.
    """

    trust: Trust | None = None
    built_at: datetime | None = None
    version: str = ""
    revocations: bytes | None = None


def read_build(placed: Path) -> Build:
    """The build of a folder as the vendor's desk writes it.

    Raises:
        SignedDocumentError: a file in it is damaged: then the installation is, and should be installed anew.
    """
    root, stamp, revocations = (placed / name for name in (ROOT, BUILD, REVOCATIONS))
    if not root.is_file():
        return Build()
    found = members(parse_json(stamp.read_bytes()), "the build", required=("schema", "built_at", "version"))
    return Build(
        # Earlier roots of the chain need no look: the last is believed because of where it lies.
        Trust.start(dearmor_all(root.read_bytes())[-1].envelope),
        parse_timestamp(found["built_at"], "built_at of the build"),
        text(found["version"], "the version of the build"),
        dearmor(revocations.read_bytes(), "revocations") if revocations.is_file() else None,
    )


@cache
def this_build() -> Build:
    """The build of the package that is running; read once."""
    return read_build(Path(__file__).resolve().parents[1] / "placed")
