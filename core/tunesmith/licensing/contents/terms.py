# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a license and a pool both say: for whom, what, how much, and from when until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from tunesmith.licensing.contents.parts import (
    LIMIT,
    Features,
    Licensee,
    features,
    grace_until,
    identifier,
    in_order,
    licensee,
    moment,
    one_of,
    point,
)
from tunesmith.licensing.fields import integer, text

__all__ = ["ENVIRONMENTS", "OPTIONAL", "REQUIRED", "Environment", "Terms", "read_terms"]

Environment = Literal["production", "non-production", "ci", "trial"]
ENVIRONMENTS: Final[tuple[Environment, ...]] = get_args(Environment)

REQUIRED: Final = (
    "product",
    "serial",
    "licensee",
    "edition",
    "environment",
    "features",
    "issued_at",
    "starts_at",
    "grace_days",
)
OPTIONAL: Final = ("expires_at", "maintenance_until")
_GRACE: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a license or a pool.

    Attributes:
        product: what it is for; a reader of another product leaves it aside.
        serial: 1, 2, 3 … each time it is issued; the highest one counts.
        edition: a name for people.
        features: see :data:`~tunesmith.licensing.contents.parts.Features`.
        issued_at, starts_at: aware, UTC.
        expires_at: ends the term; None: never.
        grace_days: how long after that everything goes on.
        maintenance_until: builds made before it stay licensed after the term.
    """

    product: str
    serial: int
    licensee: Licensee
    edition: str
    environment: Environment
    features: Features
    issued_at: datetime
    starts_at: datetime
    expires_at: datetime | None = None
    grace_days: int = 14
    maintenance_until: datetime | None = None

    @property
    def grace_until(self) -> datetime | None:
        """The end of the days of grace; None: the term has no end."""
        return grace_until(self.expires_at, self.grace_days)

    def _terms(self) -> dict[str, Any]:
        """Their fields of a payload; what :func:`read_terms` reads."""
        return {
            "product": self.product,
            "serial": self.serial,
            "licensee": {"name": self.licensee.name, "id": self.licensee.id},
            "edition": self.edition,
            "environment": self.environment,
            "features": self.features,
            "issued_at": self.issued_at,
            "starts_at": self.starts_at,
            "expires_at": self.expires_at,
            "grace_days": self.grace_days,
            "maintenance_until": self.maintenance_until,
        }


def read_terms(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The attributes of :class:`Terms`, from the fields of a payload that has all that are required.

    Args:
        what: whose they are, for errors: ``the license``.

    Raises:
        SignedDocumentError: a field is of another type, or of a value that makes no sense.
    """
    found = {
        "product": identifier(value["product"], "the product"),
        "serial": integer(value["serial"], f"{what}'s serial", least=1, most=LIMIT),
        "licensee": licensee(value["licensee"]),
        "edition": text(value["edition"], "the edition"),
        "environment": one_of(value["environment"], ENVIRONMENTS, "the environment"),
        "features": features(value["features"]),
        "issued_at": point(value["issued_at"], f"issued_at of {what}"),
        "starts_at": point(value["starts_at"], f"starts_at of {what}"),
        "expires_at": moment(value, "expires_at", what),
        "grace_days": integer(value["grace_days"], "the days of grace", least=0, most=_GRACE),
        "maintenance_until": moment(value, "maintenance_until", what),
    }
    in_order(what, starts_at=found["starts_at"], expires_at=found["expires_at"])
    return found
