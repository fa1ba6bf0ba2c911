# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a gate answers with: the grants of a run, as its manifest has them (anybody may have written there), or a no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tunesmith.errors import TunesmithError
from tunesmith.plugin import Action, Deny
from tunesmith_enterprise.entitlement.grant import Grant

__all__ = ["denied", "grants_of", "job_of", "recorded"]

_PLUGIN: Final = "enterprise"


def recorded(action: Action) -> list[Any]:
    """What the run that is resumed has under ``allowed.enterprise.grants``; nothing, where none is resumed."""
    grants = _record(action.details).get("grants")
    return list(grants) if isinstance(grants, list) else []


def job_of(manifest: Mapping[str, Any]) -> str:
    """The token of the job of several processes that last worked on a run; empty: none did."""
    token = _record(manifest).get("job")
    return token if isinstance(token, str) else ""


def grants_of(values: Sequence[Any]) -> Iterator[Grant]:
    """Those of them that can be read; for another the license is asked, as if nothing stood there."""
    for value in values:
        try:
            yield Grant.from_json(value)
        except TunesmithError:
            continue


def _record(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    allowed = holder.get("allowed")
    record = allowed.get(_PLUGIN) if isinstance(allowed, Mapping) else None
    return record if isinstance(record, Mapping) else {}


def denied(error: TunesmithError) -> Deny:
    """An error as the reason of a no, in one line."""
    what = error.what if error.given is None else f"{error.what}: {error.given}"
    wanted = "" if error.expected is None else f"; expected {error.expected}"
    return Deny(reason=" ".join(f"{what}{wanted}".split()), fix=error.fix)
