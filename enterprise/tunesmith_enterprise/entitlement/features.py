# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The licensed features, and what each state of a license means for each of them. This table is the one place.

It is asked by ``decide``, printed by ``tunesmith license features`` and ``simulate-expiry``, and makes the page
docs/reference/license-states.md. In no row is anything of the MIT core: that asks for no license.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

__all__ = ["FEATURES", "QUANTITIES", "STATES", "Effect", "Feature", "Meaning", "State"]

State = Literal["valid", "expiring", "trial", "grace", "fallback", "expired", "upcoming", "revoked", "invalid", "none"]
STATES: Final[Mapping[State, str]] = {
    "valid": "its term runs, or has no end and this build is from the time of maintenance",
    "expiring": "its term ends within 60 days",
    "trial": "a trial, whose term runs",
    "grace": "its term is over, its days of grace are not",
    "fallback": "its term is over, and this build was made before the end of maintenance: it stays licensed for ever",
    "expired": "its term and its days of grace are over, or this build is newer than its maintenance",
    "upcoming": "its term has not begun",
    "revoked": "its issuer has taken it back",
    "invalid": "what was found is damaged, not signed by the vendor, or for another place or product",
    "none": "nothing was found",
}
"""The states and when a license is in them, the best first: of several licenses the best state counts."""

Effect = Literal["full", "kept", "off"]
"""``full``: as bought. ``kept``: what is set up goes on, nothing new can be set up. ``off``: new jobs are refused."""

QUANTITIES: Final[Mapping[str, str]] = {
    "processes": "processes of one job",
    "nodes": "machines of one job",
    "gpus": "GPUs of one job",
    "seats": "people with a key of their own, or with a token in this month",
}
"""What limits count. A license without a limit has none."""


class Meaning(NamedTuple):
    """What a state means for a feature: for programs, and for people."""

    effect: Effect
    words: str


class Feature(NamedTuple):
    """A licensed feature."""

    code: str
    title: str
    meanings: Mapping[State, Meaning]


_LATER: Final = "Jobs that run finish, their runs can be resumed, and what they wrote opens in the core."


def _feature(code: str, title: str, *, expired: Meaning, without: str) -> Feature:
    """A row of the table.

    Args:
        expired: what is left when the term is over.
        without: what people have without the feature.
    """
    full = Meaning("full", "Everything works.")
    return Feature(
        code,
        title,
        {
            "valid": full,
            "expiring": Meaning("full", "Everything works; each run says once when the license ends."),
            "trial": Meaning("full", "Everything works until the end of the trial."),
            "grace": Meaning("full", "Everything works; each run says once that the license has ended."),
            "fallback": Meaning("full", "Everything works with this build, for ever; newer builds need a new term."),
            "expired": expired,
            "upcoming": Meaning("off", f"Not yet. {without}"),
            "revoked": Meaning("off", f"New jobs that ask for it are refused. {without} {_LATER}"),
            "invalid": Meaning("off", f"As without a license; `tunesmith license doctor` says why. {without}"),
            "none": Meaning("off", f"Jobs that ask for it are refused. {without}"),
        },
    )


FEATURES: Final[Mapping[str, Feature]] = {
    feature.code: feature
    for feature in (
        _feature(
            "distributed",
            "Training on several processes and machines",
            expired=Meaning("off", f"New jobs on several processes are refused. {_LATER}"),
            without="The same recipe trains in one process.",
        ),
        _feature(
            "optimizations",
            "Optimizations before they come into the core",
            expired=Meaning("off", f"New jobs and servers that ask for them are refused. {_LATER}"),
            without="The same recipe runs at the speed of the core.",
        ),
        _feature(
            "priority",
            "Classes of requests, tenants and quotas",
            expired=Meaning(
                "kept", "Servers start and keep the classes and quotas that are set up; changes of them are refused."
            ),
            without="The server treats all requests alike.",
        ),
        _feature(
            "governance",
            "Audit log, roles, policies and metering",
            expired=Meaning(
                "kept",
                "What is set up goes on: the audit log is written, roles and policies hold. Nothing new can be set up.",
            ),
            without=(
                "Where the settings ask for governance, models can be opened and exported as the policy allows; "
                "nothing new begins."
            ),
        ),
    )
}
"""By their codes."""
