# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""All processes of a job must be about to do the same thing. What differs is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import RunError, TrainingError
from tunesmith.recipe import Recipe
from tunesmith.runs import environment, file_digest

__all__ = ["FAILED", "facts_of", "refuse_differences", "refuse_failure"]

FAILED: Final = "error"
"""The key under which a process says why it cannot take part."""
_SHOWN: Final = 5
_DESCRIBING: Final = (".json", ".txt", ".model", ".jinja")
"""Files of a model's folder that are compared here; weights are compared when they are in place."""


def facts_of(recipe: Recipe) -> dict[str, str]:
    """What is known before anything is read: the recipe, versions, and the digests of the files it names."""
    found = {f"recipe {key}": value for key, value in _flat(recipe.model_dump(mode="json"))}
    machine = environment()
    found["the version of python"] = machine["python"]
    found |= {f"the version of {name}": version for name, version in machine["packages"].items()}
    for name in (*recipe.data.train, *recipe.data.validation, *recipe.data.test):
        if Path(name).is_file():
            found[f"the file {name}"] = f"sha256 {file_digest(Path(name))}"
    model = Path(recipe.model.name)
    if model.is_dir():
        for file in sorted(model.iterdir()):
            if file.suffix in _DESCRIBING and file.is_file():
                found[f"the file {file}"] = f"sha256 {file_digest(file)}"
    return found


def refuse_differences(facts: Sequence[Mapping[str, str]]) -> None:
    """Compare what every process, by rank, found.

    Raises:
        RunError: one of them failed, or found something else than the first.
    """
    for rank, found in enumerate(facts):
        if FAILED in found:
            raise RunError(
                f"process {rank} of {len(facts)} cannot take part in the job",
                given=found[FAILED],
                expected="every process can read the recipe, its rows and its model",
                fix="look at the log of that process",
            )
    for rank, found in enumerate(facts):
        keys = dict.fromkeys([*facts[0], *found])
        odd = [key for key in keys if facts[0].get(key) != found.get(key)]
        if odd:
            listed = [
                f"{key}: {_text(facts[0].get(key))} in process 0, {_text(found.get(key))} in process {rank}"
                for key in odd[:_SHOWN]
            ]
            more = [f"and {len(odd) - _SHOWN} more"] if len(odd) > _SHOWN else []
            raise RunError(
                "the processes of the job are not about to do the same",
                given="; ".join([*listed, *more]),
                expected="the same recipe, rows, model and versions in all of them",
                fix="give all machines the same files, and install the same versions on them",
            )


def refuse_failure(said: Sequence[str]) -> None:
    """Whether all processes computed their part of held-out rows.

    Args:
        said: by rank, what went wrong; empty: nothing.

    Raises:
        TrainingError: one of them could not.
    """
    for rank, text in enumerate(said):
        if text:
            raise TrainingError(
                f"process {rank} of {len(said)} failed in an evaluation",
                given=" ".join(text.split())[:1000],
                expected="every process computes its part of the rows",
                fix="look at the log of that process",
            )


def _text(value: str | None) -> str:
    return "nothing" if value is None else value[:200]


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _flat(one, f"{key}.{name}" if key else str(name))
    else:
        yield key, str(value)
