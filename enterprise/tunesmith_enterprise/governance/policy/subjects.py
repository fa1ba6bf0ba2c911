# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the names of models and data stand for: the forms under which a policy may name them, and their licenses.

A name is taken as the core takes it: an existing path first, then ``scratch:``, a model of a plugin, an id of the hub.
Paths are absolute and links are followed. A run, and an adapter, stands for itself and for the model under it, as its
files say: who can change these can as well change the policy's answer, so the folders need permissions that fit.
"""

from __future__ import annotations

import glob
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import TunesmithError
from tunesmith.registry import Registry

__all__ = ["SEALED", "Subject", "data_subjects", "engine_subject", "model_of_sealed", "model_subject", "names_of"]

SEALED: Final = ".sealed"
"""How the names of sealed files end; the package of sealing is only imported where there is one."""
_HUB: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")
_DEEP: Final = 8
"""Models under each other that are followed: a run on a run on a run."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that a policy may name.

    Attributes:
        written: as the person wrote it, or as a manifest has it.
        kind: ``scratch`` (no weights yet), ``path``, ``named`` (of a plugin), ``hub``, or ``engine`` (elsewhere).
        forms: under which a policy may name it.
        place: of a path; else None.
        linked: of a folder, where links lead that are in it: what is refused there is refused here.
        license: where a plugin says it.
        repo, revision: of the hub.
        base: the model under it.
    """

    written: str
    kind: str
    forms: tuple[str, ...]
    place: Path | None = None
    linked: tuple[str, ...] = ()
    license: str | None = None
    repo: str | None = None
    revision: str | None = None
    base: Subject | None = None


def names_of(kind: str, name: str, registry: Registry) -> tuple[str, ...]:
    """The full name of something, and the short one where it is the core's own; as written, where nothing has it."""
    try:
        full = registry.find(kind, name).full_name
    except (TunesmithError, ValueError):
        return (name,)
    return (full, full.removeprefix("tunesmith/")) if full.startswith("tunesmith/") else (full,)


def model_subject(
    name: str, registry: Registry, *, revision: str | None = None, near: Path | None = None, depth: int = 0
) -> Subject:
    """What the name of a model stands for.

    Args:
        revision: of the hub, as the recipe has it.
        near: of an adapter, its own folder: what is in there is meant before what is in the working folder.
    """
    if near is not None and (near / name).is_dir():
        return _at(name, near / name, registry, depth)
    if name.startswith("scratch:"):
        return Subject(name, "scratch", (name,))
    if Path(name).expanduser().exists():
        return _at(name, Path(name).expanduser(), registry, depth)
    head, colon, address = name.partition(":")
    if colon and address and any(head in (one.spec.name, one.full_name) for one in registry.all("model")):
        found = _at(name, Path(address).expanduser(), registry, depth)  # opened by a plugin, as what is encrypted is
        plugin = registry.find("model", head).full_name
        return replace(found, forms=(*found.forms, f"{plugin}:{found.place}"))
    try:
        spec: Any = registry.find("model", name).spec
        return Subject(name, "named", names_of("model", name, registry), license=getattr(spec, "license", None))
    except TunesmithError:
        pass
    if _HUB.match(name):
        forms = (name, f"{name}@{revision}") if revision else (name,)
        return Subject(name, "hub", forms, repo=name, revision=revision)
    return Subject(name, "path", (os.path.realpath(name),), place=Path(os.path.realpath(name)))


def engine_subject(name: str, registry: Registry) -> Subject:
    """What ``ENGINE:ADDRESS`` stands for, by each name of the engine; an address that is a path, where it really is.

    Its license is a matter of whoever runs it.
    """
    head, _, address = name.partition(":")
    places = [address]
    if address and os.path.exists(Path(address).expanduser()):
        places.append(os.path.realpath(Path(address).expanduser()))
    heads = dict.fromkeys((head, *names_of("engine", head, registry)))
    return Subject(name, "engine", (*(f"{one}:{place}" for one in heads for place in places), *places[1:]))


def _at(name: str, path: Path, registry: Registry, depth: int) -> Subject:
    place = Path(os.path.realpath(path))
    forms = [str(place)]
    base: Subject | None = None
    manifest = _json(place / "run.json")
    adapter = _json(place / "adapter_config.json") or _opened_json(place / f"adapter_config.json{SEALED}")
    if not manifest and place.name == "model":
        manifest = _json(place.parent / "run.json")
        forms += [str(place.parent)] if manifest else []
    model = manifest.get("model")
    under = model if isinstance(model, dict) else {}
    for said in (under.get("name"), adapter.get("base_model_name_or_path")):
        if base is None and isinstance(said, str) and said and depth < _DEEP:
            revision = adapter.get("revision")
            base = model_subject(
                said,
                registry,
                revision=revision if isinstance(revision, str) else None,
                near=place if adapter else None,
                depth=depth + 1,
            )
    return Subject(name, "path", tuple(forms), place=place, linked=_linked(place), base=base)


def model_of_sealed(name: str) -> Path | None:
    """The run or the model that something sealed is, or is a part of; None: it is no part of one, as rows are.

    Args:
        name: of a file or folder.
    """
    path = Path(os.path.realpath(Path(name).expanduser()))
    for above in (path, *path.parents):
        if (above / "run.json").is_file():
            return above
    folder = path if path.is_dir() else path.parent
    return folder if any(folder.glob(f"*.safetensors{SEALED}")) else None


def _linked(folder: Path) -> tuple[str, ...]:
    """Where the links lead that stand where a model's files are: in a folder, and in ``model`` of a run."""
    found = []
    for above in (folder, folder / "model"):
        try:
            inner = sorted(entry.path for entry in os.scandir(above) if entry.is_symlink())
        except OSError:
            continue
        found += [os.path.realpath(one) for one in inner]
    return tuple(dict.fromkeys(found))


def data_subjects(source: str, registry: Registry) -> Iterator[Subject]:
    """What an entry of data stands for: every file of a pattern, every link in a folder."""
    if source.startswith("dataset:"):
        name, _, split = source.removeprefix("dataset:").partition("#")
        forms = [f"dataset:{one}" for one in names_of("dataset", name, registry)]
        try:
            spec: Any = registry.find("dataset", name).spec
        except TunesmithError:
            spec = None
        yield Subject(source, "named", (*forms, *(f"{one}#{split}" for one in forms if split)), license=_license(spec))
        return
    if source.startswith("hub:"):  # whatever files of that name there are
        yield _of_hub(source)
        return
    path = Path(source).expanduser()
    whole = Path(source.rpartition("#")[0] or source).expanduser()
    if path.exists() or whole.is_file():
        yield from _files(source, path if path.exists() else whole)
    elif _HUB.match(source.partition("#")[0]) and not path.parent.exists():
        yield _of_hub(source)
    elif glob.has_magic(source):
        found = sorted(glob.glob(str(path), recursive=True))
        for one in found:
            yield from _files(source, Path(one))
        if not found:
            yield Subject(source, "path", (os.path.realpath(path),), place=path)
    else:
        yield Subject(source, "path", (os.path.realpath(path),), place=path)


def _of_hub(source: str) -> Subject:
    reference = source.removeprefix("hub:").partition("#")[0]
    path, _, revision = reference.partition("@")
    repo = "/".join(path.split("/")[:2])
    forms = [f"hub:{repo}", *([f"hub:{repo}@{revision}"] if revision else [])]
    return Subject(source, "hub", tuple(forms), repo=repo, revision=revision or None)


def _files(source: str, path: Path) -> Iterator[Subject]:
    """A file or folder where it really is; and whatever a link in the folder leads to."""
    real = os.path.realpath(path)
    yield Subject(source, "path", (real,), place=Path(real))
    if os.path.isdir(real):
        for above, folders, files in os.walk(real):
            for name in (*folders, *files):
                inner = os.path.join(above, name)
                if os.path.islink(inner):
                    to = os.path.realpath(inner)
                    yield Subject(f"{source} (through the link {inner})", "path", (to,), place=Path(to))


def _license(spec: Any) -> str | None:
    found = getattr(spec, "license", None)
    return found if isinstance(found, str) else None


def _opened_json(file: Path) -> dict[str, Any]:
    """Of a sealed file; nothing, where it does not open: then nobody opens the model either."""
    if not file.is_file():
        return {}
    from tunesmith_enterprise.governance.sealing.files import write_opened
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    content = io.BytesIO()
    try:
        write_opened(file, key_ring(), content)
        found = json.loads(content.getvalue())
    except (TunesmithError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
