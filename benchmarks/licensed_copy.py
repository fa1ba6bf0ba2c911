# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A licensed copy of the enterprise package for the occasion: a vendor, a build and a license, made in a folder."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from license_decision import a_license, place, root

from tunesmith.licensing import armor, sign

__all__ = ["licensed_copy", "use_licensed_copy"]


def licensed_copy(folder: Path, *features: str) -> dict[str, str]:
    """Make the copy and a license; gives the environment of a process that imports the one and finds the other.

    Args:
        folder: where everything is made.
        features: that are licensed.
    """
    issuer = Ed25519PrivateKey.generate()
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    place(folder / "site", root(1, keys, issuer, keys[:2]))
    licenses = folder / "config" / "tunesmith" / "licenses.d"
    licenses.mkdir(parents=True)
    license_ = replace(a_license(), features={name: {} for name in features})
    (licenses / "measured.lic").write_text(armor(sign(license_.payload(), "license", [issuer])))
    return {
        "PYTHONPATH": str(folder / "site"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def use_licensed_copy(folder: Path, *features: str) -> None:
    """The same for this process. Called before anything asks for plugins."""
    if "tunesmith_enterprise" in sys.modules:
        raise RuntimeError("the installed package is imported already; the copy has to come first")
    os.environ |= licensed_copy(folder, *features)
    sys.path.insert(0, os.environ["PYTHONPATH"])
