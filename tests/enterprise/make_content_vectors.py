# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Writes the vectors of what documents say: ``python make_content_vectors.py [folder]``. The same bytes every time.

What is expected is written by hand, from docs/reference/licenses.md; it is not what some reader happened to answer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import content_vectors_of_licenses
import content_vectors_of_others
import content_vectors_of_states
from vector_parts import SEED


def files():
    """The vectors, by the names of their files."""
    others = content_vectors_of_others
    return {
        "licenses": list(content_vectors_of_licenses.licenses()),
        "pools": [*others.pools(), *others.leases()],
        "revocations": list(others.revocations()),
        "activations": list(others.activations()),
        "usage": list(others.reports()),
        "states": list(content_vectors_of_states.states()),
        "under": list(content_vectors_of_states.unders()),
    }


def write(folder):
    """All files into a folder."""
    notice = "The private key n is the SHA-256 of the seed text with n for %d. Public: for tests only, trust none."
    for name, vectors in files().items():
        found = {"format": "tunesmith-license-vectors-1", "notice": notice, "seed": SEED, "vectors": vectors}
        (folder / f"{name}.json").write_bytes(json.dumps(found, indent=1).encode() + b"\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "vectors")
