# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``require``: what a feature calls, once, at the start of a job, on its main process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.entitlement.journal import write_journal
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.sources import Argument
from tunesmith_enterprise.errors import LicenseError

__all__ = ["require"]


def require(feature: str, /, *, license: Argument = None, **quantities: int) -> Grant:  # noqa: A002 - its name everywhere
    """Ask whether a job may use a feature, and how much of it.

    Ask once, before anything of the job has begun, on the main process; keep the grant with the job, and give it to its
    workers. What is granted holds for as long as the job runs and whenever it is resumed.

    Args:
        feature: a code of ``tunesmith license features``.
        license: one more license beside those that are installed: its text or bytes, or a path.
        quantities: how much of the feature: ``processes=4``, ``nodes=2``, ``gpus=8``, ``seats=3``. What is not named is
            not limited.

    Raises:
        LicenseError: it may not; nothing was begun. ``code`` says why, the text what to do.
        SettingsError: a license server would have to be asked, and what the settings say of it is wrong.
        ValueError: a quantity is no positive integer.

    Example::

        grant = tunesmith_enterprise.require("distributed", processes=4)
    """
    places = Places.of(os.environ)
    evidence = gather(license, places=places)
    try:
        grant = _decided(feature, quantities, evidence, places)
    except LicenseError as refused:
        write_journal(places, "refused", feature=feature, quantities=quantities, code=refused.code)
        raise
    note = write_journal(places, "granted", **grant.to_json())
    return replace(grant, notes=(*grant.notes, note)) if note else grant


def _decided(feature: str, quantities: Mapping[str, int], evidence: Evidence, places: Places) -> Grant:
    """By the licenses of this machine, or else with a seat of the license server, if one is configured."""
    try:
        return decide(feature, quantities, evidence)
    except LicenseError as refused:
        from tunesmith_enterprise.leasing import with_seat  # not before it is needed

        seated = with_seat(evidence, feature, quantities, refused=refused.code, places=places)
        if seated is None:
            raise
    return decide(feature, quantities, seated)
