# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The digest of a model's weights, as runs have it in their manifest: only a policy that names one asks for it.

Of weights that are sealed it is that of what they were: else sealing a model would be a way around a policy that
refuses it. They are decrypted piece by piece into the digest and nowhere else, with the keys of the settings.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

from tunesmith.errors import TunesmithError
from tunesmith_enterprise.governance.policy.subjects import SEALED, Subject

__all__ = ["digest_of"]


def digest_of(subject: Subject) -> str | None:
    """``sha256:…`` of the weights in a folder; reads all of them. None: it has none, or is not on this machine.

    Raises:
        SealKeyError, SealedFileError: they are sealed and do not open, or others lie beside them, so nobody can say
            whether they are refused.
    """
    place = subject.place
    if place is None or not place.exists():
        return None
    if not place.is_dir():
        return _of_one(place)
    folder = place / "model" if (place / "run.json").is_file() else place
    if any(folder.glob(f"*.safetensors{SEALED}")):
        return _opened(_weights(folder))
    from tunesmith.models import find_model_by_name
    from tunesmith.registry import get_registry

    try:
        return find_model_by_name(str(place), get_registry()).digest
    except TunesmithError:
        return None


def _of_one(file: Path) -> str | None:
    """Of a sealed file of weights alone, by the name that it had."""
    if file.suffix != SEALED:
        return None
    from tunesmith_enterprise.governance.sealing.files import header_of

    name = header_of(file).facts.name.rpartition("/")[2]
    return _opened({name: file}) if name.endswith(".safetensors") else None


def _weights(folder: Path) -> dict[str, Path]:
    """The sealed files with the weights by what they were called, found as `tunesmith.models.check` finds plain ones.

    What else lies there changes nothing: a file that is put beside them is no way to another digest.
    """
    stem = "adapter_model" if _sealed(folder / "adapter_config.json") else "model"
    names = [f"{stem}.safetensors"]
    if _sealed(folder / names[0]) is None:
        index = _sealed(folder / f"{names[0]}.index.json")
        names = [] if index is None else _named(index)
    found = {name: _sealed(folder / name) for name in names}
    return {name: path for name, path in found.items() if path is not None} if all(found.values()) else {}


def _sealed(plain: Path) -> Path | None:
    """The sealed file of this name; None: there is none.

    Raises:
        SealedFileError: one that is not sealed is there: which of them counts depends on who opens the folder.
    """
    if plain.exists():
        from tunesmith_enterprise.governance.sealing.errors import SealedFileError

        raise SealedFileError(
            f"{plain} is not sealed, and weights beside it are",
            given="a model of which a part is sealed",
            expected="all of its files sealed, or none, where a policy names weights by their digest",
            fix=f"seal the rest: tunesmith seal folder {plain.parent} (of a run: tunesmith seal run RUN)",
        )
    path = plain.with_name(plain.name + SEALED)
    return path if path.is_file() else None


def _named(index: Path) -> list[str]:
    """The files that an index of weights names; none, where it is no index: then nobody opens the model."""
    from tunesmith_enterprise.governance.sealing.files import write_opened
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    content = io.BytesIO()
    write_opened(index, key_ring(), content)
    try:
        names = {str(name) for name in json.loads(content.getvalue())["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return sorted(names) if all(Path(name).name == name for name in names) else []


def _opened(files: Mapping[str, Path]) -> str | None:
    """As `tunesmith.models.check.weights_digest` counts, of what the files were before they were sealed."""
    from tunesmith_enterprise.governance.sealing.files import header_of, write_opened
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    if not files:
        return None
    ring, digest = key_ring(), hashlib.sha256()
    with open(os.devnull, "wb") as nowhere:
        for name, path in sorted(files.items()):
            size = header_of(path).facts.size  # proved when it opens: every chunk is bound to it
            digest.update(f"{name}\0{size}\0".encode())
            write_opened(path, ring, nowhere, digest)
    return f"sha256:{digest.hexdigest()}"
