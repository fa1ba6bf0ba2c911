# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a model's name to a checked :class:`ModelSource`.

A name is tried in this order: ``scratch:ARCHITECTURE[-SIZE]``, an existing path (a run, a model, an adapter), what a
plugin opens (``NAME:ADDRESS``), a model that is registered with its weights (``tunesmith/tiny``), an id on the Hugging
Face hub.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tunesmith.errors import ModelError, NotFoundError
from tunesmith.models.addressed import open_address
from tunesmith.models.check import check_adapter, check_model, read_json, refuse_pickle_file, weights_digest
from tunesmith.models.source import BASE_FILE, ModelSource, ScratchOptions
from tunesmith.plugin.specs import ModelSpec
from tunesmith.recipe.schema import ModelSection

if TYPE_CHECKING:
    from tunesmith.registry import Registry

__all__ = ["BYTE_VOCABULARY", "find_model", "find_model_by_name", "parse_size"]

BYTE_VOCABULARY = 262
"""Entries of the ``byte`` tokenizer: 256 bytes and 6 special tokens."""

_DEFAULT_VOCABULARY = 1024
_DEFAULT_CONTEXT = 256
_SCRATCH = "scratch:"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmb])\Z")
_UNITS = {"k": 10**3, "m": 10**6, "b": 10**9}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")


def find_model(section: ModelSection, registry: Registry, *, seed: int = 0) -> ModelSource:
    """The model a recipe names, found and checked; hub models are downloaded.

    Args:
        section: ``model`` of the recipe.
        registry: where named models and architectures are.
        seed: of the initial weights of a ``scratch:`` model, and of new layers of any other.

    Raises:
        ModelError: it is there and cannot be used, or nothing of that name is there.
        NotFoundError: no architecture of that name.
        OfflineError: it has to come from the hub, and the hub cannot be reached.
    """
    return replace(_find(section, registry, seed=seed, above=()), seed=seed)


def find_model_by_name(name: str, registry: Registry) -> ModelSource:
    """As :func:`find_model`, for commands that take a model or run and no recipe."""
    return find_model(ModelSection(name=name), registry)


def _find(section: ModelSection, registry: Registry, *, seed: int, above: tuple[str, ...]) -> ModelSource:
    name = section.name
    if name.startswith(_SCRATCH):
        return ModelSource(name=name, kind="scratch", scratch=_scratch_options(section, registry, seed))
    path = Path(name).expanduser()
    if path.exists():
        return _from_path(path, section, registry, above)
    opened = open_address(name, registry)
    if opened is not None:
        return _from_path(opened, section, registry, above)
    packaged = _packaged(name, registry)
    if packaged is not None:
        return _from_folder(packaged, section, registry, above)
    if not _is_hub_id(name):
        raise _no_such_model(name, registry)
    from tunesmith.models.hub import download

    folder, revision = download(name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    return replace(_from_folder(folder, section, registry, above, from_hub=True), revision=revision)


def _from_path(path: Path, section: ModelSection, registry: Registry, above: tuple[str, ...]) -> ModelSource:
    if not path.is_dir():
        refuse_pickle_file(path)
        raise ModelError(
            f"A model is a folder, and this is a file: {path}",
            given=path.name,
            expected="a folder with config.json, model.safetensors and the tokenizer's files",
            fix=f"name the folder: {path.parent}",
        )
    if (path / "run.json").is_file():
        path = path / "model"
        if not path.is_dir():
            raise _no_model_in(path.parent)
    return _from_folder(path, section, registry, above)


def _no_model_in(run: Path) -> ModelError:
    if read_json(run / "run.json").get("status") == "finished":
        return ModelError(
            f"the run holds no model any more: {run}",
            given="no folder `model` in the run, which is finished",
            expected="a run with its model; a search keeps that of its best trial, a cross-validation none",
            fix=f"train it again: tunesmith train {run / 'recipe.yaml'} --set output=FOLDER",
        )
    return ModelError(
        f"the run holds no model yet: {run}",
        given="no folder `model` in the run",
        expected="a run that has finished",
        fix=f"let it finish: tunesmith train --resume {run}",
    )


def _from_folder(
    folder: Path, section: ModelSection, registry: Registry, above: tuple[str, ...], *, from_hub: bool = False
) -> ModelSource:
    trust = section.trust_remote_code
    if (folder / "adapter_config.json").is_file():
        files = check_adapter(folder, name=section.name)
        base = _base_of(folder, section, registry, above)
        _refuse_other_base(folder, base)
        return ModelSource(
            name=section.name,
            kind="adapter",
            folder=folder,
            base=base,
            digest=weights_digest(files),
            trust_remote_code=trust,
        )
    files = check_model(folder, name=section.name, trust_remote_code=trust, from_hub=from_hub)
    return ModelSource(
        name=section.name, kind="folder", folder=folder, digest=weights_digest(files), trust_remote_code=trust
    )


def _refuse_other_base(folder: Path, base: ModelSource) -> None:
    """An adapter is a difference: over other weights it would answer, but not as it was trained.

    Adapters of other programs do not say which weights they were trained on, and are taken as they are.
    """
    file = folder / BASE_FILE
    if not file.is_file():
        return
    trained_on = read_json(file).get("digest")
    if trained_on != base.digest:
        raise ModelError(
            f"the model under the adapter {folder} is not the one it was trained on: {base.name}",
            given=f"weights of {base.digest[:23]}…",
            expected=f"weights of {str(trained_on)[:23]}…, as {file.name} says",
            fix=(
                "bring that model back, or write its folder into base_model_name_or_path in adapter_config.json;",
                f"if these are the same weights in other files, remove {file}",
            ),
        )


def _base_of(folder: Path, section: ModelSection, registry: Registry, above: tuple[str, ...]) -> ModelSource:
    """The model under an adapter: a path as written or beside the adapter, a named model, or a hub id."""
    config_file = folder / "adapter_config.json"
    config = read_json(config_file)
    base = config.get("base_model_name_or_path")
    here = str(folder.resolve())
    if here in above:
        raise ModelError(f"the adapter stands on itself: {folder}", given=" -> ".join([*above, here]))
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"the adapter does not say which model it stands on: {config_file}",
            given=f"base_model_name_or_path: {base!r}",
            expected="a model folder, a named model or a hub id",
            fix="write the model it was trained on into adapter_config.json",
        )
    beside = folder / base
    name = str(beside) if beside.is_dir() else base
    revision = config.get("revision") if _is_hub_id(name) else None
    below = ModelSection(name=name, revision=revision, trust_remote_code=section.trust_remote_code)
    try:
        return _find(below, registry, seed=0, above=(*above, here))
    except ModelError as error:
        raise ModelError(
            f"the model under the adapter {folder} cannot be used: {error.what}",
            given=error.given,
            expected=error.expected,
            fix=(*error.fix, f"or correct base_model_name_or_path in {config_file}"),
        ) from error


# ---- scratch: ----------------------------------------------------------------------------------


def _scratch_options(section: ModelSection, registry: Registry, seed: int) -> ScratchOptions:
    architecture, size = _split_scratch(section.name)
    provided = registry.find("model", architecture)
    if cast(ModelSpec, provided.spec).weights:
        raise ModelError(
            f"{architecture} is a trained model, not an architecture to start from scratch",
            given=section.name,
            expected="scratch:ARCHITECTURE, with one of " + ", ".join(_names(registry, weights=False)),
            fix=f"to train it further, leave out `scratch:`: model: {provided.full_name}",
        )
    tokenizer = section.tokenizer or "bpe"
    vocabulary = BYTE_VOCABULARY if tokenizer == "byte" else section.vocabulary or _DEFAULT_VOCABULARY
    return ScratchOptions(
        architecture=architecture,
        size=size,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        context=section.context or _DEFAULT_CONTEXT,
        seed=seed,
    )


def _split_scratch(name: str) -> tuple[str, int | None]:
    rest = name.removeprefix(_SCRATCH)
    if not rest:
        raise ModelError(
            "scratch: names no architecture",
            given=name,
            expected="scratch:ARCHITECTURE or scratch:ARCHITECTURE-SIZE",
            fix="write for example scratch:llama-1m; `tunesmith models list` shows the architectures",
        )
    architecture, dash, last = rest.rpartition("-")
    size = parse_size(last) if dash else None
    return (rest, None) if size is None else (architecture, size)


def parse_size(text: str) -> int | None:
    """``260k`` as 260000, ``1m``, ``0.6b``; ``None`` for anything else."""
    match = _SIZE.match(text.lower())
    return None if match is None else round(float(match[1]) * _UNITS[match[2]])


# ---- names -------------------------------------------------------------------------------------


def _packaged(name: str, registry: Registry) -> Path | None:
    """The folder of a model that is registered with its weights; ``None`` where no such name is registered."""
    try:
        provided = registry.find("model", name)
    except NotFoundError:
        if name.startswith("tunesmith/"):  # the package's own names are never looked up on the hub
            raise
        return None
    if not cast(ModelSpec, provided.spec).weights:
        raise ModelError(
            f"{name} is an architecture without weights",
            given=name,
            expected="a model folder, a named model or a hub id",
            fix=f"to start from untrained weights: model: {_SCRATCH}{name}",
        )
    if cast(ModelSpec, provided.spec).addressed:
        raise ModelError(
            f"{name} needs an address",
            given=name,
            expected=f"{name}:ADDRESS",
            fix="write behind the colon what the plugin is to open",
        )
    locate = cast("Callable[[], Path]", registry.load("model", name))
    return locate()


def _names(registry: Registry, *, weights: bool) -> list[str]:
    """Of models with weights, or of architectures, as they are to be written."""
    found = [(provided, cast(ModelSpec, provided.spec)) for provided in registry.all("model")]
    return sorted(
        (f"{provided.full_name}:ADDRESS" if spec.addressed else provided.full_name) if weights else spec.name
        for provided, spec in found
        if spec.weights is weights
    )


def _is_hub_id(name: str) -> bool:
    """``owner/name``, unless a local folder ``owner`` shows that a path was meant."""
    return bool(_HUB_ID.match(name)) and not Path(name).parent.is_dir()


def _no_such_model(name: str, registry: Registry) -> ModelError:
    path = Path(name).expanduser()
    near = [f"did you mean {match}?" for match in _similar(path, registry)]
    return ModelError(
        f"there is no model {name}",
        given=f"{name}: not a path that exists, not a named model, not a hub id",
        expected="a folder, a named model ("
        + ", ".join(_names(registry, weights=True))
        + "), a hub id (owner/name) or scratch:ARCHITECTURE",
        fix=near or "check the spelling; `tunesmith models list` shows the named models",
    )


def _similar(path: Path, registry: Registry) -> list[str]:
    """Up to three names like the last part of ``path``: its siblings on disk, and named models."""
    parent = path.parent
    try:
        siblings = {entry.name: str(parent / entry.name) for entry in parent.iterdir() if entry.is_dir()}
    except OSError:
        siblings = {}
    near = [siblings[match] for match in difflib.get_close_matches(path.name, list(siblings), n=3)]
    return near + difflib.get_close_matches(str(path), _names(registry, weights=True), n=1)
