# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The digest of a model's weights, as runs have it in their manifest: only a policy that names one asks for it."""

from __future__ import annotations

from tunesmith.errors import TunesmithError
from tunesmith_enterprise.governance.policy.subjects import Subject

__all__ = ["digest_of"]


def digest_of(subject: Subject) -> str | None:
    """``sha256:…`` of the weights in a folder; reads all of them. None: it has none, or is not on this machine."""
    if subject.place is None or not subject.place.is_dir():
        return None
    from tunesmith.models import find_model_by_name
    from tunesmith.registry import get_registry

    try:
        return find_model_by_name(str(subject.place), get_registry()).digest
    except TunesmithError:
        return None
