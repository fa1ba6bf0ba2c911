# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The package's one gate: what its features have to say about an action, in one answer."""

from __future__ import annotations

from tunesmith.plugin import Action, Allow, Deny
from tunesmith_enterprise.checkpoints.hooks import authorize as checkpoints
from tunesmith_enterprise.distributed.hooks import authorize as distributed
from tunesmith_enterprise.governance.hooks import authorize as governance
from tunesmith_enterprise.governance.hooks import judge as policy
from tunesmith_enterprise.optimizations.compile_cache.hooks import authorize as compile_cache
from tunesmith_enterprise.optimizations.float8.hooks import authorize as float8

__all__ = ["authorize"]


def authorize(action: Action) -> Allow | Deny | None:
    """The first no; else one record with everything that was granted; None where nobody has anything to record.

    The policy comes first, before any license: its no is told, and written down, where a license is missing too, and
    what it refuses takes no seat. The audit log comes last: what is refused for another reason is not in it as begun.
    """
    records: list[Allow] = []
    for asked in (policy, distributed, checkpoints, float8, compile_cache, governance):
        answer = asked(action)
        if isinstance(answer, Deny):
            return answer
        if answer is not None:
            records.append(answer)
    if len(records) < 2:
        return records[0] if records else None
    grants = []
    for allowed in records:
        grants += [one for one in allowed.record["grants"] if one not in grants]
    others = {key: value for allowed in records for key, value in allowed.record.items() if key != "grants"}
    return Allow(record={**others, "grants": grants})
