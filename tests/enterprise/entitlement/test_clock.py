# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What time it is: turned back, turned on, wrong, damaged, raced for."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from desk import DAY, NOW

from tunesmith.licensing import format_timestamp
from tunesmith_enterprise.entitlement.clock import BEHIND, GAP, Mark, Moment, advance, forget_mark, present, read_mark

HOUR = timedelta(hours=1)
BUILT = Moment(NOW - 300 * DAY, "this build was made")
FAR = datetime(2099, 1, 1, tzinfo=timezone.utc)


def after(*times, mark=None, known=(BUILT,)):
    mark = mark or Mark()
    for system in times:
        mark = advance(mark, system, known)
    return mark


# ---- the rule ------------------------------------------------------------------------------------


def test_the_mark_follows_the_clock():
    assert after(NOW, known=[Moment(NOW - DAY, "")]).at == NOW
    assert after(NOW + HOUR, mark=Mark(NOW)).at == NOW + HOUR
    assert after(NOW + GAP, mark=Mark(NOW)) == Mark(NOW + GAP)
    assert after(NOW - HOUR, mark=Mark(NOW)) == Mark(NOW)
    assert after(NOW - 2000 * DAY, mark=Mark(NOW)) == Mark(NOW)


def test_what_lies_beyond_a_gap_waits_for_a_start_a_day_later():
    assert after(NOW) == Mark(None, NOW)
    assert after(NOW, NOW + 23 * HOUR) == Mark(None, NOW)
    assert after(NOW, NOW + 24 * HOUR) == Mark(NOW + 24 * HOUR)
    assert after(NOW, NOW + 60 * DAY) == Mark(NOW, NOW + 60 * DAY)
    assert after(NOW, NOW + 60 * DAY, NOW + 62 * DAY) == Mark(NOW + 62 * DAY)


def test_row_22_a_clock_that_was_in_2099_once_is_forgotten():
    assert after(FAR, mark=Mark(NOW)) == Mark(NOW, FAR)
    assert after(FAR, FAR + HOUR, NOW + DAY, mark=Mark(NOW)) == Mark(NOW + DAY)
    # Also on a machine whose mark is old, or that has none.
    assert after(FAR, NOW + 90 * DAY, mark=Mark(NOW)) == Mark(NOW, NOW + 90 * DAY)
    assert after(FAR, NOW, NOW + DAY, known=()) == Mark(NOW + DAY)


def test_a_clock_that_is_in_2099_for_good_is_believed_after_a_day():
    assert after(FAR, FAR + DAY, mark=Mark(NOW)) == Mark(FAR + DAY)


@pytest.mark.parametrize("days", list(itertools.permutations((0, 1, 40, 400, 26_000), 4)))
def test_the_mark_is_never_later_than_the_clock_ever_was_and_never_goes_back(days):
    mark, seen = Mark(NOW - DAY), []
    for day in days:
        seen.append(NOW + day * DAY)
        before, mark = mark.at, advance(mark, seen[-1], [BUILT])
        assert before <= mark.at <= max(*seen, NOW - DAY)
        assert mark.waiting is None or mark.waiting in seen


def test_the_ends_of_the_calendar_are_no_error():
    last = datetime.max.replace(tzinfo=timezone.utc, microsecond=0)
    first = datetime.min.replace(tzinfo=timezone.utc)
    assert after(last, mark=Mark(NOW)).waiting == last
    assert after(first, mark=Mark(last)).at == last
    assert present(Mark(last), first)[0] == last


@pytest.mark.parametrize(
    ("behind", "told"), [(timedelta(seconds=60), False), (HOUR, False), (BEHIND, False), (BEHIND + HOUR, True)]
)
def test_row_22_a_clock_that_is_behind_is_told_of_after_a_day(behind, told):
    now, notes = present(Mark(NOW), NOW - behind, [BUILT])
    assert now == NOW
    assert bool(notes) is told


def test_the_note_says_where_the_later_time_comes_from():
    _, (note,) = present(Mark(NOW), NOW - 2000 * DAY, [BUILT])
    assert "2021-06-05T12:00:00Z, which is before an earlier start on this machine (2026-11-26T12:00:00Z)" in note
    assert "or if it is right, forget that start: `tunesmith license doctor --forget-clock`" in note
    _, (note,) = present(Mark(), NOW - 2000 * DAY, [BUILT, Moment(NOW, "the license lic-1 was issued")])
    assert "before the license lic-1 was issued (2026-11-26" in note
    assert note.endswith("or if it is right, tell the vendor")


# ---- with files ----------------------------------------------------------------------------------


def kept(bench):
    return json.loads((bench.places.state / "clock.json").read_text())


def test_row_22_a_clock_turned_back_by_years_gains_nothing(bench):
    bench.put("user", bench.desk.license())
    for day in range(3):
        assert bench.gather(now=NOW + day * DAY).facts.now == NOW + day * DAY
    back = bench.gather(now=NOW - 5 * 365 * DAY)
    assert back.facts.now == NOW + 2 * DAY
    assert len(back.held) == 1
    assert "which is before an earlier start on this machine" in back.notes[0]
    assert bench.gather(now=NOW + 3 * DAY).notes == ()


def test_row_22_without_a_state_the_build_and_the_documents_tell_the_time(bench):
    long_ago = NOW - 5 * 365 * DAY
    assert bench.gather(now=long_ago).facts.now == bench.build.built_at
    bench.put("user", bench.desk.license(issued_at=NOW - 3 * DAY))
    evidence = bench.gather(now=long_ago)
    assert evidence.facts.now == NOW - 3 * DAY
    assert "the license lic-1 was issued" in evidence.notes[0]
    bench.put("user", bench.desk.revocations(at=NOW - DAY), name="r.lic")
    assert bench.gather(now=long_ago).facts.now == NOW - DAY


def test_row_24_a_build_that_does_not_say_when_it_was_made_tells_no_time(bench):
    long_ago = NOW - 5 * 365 * DAY
    evidence = bench.gather(build=replace(bench.build, built_at=None), now=long_ago)
    assert (evidence.facts.now, evidence.facts.built_at, evidence.notes) == (long_ago, None, ())


def test_row_24_a_build_from_the_future_is_the_later_time_and_told_of(bench):
    evidence = bench.gather(build=replace(bench.build, built_at=NOW + 3 * DAY))
    assert evidence.facts.now == NOW + 3 * DAY
    assert "which is before this build was made (2026-11-29T12:00:00Z)" in evidence.notes[0]


def test_what_a_document_says_of_the_time_is_forgotten_with_it(bench):
    path = bench.put("user", bench.desk.license(issued_at=NOW + 900 * DAY, starts_at=NOW))
    assert bench.gather().facts.now == NOW + 900 * DAY
    path.unlink()
    assert bench.gather().facts.now == NOW


def test_documents_of_strangers_say_nothing_of_the_time(bench):
    from desk import Desk

    bench.put("user", Desk().license(issued_at=NOW + 900 * DAY), Desk().revocations(at=NOW + 800 * DAY))
    assert bench.gather().facts.now == NOW


def test_row_22_forward_once_and_back_locks_nobody_out(bench):
    for system in (NOW, NOW + DAY, FAR, FAR + HOUR):
        assert bench.gather(now=system).facts.now == system
    evidence = bench.gather(now=NOW + 2 * DAY)
    assert (evidence.facts.now, evidence.notes) == (NOW + 2 * DAY, ())


def test_a_mark_that_is_wrong_for_good_is_forgotten_on_request(bench):
    for system in (NOW, NOW + DAY, FAR, FAR + DAY):
        bench.gather(now=system)
    evidence = bench.gather(now=NOW + 2 * DAY)
    assert evidence.facts.now == FAR + DAY
    assert "`tunesmith license doctor --forget-clock`" in evidence.notes[0]
    assert forget_mark(bench.state) is True
    assert forget_mark(bench.state) is False
    evidence = bench.gather(now=NOW + 2 * DAY)
    assert (evidence.facts.now, evidence.notes) == (NOW + 2 * DAY, ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b"\xff\xfe",
        b"[]",
        b'{"schema": 1, "at": 3}',
        b'{"schema": 1, "at": "2026-13-01T00:00:00Z"}',
        b'{"schema": 1, "at": "2026-01-01T00:00:00Z", "at": "2027-01-01T00:00:00Z"}',
        b'{"schema": 2}',
        b'{"schema": 1, "more": 1}',
        b"[" * 10_000,
        b"A" * (5 << 20),
    ],
)
def test_row_22_a_damaged_mark_is_a_note_and_begun_anew(bench, content):
    bench.write("state/clock.json", content)
    evidence = bench.gather()
    assert evidence.facts.now == NOW
    assert any("the mark of the clock" in note for note in evidence.notes)
    assert kept(bench)["at"] == format_timestamp(NOW)
    assert bench.gather().notes == ()


def test_row_22_a_mark_from_the_future_is_used_and_told_of(bench):
    bench.write("state/clock.json", '{"schema": 1, "at": "2999-01-01T00:00:00Z", "waiting": null}')
    evidence = bench.gather()
    assert evidence.facts.now.year == 2999
    assert "`tunesmith license doctor --forget-clock`" in evidence.notes[0]


def test_a_pipe_in_the_place_of_the_mark_is_a_note(bench):
    import os

    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no such pipes here")
    bench.places.state.mkdir()
    os.mkfifo(bench.places.state / "clock.json")
    assert "the mark of the clock" in bench.gather().notes[0]


def test_the_mark_is_not_written_at_every_start(bench):
    bench.gather()
    written = (bench.places.state / "clock.json").stat().st_ino
    for minutes in (1, 30, 59):
        bench.gather(now=NOW + timedelta(minutes=minutes))
    assert (bench.places.state / "clock.json").stat().st_ino == written
    bench.gather(now=NOW + HOUR)
    assert kept(bench)["at"] == format_timestamp(NOW + HOUR)


def test_a_process_that_waited_does_not_take_the_mark_back(bench, monkeypatch):
    from tunesmith_enterprise.entitlement import clock

    bench.gather()
    stale, _ = read_mark(bench.state)
    bench.gather(now=NOW + 5 * DAY)
    clock.keep_mark(bench.state, stale, NOW + 2 * DAY, [BUILT])
    assert kept(bench)["at"] == format_timestamp(NOW + 5 * DAY)
