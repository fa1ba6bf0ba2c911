# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What time it is, for licenses: never before the latest moment that is known to have been.

That moment is the latest of these: when this build was made; when the vendor signed what is at hand; and the mark, the
latest time that an earlier start saw on the system's clock. A clock that was turned back gains nothing, and a wrong one
must not lock anybody out:

- The mark follows the clock, except over a gap of more than 31 days. What lies beyond such a gap is believed when a
  start a day later, by the same clock, still says so. So a clock that was in 2099 once is forgotten at the next start.
- A clock up to 24 hours behind is no matter: zones, two systems on one machine, a server that sets it. The later time
  is used and nothing is said.
- One that is further behind is told of, with where the later time comes from. A mark that is wrong nevertheless is
  forgotten on request, see :func:`forget_mark`: whoever can do that could as well delete the file.

What the vendor signed is not part of the mark: if the vendor's clock was wrong, its next license mends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import format_timestamp, members, parse_json, parse_timestamp
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["BEHIND", "GAP", "Mark", "Moment", "advance", "forget_mark", "keep_mark", "present", "read_mark"]

GAP: Final = timedelta(days=31)
BEHIND: Final = timedelta(hours=24)
_CONFIRMED: Final = timedelta(hours=24)
_STEP: Final = timedelta(hours=1)
"""The mark is written when it has moved by this much: not at every start."""
_FILE: Final = "clock.json"


class Mark(NamedTuple):
    """What earlier starts saw on the system's clock.

    Attributes:
        at: the latest time that is believed; None: none yet.
        waiting: a time far after it that waits for being confirmed; None: none.
    """

    at: datetime | None = None
    waiting: datetime | None = None


class Moment(NamedTuple):
    """A point in time that has been, and how that is known: ``when the license lic-1 was issued``."""

    at: datetime
    known: str


def advance(mark: Mark, system: datetime, known: Iterable[Moment] = ()) -> Mark:
    """The mark after a start at a time of the system's clock.

    Args:
        mark: before.
        system: aware.
        known: from elsewhere; no gap is counted from before these.
    """
    before = [moment.at for moment in known] + ([mark.at] if mark.at else [])
    if before and system - max(before) <= GAP:
        return Mark(max(mark.at, system) if mark.at else system)
    if mark.waiting is None or system < mark.waiting:
        return Mark(mark.at, system)
    if system - mark.waiting >= _CONFIRMED:
        return advance(Mark(mark.waiting), system)
    return mark


def present(mark: Mark, system: datetime, known: Iterable[Moment] = ()) -> tuple[datetime, tuple[str, ...]]:
    """What time it is, and a note if that is not what the system's clock says."""
    marked = Moment(mark.at, "an earlier start on this machine") if mark.at is not None else None
    moments = [*known, *([marked] if marked else [])]
    latest = max(moments, key=lambda moment: moment.at, default=None)
    if latest is None or latest.at <= system:
        return system, ()
    if latest.at - system <= BEHIND:
        return latest.at, ()
    mend = "forget that start: `tunesmith license doctor --forget-clock`" if latest is marked else "tell the vendor"
    note = (
        f"the system's clock says {format_timestamp(system)}, which is before {latest.known} "
        f"({format_timestamp(latest.at)}); the later time is used for licenses. Set the clock right, "
        f"or if it is right, {mend}"
    )
    return latest.at, (note,)


def read_mark(state: StateFolder) -> tuple[Mark, tuple[str, ...]]:
    """The mark that is kept, and a note if it is of no use: then a new one is begun."""
    try:
        content = state.read(_FILE)
        if content is None:
            return Mark(), ()
        value = members(parse_json(content), "the mark", required=("schema",), optional=("at", "waiting"))
        if value["schema"] != 1:
            return Mark(), ("the mark of the clock was kept by a newer release, and is not used",)
        at, waiting = (
            None if value.get(name) is None else parse_timestamp(value[name], "the mark") for name in ("at", "waiting")
        )
    except SignedDocumentError as error:
        return Mark(), (f"the mark of the clock cannot be used and is begun anew: {error.what}",)
    return Mark(at, waiting), ()


def keep_mark(state: StateFolder, mark: Mark, system: datetime, known: Iterable[Moment] = ()) -> None:
    """Move the mark that is kept, if it has to move by an hour or more.

    Args:
        mark: as it was read.

    Raises:
        OSError: it could not be kept.
    """
    known = list(known)
    if not _moves(mark, system, known):
        return
    with state.alone() as alone:
        mark, _ = read_mark(state)  # another process may have moved it
        after = advance(mark, system, known)
        if alone and _moves(mark, system, known):
            texts = {
                name: f'"{format_timestamp(moment)}"' if moment else "null"
                for name, moment in (("at", after.at), ("waiting", after.waiting))
            }
            state.write(_FILE, f'{{"schema": 1, "at": {texts["at"]}, "waiting": {texts["waiting"]}}}\n'.encode())


def forget_mark(state: StateFolder) -> bool:
    """Begin anew: for a mark that a wrong clock left. False: there was none.

    Raises:
        OSError: the file cannot be removed.
    """
    return state.remove(_FILE)


def _moves(mark: Mark, system: datetime, known: Iterable[Moment]) -> bool:
    after = advance(mark, system, known)
    if after.waiting != mark.waiting:
        return True
    return after.at is not None and (mark.at is None or after.at - mark.at >= _STEP)
