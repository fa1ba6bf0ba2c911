# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Do a run again from what its manifest says, and compare: every record, every figure, every weight."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any

import torch
from safetensors import safe_open

from tunesmith.errors import RunError
from tunesmith.runs import Run
from tunesmith.training.conditions import changed_conditions, refuse_other_recipe
from tunesmith.training.job import start
from tunesmith.training.telling import Observer

__all__ = ["Difference", "Replay", "WeightDifference", "replay"]

_STEP_KEYS = ("loss", "grad_norm", "learning_rate", "tokens")


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that came out differently.

    Attributes:
        where: ``step 17`` or ``evaluation of validation at step 20``; ``result`` for a final figure.
        name: ``loss``, ``grad_norm``, ``test.accuracy`` …
        before: in the run; None where it has no such number.
        now: in the repetition; None likewise.
    """

    where: str
    name: str
    before: Any
    now: Any


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """How the final weights differ.

    Attributes:
        tensors: names of those that do, or that only one of the models has.
        largest: greatest absolute difference of two numbers; NaN where shapes differ.
    """

    tensors: tuple[str, ...]
    largest: float


@dataclass(frozen=True, slots=True)
class Replay:
    """A run and its repetition.

    Attributes:
        run: what was repeated.
        repeated: the new run.
        steps: steps that were compared.
        evaluations: records of evaluations that were compared.
        tensors: of the final model; 0 where the run holds none any more (a search deletes those it does not keep):
            weights are not compared then.
        first: the first number, in order of time, that is another; None where all are equal.
        figures: every final figure that is another.
        weights: None where all are equal bit by bit.
        conditions: what is different about versions, processor, threads, precision: name to (before, now).
    """

    run: Path
    repeated: Path
    steps: int
    evaluations: int
    tensors: int
    first: Difference | None
    figures: tuple[Difference, ...]
    weights: WeightDifference | None
    conditions: Mapping[str, tuple[Any, Any]]

    @property
    def equal(self) -> bool:
        """Every number is the same, to the last bit."""
        return self.first is None and not self.figures and self.weights is None


def replay(
    run: Run | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    observers: Sequence[Observer] = (),
    stop: Flag | None = None,
) -> Replay:
    """Repeat a finished run in a new folder and compare.

    It computes with as many threads as the run did. Where the conditions are others all the same, the numbers may
    differ in their last bits.

    Args:
        run: a finished run, or its folder.
        out: the new run folder. Default: ``RUN-replay``, or ``RUN-replay-2`` … where that is taken.
        observers: as of :func:`tunesmith.train`.
        stop: as of :func:`tunesmith.train`.

    Raises:
        RunError: it is not finished, its recipe was edited, or its data or base model is not what it was.
        TunesmithError: as ``train``.
    """
    earlier = run if isinstance(run, Run) else Run.open(run)
    status = earlier.manifest["status"]
    if status != "finished":
        raise RunError(
            f"{earlier.path} is not finished, so there is nothing to compare with",
            given=f"status {status}",
            expected="a finished run",
            fix=f"tunesmith train --resume {earlier.path}",
        )
    recipe = earlier.recipe()
    refuse_other_recipe(earlier, recipe)
    place = _free(earlier.path) if out is None else Path(out).expanduser()
    again = start(recipe.model_copy(update={"output": str(place)}), like=earlier, observers=observers, stop=stop)
    return compare(earlier, again)


def compare(earlier: Run, again: Run) -> Replay:
    """Two finished runs of one recipe, number by number."""
    before, now = dict(_numbers(earlier)), dict(_numbers(again))
    first = next(_differences(before, now), None)
    figures = tuple(
        Difference("result", name, one, other)
        for name, (one, other) in _pairs(_figures(earlier), _figures(again)).items()
        if not _same(one, other)
    )
    one, other = (dict(_tensors(run.model_folder)) for run in (earlier, again))
    return Replay(
        run=earlier.path,
        repeated=again.path,
        steps=sum(where.startswith("step ") for where in before),
        evaluations=sum(where.startswith("evaluation ") for where in before),
        tensors=len(one),
        first=first,
        figures=figures,
        weights=_weights(one, other) if one else None,
        conditions=changed_conditions(earlier.manifest, again.manifest),
    )


def _free(path: Path) -> Path:
    first = path.with_name(f"{path.name}-replay")
    numbered = (path.with_name(f"{path.name}-replay-{number}") for number in range(2, 10_000))
    return next(place for place in (first, *numbered) if not place.exists())


def _numbers(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    for record in run.metrics():
        if record["kind"] == "step":
            yield f"step {record['step']}", {key: record[key] for key in _STEP_KEYS}
        elif record["kind"] == "evaluation":
            yield f"evaluation of {record['split']} at step {record['step']}", record["metrics"]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for where, (one, other) in _pairs(before, now).items():
        for name, (was, is_) in _pairs(one or {}, other or {}).items():
            if not _same(was, is_):
                yield Difference(where, name, was, is_)


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (one.get(key), other.get(key)) for key in dict.fromkeys([*one, *other])}


def _same(one: Any, other: Any) -> bool:
    """Equal; a figure that is NaN both times is."""
    return bool(one == other or (one != one and other != other))


def _figures(run: Run) -> dict[str, Any]:
    splits = run.manifest.get("metrics", {})
    return {f"{split}.{name}": value for split, values in splits.items() for name, value in values.items()}


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118  not a mapping
                yield name, stored.get_tensor(name)


def _weights(before: Mapping[str, torch.Tensor], now: Mapping[str, torch.Tensor]) -> WeightDifference | None:
    names, largest = [], 0.0
    for name, (one, other) in _pairs(before, now).items():
        if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
            names.append(name)
            largest = float("nan")
        elif not torch.equal(_bits(one), _bits(other)):
            names.append(name)
            largest = max(largest, (one.double() - other.double()).abs().max().item())
    return WeightDifference(tuple(names), largest) if names else None


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)
