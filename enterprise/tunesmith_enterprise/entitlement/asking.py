# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``require``: what a feature calls, once, at the start of a job, on its main process."""

from __future__ import annotations

import os
from dataclasses import replace

from tunesmith_enterprise.entitlement.deciding import decide
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
        ValueError: a quantity is no positive integer.

    Example::

        grant = tunesmith_enterprise.require("distributed", processes=4)
    """
    places = Places.of(os.environ)
    evidence = gather(license, places=places)
    try:
        grant = decide(feature, quantities, evidence)
    except LicenseError as refused:
        write_journal(places, "refused", feature=feature, quantities=quantities, code=refused.code)
        raise
    note = write_journal(places, "granted", **grant.to_json())
    return replace(grant, notes=(*grant.notes, note)) if note else grant
