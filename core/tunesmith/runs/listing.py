# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which runs there are, and how some of them differ."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.errors import RunError
from tunesmith.runs.folder import LOCK, MANIFEST, RECIPE, Run

__all__ = ["Comparison", "RunSummary", "compare_runs", "list_runs"]

DEPTH = 5
"""How many folders deep runs are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run in a list.

    Attributes:
        path: its folder.
        status: ``running``, ``interrupted``, ``finished``, ``failed``; ``killed`` (it says running, and nobody
            works on it); ``damaged`` (it cannot be read, see ``reason``).
        task: what it learned; ``None`` where damaged.
        model: the model it started from, as the recipe names it.
        method: ``full``, ``lora`` or ``head``.
        created: UTC, ISO 8601.
        metric: name of the headline figure, with its split: ``test.accuracy``; ``None`` before there is one.
        value: that figure.
        steps: optimizer steps done.
        reason: why it failed or cannot be read.
    """

    path: Path
    status: str
    task: str | None = None
    model: str | None = None
    method: str | None = None
    created: str | None = None
    metric: str | None = None
    value: float | None = None
    steps: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs side by side; each tuple has one entry per run, in the order of ``runs``; ``None`` where a run has none.

    Attributes:
        runs: their folders.
        recipe: every key of the recipe whose value differs (but ``output``, which always does).
        metrics: every final figure, ``test.accuracy`` and so on, also where they agree.
        versions: Python, machine and packages that differ.
        inputs: hashes of the model and of data files that differ.
    """

    runs: tuple[Path, ...]
    recipe: Mapping[str, tuple[Any, ...]]
    metrics: Mapping[str, tuple[float | None, ...]]
    versions: Mapping[str, tuple[Any, ...]]
    inputs: Mapping[str, tuple[Any, ...]]


def list_runs(folder: str | os.PathLike[str]) -> list[RunSummary]:
    """All runs in a folder and the folders in it, oldest first, damaged ones at the end.

    Hidden folders, links to folders, and what is inside a run are not looked into.

    Raises:
        RunError: there is no such folder.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise RunError(f"no such folder: {root}", fix="give the folder that your runs are in, e.g. runs")
    found = [_summary(path) for path in _run_folders(root, DEPTH)]
    return sorted(found, key=lambda run: (run.created is None, run.created or "", str(run.path)))


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = {entry.name: entry for entry in os.scandir(folder)}
    except OSError:
        return  # not ours to read, or gone meanwhile
    if MANIFEST in entries or {LOCK, RECIPE} <= entries.keys():
        yield folder
    elif depth:
        for name, entry in sorted(entries.items()):
            if not name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _run_folders(folder / name, depth - 1)


def _summary(path: Path) -> RunSummary:
    run = Run(path)
    try:
        manifest = run.manifest
        metric, value = _headline(run, manifest)
        return RunSummary(
            path=path,
            status="killed" if run.was_killed else manifest["status"],
            task=_text(manifest.get("task")),
            model=_text(_mapping(manifest.get("model")).get("name")),
            method=_text(manifest.get("method")),
            created=_text(manifest.get("created")),
            metric=metric,
            value=value,
            steps=manifest["steps"] if isinstance(manifest.get("steps"), int) else None,
            reason=_text(manifest.get("error")),
        )
    except RunError as error:
        return RunSummary(path=path, status="damaged", reason=f"{error.what}: {error.given}")


def _headline(run: Run, manifest: Mapping[str, Any]) -> tuple[str | None, float | None]:
    """The figure that decides, on the split that says most: test before validation."""
    metrics = _final_metrics(manifest)
    if not metrics:
        return None, None
    decider = run.recipe().evaluate.metric
    for split in ("test", "validation"):
        if f"{split}.{decider}" in metrics:
            return f"{split}.{decider}", metrics[f"{split}.{decider}"]
    return next(iter(metrics.items()))


def compare_runs(runs: Sequence[Run | str | os.PathLike[str]]) -> Comparison:
    """How runs differ, and what they reached.

    Args:
        runs: two or more runs, or their folders.

    Raises:
        RunError: fewer than two, or one cannot be read.
    """
    opened = [run if isinstance(run, Run) else Run.open(run) for run in runs]
    if len(opened) < 2:
        raise RunError("a comparison needs two runs", given=f"{len(opened)}", fix="tunesmith runs compare RUN RUN")
    manifests = [run.manifest for run in opened]
    recipes = [_flat(run.recipe().model_dump(exclude={"output"})) for run in opened]
    return Comparison(
        runs=tuple(run.path for run in opened),
        recipe=_differing(recipes),
        metrics=_side_by_side([_final_metrics(manifest) for manifest in manifests]),
        versions=_differing([_versions(manifest) for manifest in manifests]),
        inputs=_differing([_inputs(manifest) for manifest in manifests]),
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _side_by_side(columns: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    keys = dict.fromkeys(key for column in columns for key in column)
    return {key: tuple(column.get(key) for column in columns) for key in keys}


def _differing(columns: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {
        key: values for key, values in _side_by_side(columns).items() if any(value != values[0] for value in values)
    }


def _final_metrics(manifest: Mapping[str, Any]) -> dict[str, float]:
    flat = _flat(_mapping(manifest.get("metrics")))
    return {name: value for name, value in flat.items() if isinstance(value, (int, float))}


def _versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    environment = dict(_mapping(manifest.get("environment")))
    return {**_mapping(environment.pop("packages", None)), **environment}


def _inputs(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The model's hash, and each data file's by its name."""
    found = {"model": _mapping(manifest.get("model")).get("digest")}
    files = _mapping(manifest.get("data")).get("files")
    for file in files if isinstance(files, list) else []:
        found[str(_mapping(file).get("name"))] = _mapping(file).get("sha256")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
