# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Is everything a run was made of, and everything it made, still what it was?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tunesmith.data.facts import facts_of
from tunesmith.data.rows import Row
from tunesmith.data.sources import FileSource, Source, find_sources, read_source
from tunesmith.errors import RunError, TunesmithError
from tunesmith.models import find_model
from tunesmith.recipe import Recipe
from tunesmith.registry import Registry, get_registry
from tunesmith.runs import Run, checkpoint_damage, complete_checkpoints, file_digest
from tunesmith.training.conditions import refuse_other_recipe

__all__ = ["Check", "Verification", "verify"]

State = Literal["equal", "changed", "missing", "added", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was compared.

    Attributes:
        kind: ``recipe``, ``artefact``, ``checkpoint``, ``data`` or ``base model``.
        name: of the file or folder; artefacts and checkpoints as they are called in the run folder.
        state: ``equal``, ``changed``, ``missing``, ``added`` (it was not there when the run ended) or ``unknown``
            (nobody wrote down what it was).
        detail: why; empty where it is equal.
    """

    kind: str
    name: str
    state: State
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What :func:`verify` found, in the order it looked."""

    run: Path
    checks: tuple[Check, ...]

    @property
    def whole(self) -> bool:
        """Nothing has changed, is missing or was added."""
        return all(check.state in ("equal", "unknown") for check in self.checks)


def verify(run: Run | str | os.PathLike[str]) -> Verification:
    """Compare recipe, model, records, report, checkpoints, data and base model with the digests in the manifest.

    Reads every byte of them and changes nothing. Data and base model are looked for where the recipe says, relative
    names from the current folder, as in training.

    Raises:
        RunError: it is no run, or its manifest cannot be read.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    manifest, registry = opened.manifest, get_registry()
    recipe = opened.recipe()
    checks = [
        _recipe(opened, recipe),
        *_artefacts(opened.path, manifest),
        *_checkpoints(opened),
        *_data(recipe, manifest, registry),
        _base_model(recipe, manifest, registry),
    ]
    return Verification(opened.path, tuple(checks))


def _recipe(run: Run, recipe: Recipe) -> Check:
    if "recipe" not in run.manifest:
        return Check("recipe", "recipe.yaml", "unknown", "the manifest holds no copy")
    try:
        refuse_other_recipe(run, recipe)
    except RunError as error:
        return Check("recipe", "recipe.yaml", "changed", error.given or error.what)
    return Check("recipe", "recipe.yaml", "equal")


def _artefacts(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Check]:
    written = manifest.get("artefacts")
    if not isinstance(written, Mapping):
        yield Check(
            "artefact", "model", "unknown", f"the run is {manifest['status']}; a finished one says what it made"
        )
        return
    for name, digest in written.items():
        path = folder / name
        if not path.is_file():
            yield Check("artefact", name, "missing", "it was there when the run ended")
        elif file_digest(path) != digest:
            yield Check("artefact", name, "changed", "its bytes are others than when the run ended")
        else:
            yield Check("artefact", name, "equal")
    for path in sorted((folder / "model").rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in written:
            yield Check("artefact", name, "added", "it was not there when the run ended")


def _checkpoints(run: Run) -> Iterator[Check]:
    for path in complete_checkpoints(run.checkpoint_folder):
        damage = checkpoint_damage(path)
        yield Check("checkpoint", f"checkpoints/{path.name}", "changed" if damage else "equal", damage or "")


def _data(recipe: Recipe, manifest: Mapping[str, Any], registry: Registry) -> Iterator[Check]:
    data = manifest.get("data")
    if not isinstance(data, Mapping):
        yield Check("data", "rows", "unknown", "the manifest holds no digests")
        return
    written = {file["name"]: file["sha256"] for file in data["files"]}
    for text in dict.fromkeys((*recipe.data.train, *recipe.data.validation, *recipe.data.test)):
        try:
            facts = [
                fact
                for source in find_sources([text], recipe.data, registry)
                for fact in facts_of(source, _rows(source, recipe, registry))
            ]
        except TunesmithError as error:
            written.pop(text, None)
            yield Check("data", text, "missing", error.what)
            continue
        for fact in facts:
            digest = written.pop(fact.name, None)
            if digest is None:
                yield Check("data", fact.name, "added", "training did not read it")
            elif digest != fact.sha256:
                yield Check("data", fact.name, "changed", "its content is another than training read")
            else:
                yield Check("data", fact.name, "equal")
    for name in written:
        yield Check("data", name, "missing", "training read it, and the recipe does not lead to it any more")


def _rows(source: Source, recipe: Recipe, registry: Registry) -> list[Row]:
    """The rows, where the digest is of them; that of a file is of its bytes."""
    if isinstance(source, FileSource) and not source.path.is_dir():
        return []
    return [row for row in read_source(source, recipe.data, registry) if isinstance(row, Row)]


def _base_model(recipe: Recipe, manifest: Mapping[str, Any], registry: Registry) -> Check:
    name = recipe.model.name
    digest = manifest["model"].get("digest")
    if digest is None:
        return Check("base model", name, "unknown", "the manifest holds no digest")
    try:
        found = find_model(recipe.model, registry, seed=recipe.train.seed).digest
    except TunesmithError as error:
        return Check("base model", name, "missing", error.what)
    if found != digest:
        return Check("base model", name, "changed", "its weights are others than training started from")
    return Check("base model", name, "equal")
