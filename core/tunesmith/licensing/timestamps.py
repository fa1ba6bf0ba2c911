# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Points in time, written in one way only: ``2026-11-26T12:00:00Z``.

``datetime.fromisoformat`` also takes weeks, dates without dashes and offsets; which of them depends on the Python.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from tunesmith.licensing.reasons import refusal, shown

__all__ = ["format_timestamp", "parse_timestamp", "timestamp_in_words"]

_FORM = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


def parse_timestamp(value: object, where: str) -> datetime:
    """The point in time, aware, in UTC.

    Raises:
        SignedDocumentError: ``timestamp``: another form, or a day or second that does not exist (second 60 neither).
    """
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found:
        year, month, day, hour, minute, second = map(int, found.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        except ValueError:
            pass  # 30 February
    raise refusal(
        "timestamp",
        f"{where} is no point in time",
        given=shown(value) if isinstance(value, str) else type(value).__name__,
        expected="YYYY-MM-DDTHH:MM:SSZ, e.g. 2026-11-26T12:00:00Z",
    )


def format_timestamp(moment: datetime) -> str:
    """The text of a point in time; parts of a second are cut off.

    Raises:
        ValueError: ``moment`` does not say in which time zone it is.
    """
    if moment.tzinfo is None:
        raise ValueError("the time has no time zone: pass an aware datetime, e.g. datetime.now(timezone.utc)")
    moment = moment.astimezone(timezone.utc)
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%SZ}"  # %Y drops the zeros of early years on some systems


def timestamp_in_words(moment: datetime, now: datetime) -> str:
    """A point in time for people: ``2026-12-08 12:00 UTC, in 12 days``. Parts of a day, hour or minute are cut off."""
    seconds = int((moment - now).total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if number := abs(seconds) // length:
            amount = f"{number:,} {unit}{'' if number == 1 else 's'}"
            return f"{_day_and_time(moment)}, {f'in {amount}' if seconds > 0 else f'{amount} ago'}"
    return f"{_day_and_time(moment)}, now"


def _day_and_time(moment: datetime) -> str:
    text = format_timestamp(moment)
    return f"{text[:10]} {text[11:16]} UTC"
