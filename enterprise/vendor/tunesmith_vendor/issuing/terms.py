# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Days and lengths of time as people write them in orders."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta, timezone
from typing import Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import parse_timestamp
from tunesmith_vendor.errors import VendorError

__all__ = ["after", "moment", "refuse_length"]

_LENGTH: Final = re.compile(r"([1-9][0-9]{0,4})([dmy])")
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def moment(value: object, where: str) -> datetime:
    """A point in time: ``2027-12-31`` is the first second of that day in UTC, ``2027-12-31T18:00:00Z`` itself.

    Args:
        value: a text, or what TOML makes of a day or time.

    Raises:
        VendorError: it is neither; or a time without its zone.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc).replace(microsecond=0)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    if isinstance(value, str):
        day = _DAY.fullmatch(value)
        try:
            if day:
                year, month, number = map(int, day.groups())
                return datetime(year, month, number, tzinfo=timezone.utc)
            return parse_timestamp(value, where)
        except (ValueError, SignedDocumentError):
            pass
    raise VendorError(
        f"{where} is no day and no time",
        given=value if isinstance(value, (str, datetime)) else type(value).__name__,
        expected="2027-12-31 (its first second, UTC) or 2027-12-31T18:00:00Z",
    )


def after(start: datetime, length: object, where: str) -> datetime:
    """``start`` and ``length`` more: ``90d``, ``12m`` or ``1y``. A month after 31 January is the last of February.

    Raises:
        VendorError: it is no length, or leads beyond the year 9999.
    """
    number, unit = refuse_length(length, where)
    try:
        if unit == "d":
            return start + timedelta(days=number)
        months = start.month - 1 + number * (12 if unit == "y" else 1)
        year, month = start.year + months // 12, months % 12 + 1
        return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))
    except (ValueError, OverflowError):
        raise VendorError(f"{where} is too long", given=length, expected="an end before the year 10000") from None


def refuse_length(length: object, where: str) -> tuple[int, str]:
    """The number and unit of a length of time.

    Raises:
        VendorError: it is none.
    """
    found = _LENGTH.fullmatch(length) if isinstance(length, str) else None
    if not found:
        raise VendorError(
            f"{where} is no length of time",
            given=length if isinstance(length, str) else type(length).__name__,
            expected="days, months or years: 90d, 12m, 1y",
        )
    return int(found[1]), found[2]
