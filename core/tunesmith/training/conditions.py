# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a run was made of, and whether that is still so.

The manifest (``run.json``) is the lock of a run: the resolved recipe, digests of model and data, versions, processor,
threads. Recipe, model and data decide *what* is computed: a job is not resumed or repeated with others. The conditions
decide the order in which sums are taken, and with it the last bits: they are compared and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch

from tunesmith._plugins import PluginRecord, Provided
from tunesmith._plugins.discover import BUILTIN
from tunesmith.errors import PluginError, RunError
from tunesmith.recipe import Recipe
from tunesmith.runs import Run, environment

__all__ = [
    "changed_conditions",
    "conditions",
    "plugin_versions",
    "refuse_missing_plugins",
    "refuse_other_inputs",
    "refuse_other_recipe",
    "same_threads",
]


def conditions(device: torch.device) -> dict[str, Any]:
    """For the manifest: ``threads``, ``environment``, and ``instructions`` (``AVX2`` …) or ``gpu``."""
    found: dict[str, Any] = {"threads": torch.get_num_threads(), "environment": environment()}
    if device.type == "cuda":
        return {**found, "gpu": f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"}
    return {**found, "instructions": torch.backends.cpu.get_cpu_capability()}


def changed_conditions(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where the conditions of two manifests differ: name to (before, now); None where one does not say."""
    one, other = _flat(before), _flat(now)
    keys = dict.fromkeys([*one, *other])
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _flat(manifest: Mapping[str, Any]) -> dict[str, Any]:
    machine = dict(manifest.get("environment", {}))
    machine.pop("cores", None)  # how many there are changes nothing; how many threads compute does
    packages = machine.pop("packages", {})
    plugins = {f"plugin {name}": facts["version"] for name, facts in manifest.get("plugins", {}).items()}
    names = ("threads", "precision", "device", "instructions", "gpu")
    return {**{name: manifest[name] for name in names if name in manifest}, **machine, **packages, **plugins}


@contextmanager
def same_threads(run: Run | None) -> Iterator[None]:
    """Compute with as many threads as the run did: another number takes sums in another order. None: as many as now."""
    before = torch.get_num_threads()
    wanted = None if run is None else run.manifest.get("threads")
    if not isinstance(wanted, int) or wanted == before:
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def refuse_other_recipe(run: Run, recipe: Recipe) -> None:
    """``recipe.yaml`` must be what the manifest holds a copy of.

    Raises:
        RunError: it was changed since; names every value.
    """
    stored = run.manifest.get("recipe")
    if not isinstance(stored, dict):
        return
    with suppress(ValueError):  # an earlier version did not have every key: those it lacks are at their defaults
        stored = Recipe.model_validate(stored).model_dump(mode="json")
    before, now = _leaves(stored), _leaves(recipe.model_dump(mode="json"))
    changes = [
        f"{key}: {before.get(key)!r} when it was started, {now.get(key)!r} now"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key) and key != "output"  # a run may be moved
    ]
    if changes:
        raise RunError(
            f"the recipe of {run.path} was changed after the run was started",
            given="; ".join(changes),
            expected="recipe.yaml as the run wrote it: a resumed job must end as if it had never stopped",
            fix=["put these values back", "or start a new run with another output"],
        )


def plugin_versions(used: Iterable[Provided]) -> dict[str, dict[str, str]]:
    """For the manifest: of which plugins something is used, and where they come from; the built-ins are no plugin."""
    return {
        one.plugin: {"distribution": one.distribution, "version": one.version}
        for one in sorted(used, key=lambda one: one.plugin)
        if one.plugin != BUILTIN
    }


def refuse_missing_plugins(run: Run, records: Iterable[PluginRecord]) -> None:
    """Every plugin that the run was made with must be there and usable.

    Raises:
        PluginError: one is not; names it, with the version that the run was made with.
    """
    known = {record.name: record for record in records}
    for name, facts in run.manifest.get("plugins", {}).items():
        record = known.get(name)
        if record is not None and record.status == "ok":
            continue
        reason = "is not installed" if record is None else f"is {record.status}: {record.reason}"
        made_with = f"{facts['distribution']} {facts['version']}".rstrip()
        needed = f"{facts['distribution']}=={facts['version']}" if facts["version"] else facts["distribution"]
        raise PluginError(
            f"the run needs the plugin {name!r}, which {reason}",
            given=str(run.path),
            expected=f"the plugin {name!r}, as the run was made with it: {made_with}",
            fix=[
                f"tunesmith plugins add '{needed}'",
                *_without(run, name),
                "what the run has saved is whole, and stays",
            ],
        )


def _without(run: Run, plugin: str) -> list[str]:
    """How the run goes on without a plugin, where it has nothing but its strategy of it."""
    manifest = run.manifest
    if manifest.get("only_strategy_of") != plugin or manifest.get("portable") is not True:
        return []
    return [f"or go on in one process: tunesmith train --resume {run.path} --strategy single"]


def refuse_other_inputs(run: Run, now: Mapping[str, Any], *, doing: str) -> None:
    """Other data or another base model would end in weights that no recipe describes.

    Args:
        now: what the manifest of a run made now would say.
        doing: ``resumed`` or ``repeated``, for the error.

    Raises:
        RunError: names every file that changed.
    """
    stored = run.manifest
    before, after = ({file["name"]: file["sha256"] for file in facts["data"]["files"]} for facts in (stored, now))
    changes = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            change = "is new" if name not in before else "is gone" if name not in after else "changed"
            changes.append(f"{name} {change}")
    if stored["model"]["digest"] != now["model"]["digest"]:
        changes.append(f"the weights of {now['model']['name']} changed")
    if changes:
        raise RunError(
            f"{run.path} cannot be {doing}: its inputs are not what they were",
            given="; ".join(changes),
            expected="the files the run was started with",
            fix="bring them back, or start a new run with another output",
        )


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
