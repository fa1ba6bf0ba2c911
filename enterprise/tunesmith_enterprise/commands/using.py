# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Use, counted from the journal: how many jobs were granted a feature under which license, and the largest of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from tunesmith.errors import RunError
from tunesmith.licensing import PublicKey
from tunesmith.licensing.contents import UsageReport, Used
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.entitlement.build import PRODUCT

__all__ = ["usage_report"]

_SECOND = timedelta(seconds=1)


def usage_report(
    log: ChainedLog,
    *,
    install_id: str,
    key: PublicKey,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> UsageReport:
    """Count the grants of a journal.

    Args:
        since, until: the span, from the first to before the second; default: from the first entry to now.
        now: aware.

    Raises:
        RunError: the journal was changed; or the span ends before it begins.
    """
    broken = log.verify() if log.path.exists() else None
    if broken is not None:
        raise RunError(
            "no report is made of a journal that was changed",
            given=f"{log.path}: {broken}",
            expected="lines that follow from each other",
            fix="`tunesmith license audit verify`; keep a copy of the file, and find out who could write it",
        )
    head = log.head()
    records = [(_time(one.time), one) for one in log.read()]
    first = min((at for at, _ in records), default=now)
    last = max((at for at, _ in records), default=now)  # after now, where the clock was set back
    begin = (since or first).replace(microsecond=0)
    end = until or max(now, last.replace(microsecond=0)) + _SECOND  # the last second counts in full
    if begin >= end:
        raise RunError(
            "the span of the report ends before it begins",
            given=f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
            expected="--since before --until",
        )
    counted: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
    for at, record in records:
        if record.event == "granted" and begin <= at < end:
            _count(counted, record.fields)
    return UsageReport(
        product=PRODUCT,
        install_id=install_id,
        key=key,
        since=begin,
        until=end,
        made_at=now,
        used=tuple(
            Used(feature=feature, license_id=license_id, jobs=jobs, most=most)
            for (feature, license_id), (jobs, most) in sorted(counted.items())
        ),
        journal_entries=head.seq,
        journal_head=head.sha256,
    )


def _count(counted: dict[tuple[str, str], tuple[int, dict[str, int]]], grant: Mapping[str, Any]) -> None:
    """One job: under the first license that it rests on, as a job is one job however many licenses allow it."""
    basis = grant.get("basis") or [{}]
    key = str(grant.get("feature")), str(basis[0].get("id"))
    jobs, most = counted.get(key, (0, {}))
    for name, wanted in grant.get("quantities", {}).items():
        most = {**most, name: max(wanted, most.get(name, 0))}
    counted[key] = jobs + 1, most


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
