# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The answer to a question that is asked once: what a job may use, while it runs and whenever it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, cast, get_args

from tunesmith.errors import RunError
from tunesmith.licensing import format_timestamp, parse_timestamp
from tunesmith_enterprise.entitlement.features import Effect, State

__all__ = ["Basis", "Grant"]


class Basis(NamedTuple):
    """A license, or the lease of a pool, that a grant rests on.

    Attributes:
        id: of the license or pool.
        serial: of the same.
        sha256: of its envelope: which of all documents it was, without its text.
        lease_id: of the lease; empty: it is a license.
    """

    id: str
    serial: int
    sha256: str
    lease_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Permission for one job. Immutable, plain data: it goes into the run's manifest, and to workers as it is.

    Attributes:
        feature: its code.
        quantities: what was asked for: ``{"processes": 4}``.
        effect: ``full``, or ``kept``: what is set up goes on, nothing new can be set up.
        state: of the licenses, when it was asked.
        basis: what it rests on.
        licensee: whom that was issued to.
        environment: ``production``, ``non-production``, ``ci`` or ``trial``.
        limits: of those together; a quantity that is not there has no limit.
        granted_at: aware, UTC.
        notes: for people: once a run, on the main process.
    """

    feature: str
    quantities: Mapping[str, int]
    effect: Effect
    state: State
    basis: tuple[Basis, ...]
    licensee: str
    environment: str
    limits: Mapping[str, int]
    granted_at: datetime
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for a manifest."""
        return {
            "feature": self.feature,
            "quantities": dict(self.quantities),
            "effect": self.effect,
            "state": self.state,
            "basis": [one._asdict() for one in self.basis],
            "licensee": self.licensee,
            "environment": self.environment,
            "limits": dict(self.limits),
            "granted_at": format_timestamp(self.granted_at),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: object) -> Grant:
        """The grant of a manifest.

        Raises:
            RunError: it is none.
        """
        try:
            found = cast("dict[str, Any]", value)
            if found["effect"] not in get_args(Effect) or found["state"] not in get_args(State):
                raise ValueError("an effect or a state that there is not")
            return cls(
                feature=_text(found["feature"]),
                quantities=_numbers(found["quantities"]),
                effect=found["effect"],
                state=found["state"],
                basis=tuple(Basis(**one) for one in found["basis"]),
                licensee=_text(found["licensee"]),
                environment=_text(found["environment"]),
                limits=_numbers(found["limits"]),
                granted_at=parse_timestamp(found["granted_at"], "granted_at"),
                notes=tuple(_text(note) for note in found["notes"]),
            )
        except Exception as error:
            raise RunError(
                "what the run says of its license cannot be read",
                given=f"{type(error).__name__}: {error}",
                expected="a grant, as it was written when the run began",
                fix="take the manifest of the run as it was written",
            ) from None

    def covers(self, feature: str, quantities: Mapping[str, int]) -> bool:
        """Whether it is for this feature and at least so much of it: a run may be resumed with less, not with more."""
        return self.feature == feature and all(
            wanted <= max(self.quantities.get(name, 1), self.limits.get(name, wanted))
            for name, wanted in quantities.items()
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _numbers(value: object) -> Mapping[str, int]:
    if not isinstance(value, dict) or not all(type(most) is int for most in value.values()):
        raise TypeError("quantities that are no integers")
    return MappingProxyType({_text(name): most for name, most in value.items()})
