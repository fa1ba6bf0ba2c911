# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The optimizations, and the day on which each is open to all. This table is the one place.

The policy: two years after the first release that has it, at the latest, an optimization moves into the MIT core, and
from that day on the one in this package needs no license either, in builds that are already out too. A day that was
published comes nearer or stays; it is never put off. ``tunesmith license features`` prints the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

import tunesmith_enterprise

if TYPE_CHECKING:
    from tunesmith_enterprise.entitlement.grant import Grant

__all__ = ["OPTIMIZATIONS", "Optimization", "allowed", "is_open"]


class Optimization(NamedTuple):
    """A faster way to the same answers.

    Attributes:
        code: its name for programs.
        title: for people.
        opens: the day, in UTC, from whose beginning it needs no license.
    """

    code: str
    title: str
    opens: date


_WITH_0_1: Final = date(2028, 11, 26)
"""Of what came with release 0.1, whose first build is of 2026-11-26."""

OPTIMIZATIONS: Final[Mapping[str, Optimization]] = {
    one.code: one
    for one in (
        Optimization("speculative-decoding", "Several tokens a step: guessed, then verified", _WITH_0_1),
        Optimization(
            "compiled-decode",
            "Weights of bf16 in 12 bits, and several steps of one answer in one call of machine code",
            _WITH_0_1,
        ),
        Optimization("prefix-store", "Computed beginnings of prompts, kept over restarts", _WITH_0_1),
        Optimization("async-checkpoints", "Checkpoints written while training goes on", _WITH_0_1),
        Optimization("compile-cache", "Machine code compiled once for a team", _WITH_0_1),
        Optimization("float8-training", "Training whose layers multiply numbers of eight bits", _WITH_0_1),
    )
}
"""By their codes."""


def is_open(code: str, now: datetime) -> bool:
    """Whether an optimization needs no license at a point in time.

    Args:
        code: of ``OPTIMIZATIONS``.
        now: aware.
    """
    return now.astimezone(timezone.utc).date() >= _named(code).opens


def allowed(code: str) -> Grant | None:
    """Ask whether a job or a server may use an optimization. Once, before it begins, on the main process.

    Args:
        code: of ``OPTIMIZATIONS``.

    Returns:
        None: it is open to all by now, and no license was looked for. Else the grant of the feature ``optimizations``.

    Raises:
        LicenseError: it is not open yet, and not licensed here; nothing was begun.
        ValueError: there is no such optimization: a mistake of the caller.
    """
    from tunesmith_enterprise.entitlement.gathering import present_moment  # not before it is needed

    if is_open(code, present_moment()):
        return None
    return tunesmith_enterprise.require("optimizations")


def _named(code: str) -> Optimization:
    found = OPTIMIZATIONS.get(code)
    if found is None:
        raise ValueError(f"there is no optimization {code!r}; there are {', '.join(OPTIMIZATIONS)}")
    return found
