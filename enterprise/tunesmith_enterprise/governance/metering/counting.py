# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The counts of a month, added up: by tenant, caller, model or day; and as the lines of a signed report."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.errors import RequestError
from tunesmith.licensing.contents import Metered
from tunesmith.licensing.fields import printable
from tunesmith_enterprise.governance.metering.store import COUNTS, Month

__all__ = ["PARTS", "Sum", "metered", "span", "summed"]

PARTS: Final = ("tenant", "caller", "model", "day")
"""What can be told apart."""


class Sum(NamedTuple):
    """Counts that belong together: ``by`` has a value for each part that was asked for, ``counts`` are of `COUNTS`."""

    by: tuple[str, ...]
    counts: dict[str, int]


def summed(folder: Path, month: str, by: Sequence[str], *, tenant: str | None = None) -> list[Sum]:
    """The counts of a month, in the order of their parts.

    Args:
        by: of :data:`PARTS`.
        tenant: only this one's; "" is of nobody in particular.

    Raises:
        OutputError: the file cannot be read.
    """
    found: dict[tuple[str, ...], dict[str, int]] = {}
    for row in Month.read(folder, month):
        if tenant is None or row.key.tenant == tenant:
            sums = found.setdefault(tuple(getattr(row.key, part) for part in by), dict.fromkeys(COUNTS, 0))
            for name, count in row.counts.items():
                sums[name] += count
    return [Sum(key, counts) for key, counts in sorted(found.items())]


def metered(folder: Path, month: str) -> tuple[Metered, ...]:
    """The counts of a month by tenant, as a report has them: no caller and no model is named.

    Raises:
        OutputError: the file cannot be read.
    """
    lines = []
    for (tenant,), counts in summed(folder, month, ["tenant"]):
        whole = {name: count for name, count in counts.items() if name != "milliseconds"}
        shown = unicodedata.normalize("NFC", printable(tenant))[:200]
        lines.append(Metered(tenant=shown, **whole, seconds=round(counts["milliseconds"] / 1000)))
    return tuple(lines)


def span(month: str) -> tuple[datetime, datetime]:
    """The first moment of a month, and that of the next, in UTC.

    Raises:
        RequestError: it is no month.
    """
    if not re.fullmatch(r"2\d{3}-(0[1-9]|1[0-2])", month):
        raise RequestError("no such month", parameter="month", given=month[:100], expected="2026-11")
    begin = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=timezone.utc)
    return begin, begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
