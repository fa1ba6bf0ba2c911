# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which machine a plan is for: a known one, one of a file, or this one, as the steps of the plan measured it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import RecipeError
from tunesmith.planning import JobShape
from tunesmith_enterprise.distributed.cost.machines import MACHINES, Link, Machine

__all__ = ["here", "machine_of"]

_toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

_NUMBERS: Final = ("reached", "memory", "memory_bandwidth", "per_node", "layer_at_least", "taken")
_MAY_BE_ZERO: Final = ("layer_at_least", "taken")
_LINKS: Final = ("within", "between")
_TEXTS: Final = ("name", "summary", "source")
_DEFAULTS: Final = {"summary": "", "source": "", "layer_at_least": 0.0, "taken": 0.0}
_EXAMPLE: Final = "docs/how-to/scale.md has one"

LOOPBACK: Final = Link(bandwidth=1.6e9, latency=1.5e-4)
"""Between processes of one machine without GPUs, over loopback: an assumption, which a file of one's own replaces."""
ETHERNET: Final = Link(bandwidth=1.25e9, latency=1e-4)
"""To other machines: 10 Gbit/s."""


def machine_of(named: str) -> Machine:
    """A known machine, or that of a TOML file.

    Raises:
        RecipeError: there is neither, or the file does not describe a machine.
    """
    if named.lower() in MACHINES:
        return MACHINES[named.lower()]
    path = Path(named).expanduser()
    if path.suffix != ".toml":
        raise RecipeError(
            "there is no such kind of machine",
            given=f"--gpu {named}",
            expected=f"{', '.join(MACHINES)}, or a file that ends in .toml",
            fix=f"describe yours in a file: {_EXAMPLE}",
        )
    try:
        found = _toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(
            "the file that describes a machine cannot be read",
            given=f"{path}: {error}",
            expected="TOML",
            fix=f"write one: {_EXAMPLE}",
        ) from error
    return _read(found, path)


def here(shape: JobShape, *, processes: int) -> Machine:
    """This machine, whose cores and memory its processes share.

    Raises:
        RecipeError: no step was measured, so nobody knows how fast it is.
    """
    if not shape.measured:
        raise RecipeError(
            "nothing is known of the speed of this machine: no step was taken",
            given="--no-steps, or a job that does not fit here",
            expected="steps on this machine, or the name of another",
            fix=f"leave --no-steps out, or add --gpu: {', '.join(MACHINES)}, or a file",
        )
    rows = [row for batch in shape.batches for row in batch]
    share = sum(row.places for row in rows) / max(1, sum(row.length for row in rows))
    operations = seconds = 0.0
    for step in shape.measured:
        places = round(step.rows * step.length * share)
        operations += shape.forward(step.rows, step.length, places) + shape.backward(step.rows, step.length, places)
        seconds += step.seconds
    memory = float("inf") if shape.room is None else float(shape.room)
    return Machine(
        name="this machine",
        summary=f"each process computes with an equal part of its {shape.threads} "
        + ("thread" if shape.threads == 1 else "threads"),
        rates={"fp32": operations / seconds / processes},
        reached=1.0,
        memory=memory / processes,
        memory_bandwidth=1e10 / processes,
        per_node=processes,
        within=LOOPBACK,
        between=ETHERNET,
        layer_at_least=0.0,
        taken=0.0,
        source="real steps, just now; its links are assumed",
        gloo=True,
    )


def _read(found: Mapping[str, Any], path: Path) -> Machine:
    known = {*_TEXTS, *_NUMBERS, *_LINKS, "rates"}
    unknown = [key for key in found if key not in known]
    missing = [key for key in sorted(known - set(_DEFAULTS)) if key not in found]
    if unknown or missing:
        words = [f"unknown: {', '.join(unknown)}"] if unknown else []
        words += [f"missing: {', '.join(missing)}"] if missing else []
        raise _wrong(path, "; ".join(words), f"the keys {', '.join(sorted(known))}")
    values = {**_DEFAULTS, **found}
    for key in _TEXTS:
        if not isinstance(values[key], str):
            raise _wrong(path, f"{key}: {values[key]!r}", "a text")
    numbers = {key: _number(path, key, values[key], least=0 if key in _MAY_BE_ZERO else None) for key in _NUMBERS}
    rates = values["rates"]
    if not isinstance(rates, Mapping) or "fp32" not in rates or set(rates) - {"fp32", "bf16"}:
        raise _wrong(
            path, f"rates: {rates!r}", "operations a second by precision: fp32, and bf16 where there are units"
        )
    links = {}
    for key in _LINKS:
        link = values[key]
        if not isinstance(link, Mapping) or set(link) != {"bandwidth", "latency"}:
            raise _wrong(path, f"{key}: {link!r}", "a table with bandwidth and latency")
        links[key] = Link(*(_number(path, f"{key}.{name}", link[name]) for name in ("bandwidth", "latency")))
    if numbers["reached"] > 1:
        raise _wrong(path, f"reached: {numbers['reached']}", "a share: more than 0 and at most 1")
    return Machine(
        name=values["name"],
        summary=values["summary"],
        source=values["source"] or str(path),
        rates={name: _number(path, f"rates.{name}", rate) for name, rate in rates.items()},
        reached=numbers["reached"],
        memory=numbers["memory"],
        memory_bandwidth=numbers["memory_bandwidth"],
        per_node=max(1, int(numbers["per_node"])),
        layer_at_least=numbers["layer_at_least"],
        taken=numbers["taken"],
        within=links["within"],
        between=links["between"],
    )


def _number(path: Path, key: str, value: Any, least: float | None = None) -> float:
    right = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    if not right or (value <= 0 if least is None else value < least):
        raise _wrong(path, f"{key}: {value!r}", "a number above 0" if least is None else "a number of at least 0")
    return float(value)


def _wrong(path: Path, given: str, expected: str) -> RecipeError:
    return RecipeError(
        "the file does not describe a machine",
        given=f"{path}: {given}",
        expected=expected,
        fix=_EXAMPLE,
    )
