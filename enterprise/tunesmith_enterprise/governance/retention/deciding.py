# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which runs are to go, by the rules of the policy, and why each of the others stays. Nothing is changed here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.errors import RunError
from tunesmith.runs import Run, RunSummary, list_runs
from tunesmith.runs.folder import LOCK, MANIFEST
from tunesmith.runs.lock import is_held
from tunesmith_enterprise.governance.policy.matching import matching
from tunesmith_enterprise.governance.policy.schema import Retention, Rule

__all__ = ["HOLD", "Judged", "held_by", "in_use", "judged_runs", "what_keeps"]

HOLD: Final = "hold"
"""A file of this name in a run, or in a folder above it, keeps the run, whatever the rules say; so does one that is in
a run inside of it, as searches have them."""
_DAY: Final = 86_400.0


class Judged(NamedTuple):
    """A run, and what becomes of it.

    Attributes:
        run: what is known of it.
        goes: whether it is removed.
        why: the rule that removes it, or what keeps it.
        bytes: on the disk.
    """

    run: RunSummary
    goes: bool
    why: str
    bytes: int


def judged_runs(retention: Retention, now: datetime) -> list[Judged]:
    """Every run in the folders of the policy, the oldest first.

    Args:
        now: aware.
    """
    found: dict[Path, RunSummary] = {}
    for folder in retention.folders:
        if os.path.isdir(folder):
            found |= {Path(os.path.realpath(run.path)): run for run in list_runs(folder)}
    runs = sorted(found.values(), key=lambda run: (run.created or "", str(run.path)))
    ages = {run.path: _age(run, now) for run in runs}
    reasons = {run.path: what_keeps(run, retention) for run in runs}
    free = [run for run in runs if not reasons[run.path]]
    goes: dict[Path, str] = {}
    for number, rule in enumerate(retention.rules, start=1):
        for path, why in _by_rule(rule, free, ages):
            goes.setdefault(path, f"rule {number}: {why}")
    return [
        Judged(
            run,
            run.path in goes,
            goes.get(run.path) or reasons[run.path] or "no rule removes it",
            _size(run.path),
        )
        for run in runs
    ]


def what_keeps(run: RunSummary, retention: Retention | None) -> str:
    """What keeps a run from being removed, in words; empty: nothing."""
    if run.status == "damaged":
        return f"it cannot be read, so nothing is known of it: {run.reason}"
    if run.status == "running" or in_use(run.path) is not None:
        return "a process works on it"
    held = held_by(run.path)
    if held is not None:
        return f"{held} holds it"
    pinned = () if retention is None else retention.pinned
    pin = matching(map(os.path.realpath, (run.path, *_runs_inside(run.path))), pinned)
    return "" if pin is None else f"pinned: {pin}"


def held_by(path: Path) -> Path | None:
    """The file that holds a run: in a folder above it, or anywhere in it; None: there is none."""
    real = Path(os.path.realpath(path))
    above = next((place / HOLD for place in (real, *real.parents) if (place / HOLD).is_file()), None)
    return above or next((Path(place, HOLD) for place, _, files in os.walk(real) if HOLD in files), None)


def in_use(path: Path) -> Path | None:
    """The run that a process works on: this one, or one inside of it; None: nobody does."""
    return next((run for run in (path, *_runs_inside(path)) if is_held(run / LOCK)), None)


def _runs_inside(path: Path) -> list[Path]:
    return [Path(place) for place, _, files in os.walk(path) if {LOCK, MANIFEST} & {*files} and Path(place) != path]


def _by_rule(rule: Rule, runs: Sequence[RunSummary], ages: dict[Path, float]) -> list[tuple[Path, str]]:
    found = []
    seen: Counter[Path] = Counter()
    for run in reversed(runs):  # the newest first: these are kept
        if rule.status and run.status not in rule.status:
            continue
        seen[run.path.parent] += 1
        said = [run.status]
        if rule.older_than_days is not None:
            if ages[run.path] <= rule.older_than_days * _DAY:
                continue
            said.append(f"{ages[run.path] / _DAY:,.0f} days old, more than {rule.older_than_days:,}")
        if rule.keep is not None:
            if seen[run.path.parent] <= rule.keep:
                continue
            said.append(f"{seen[run.path.parent]:,} such runs in {run.path.parent} are as new, {rule.keep:,} are kept")
        found.append((run.path, ", ".join(said)))
    return found


def _age(run: RunSummary, now: datetime) -> float:
    """Seconds since it was finished, or else begun; 0 where that is not known: such a run is not old."""
    try:
        manifest = Run(run.path).manifest
        at = datetime.fromisoformat(str(manifest.get("finished") or manifest["created"]))
    except (RunError, KeyError, ValueError):
        return 0.0
    return (now - (at if at.tzinfo else at.replace(tzinfo=timezone.utc))).total_seconds()


def _size(path: Path) -> int:
    total = 0
    for above, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(above, name)).st_size
            except OSError:  # gone meanwhile
                continue
    return total
