# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where the licenses of a machine are not enough: the evidence with a seat of the license server, if there is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.errors import Refusal
from tunesmith_enterprise.leasing.address import configured
from tunesmith_enterprise.leasing.holding import acquire

__all__ = ["with_seat"]

_NO_SEAT_HELPS: tuple[Refusal, ...] = ("no-root", "unknown-feature")


def with_seat(
    evidence: Evidence,
    feature: str,
    quantities: Mapping[str, int],
    *,
    refused: Refusal,
    places: Places,
    environ: Mapping[str, str] | None = None,
) -> Evidence | None:
    """The evidence with a seat for a job that was refused without one; None: no license server is configured, or no
    seat would change anything.

    Who has a license of their own takes no seat from others: this is asked only after that was not enough.

    Args:
        refused: why.
        environ: default: ``os.environ``.

    Raises:
        LicenseError: the server gives no seat, or does not answer and no lease from before is open.
        SettingsError: what the settings say of the server is wrong.
    """
    environ = os.environ if environ is None else environ
    server = None if refused in _NO_SEAT_HELPS else configured(environ)
    if server is None:
        return None
    state = StateFolder(places.state)
    holding = acquire(server, {feature: quantities}, evidence, state=state, environ=environ)
    return replace(evidence, seats=(*evidence.seats, holding.seat), notes=(*evidence.notes, *holding.notes))
