# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The digest of a model's weights, as runs have it in their manifest: only a policy that names one asks for it.

Of weights that are sealed it is that of what they were: else sealing a model would be a way around a policy that
refuses it. They are decrypted piece by piece into the digest and nowhere else, with the keys of the settings.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from tunesmith.errors import TunesmithError
from tunesmith_enterprise.governance.policy.subjects import Subject

__all__ = ["digest_of"]

_SEALED: Final = ".sealed"
_WEIGHTS: Final = re.compile(r"(adapter_model|model)(-\d+-of-\d+)?\.safetensors")


def digest_of(subject: Subject) -> str | None:
    """``sha256:…`` of the weights in a folder; reads all of them. None: it has none, or is not on this machine.

    Raises:
        SealKeyError, SealedFileError: they are sealed and do not open, so nobody can say whether they are refused.
    """
    if subject.place is None or not subject.place.is_dir():
        return None
    files = _weights(subject.place)
    if any(path.suffix == _SEALED for path in files):
        return _opened(files)
    from tunesmith.models import find_model_by_name
    from tunesmith.registry import get_registry

    try:
        return find_model_by_name(str(subject.place), get_registry()).digest
    except TunesmithError:
        return None


def _weights(place: Path) -> list[Path]:
    """The files of weights in a model folder, or in that of a run, in order of their names; sealed ones too."""
    folder = place / "model" if (place / "run.json").is_file() else place
    try:
        named = {path.name.removesuffix(_SEALED): path for path in folder.iterdir()}
    except OSError:
        return []
    found = {name: path for name, path in named.items() if _WEIGHTS.fullmatch(name)}
    adapter = {name: path for name, path in found.items() if name.startswith("adapter_")}
    return [path for _, path in sorted((adapter or found).items())]


def _opened(files: list[Path]) -> str:
    """As `tunesmith.models.check.weights_digest` counts, of what the files were before they were sealed."""
    from tunesmith_enterprise.governance.sealing.files import header_of, write_opened
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    ring, digest = key_ring(), hashlib.sha256()
    with open(os.devnull, "wb") as nowhere:
        for path in files:
            if path.suffix == _SEALED:
                size = header_of(path).facts.size  # proved when it opens: every chunk is bound to it
                digest.update(f"{path.name.removesuffix(_SEALED)}\0{size}\0".encode())
                write_opened(path, ring, nowhere, digest)
            else:
                digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
                with path.open("rb") as file:
                    while piece := file.read(1 << 20):
                        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
