# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Each optimization has a day from which it needs no license; until then the license is asked, once."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from desk import DAY, NOW
from licensed import Machine, a_machine

from tunesmith_enterprise import LicenseError
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.entitlement.clock import Mark, Moment, keep_mark
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.optimizations.dates import OPTIMIZATIONS, allowed, is_open

PUBLISHED = {
    "speculative-decoding": date(2028, 11, 26),
    "compiled-decode": date(2028, 11, 26),
    "prefix-store": date(2028, 11, 26),
    "async-checkpoints": date(2028, 11, 26),
    "compile-cache": date(2028, 11, 26),
    "float8-training": date(2028, 11, 26),
}
"""As they were first told to customers. No day here is ever put off: the table grows, and its days come nearer."""
OPENS = datetime(2028, 11, 26, tzinfo=timezone.utc)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


def test_no_published_day_is_put_off_and_no_optimization_is_without_one() -> None:
    assert set(OPTIMIZATIONS) == set(PUBLISHED)
    assert all(OPTIMIZATIONS[code].opens <= day for code, day in PUBLISHED.items())


@pytest.mark.parametrize("code", OPTIMIZATIONS)
def test_before_its_day_the_license_is_asked_once(machine: Machine, code: str) -> None:
    grant = allowed(code)
    assert grant is not None
    assert (grant.feature, machine.asked) == ("optimizations", ["optimizations"])


def test_before_its_day_and_without_a_license_it_is_refused(machine: Machine) -> None:
    machine.delete()
    with pytest.raises(LicenseError, match="the feature optimizations needs a license, and none was found"):
        allowed("speculative-decoding")


@pytest.mark.parametrize("code", OPTIMIZATIONS)
def test_from_its_day_on_no_license_is_asked(machine: Machine, code: str) -> None:
    machine.delete()
    machine.now = OPENS
    assert allowed(code) is None
    assert machine.asked == []
    assert not (machine.folder / "state").exists()  # nothing is looked up, and nothing kept


def test_the_day_begins_at_midnight_in_utc() -> None:
    assert not is_open("prefix-store", OPENS - timedelta(seconds=1))
    assert is_open("prefix-store", OPENS)
    early = timezone(timedelta(hours=14))  # it is the 26th there, and still the 25th in UTC
    assert not is_open("prefix-store", datetime(2028, 11, 26, 13, 59, tzinfo=early))
    assert is_open("prefix-store", datetime(2028, 11, 26, 14, 0, tzinfo=early))


def test_a_build_without_a_root_opens_on_the_day_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith_enterprise.entitlement.gathering.this_build", Build)
    with pytest.raises(LicenseError, match="holds no root of trust"):
        allowed("async-checkpoints")
    machine.now = OPENS
    assert allowed("async-checkpoints") is None


def test_a_clock_that_is_behind_does_not_close_what_was_open(machine: Machine) -> None:
    machine.delete()
    keep_mark(StateFolder(machine.places.state), Mark(), OPENS + DAY, [Moment(OPENS, "the day before")])
    machine.now = OPENS - 300 * DAY
    assert allowed("prefix-store") is None


def test_a_clock_that_was_set_forward_once_leaves_nothing_open(machine: Machine) -> None:
    machine.delete()
    machine.now = OPENS
    assert allowed("prefix-store") is None
    machine.now = NOW
    with pytest.raises(LicenseError, match="none was found"):
        allowed("prefix-store")


def test_a_name_that_there_is_not_is_the_callers_mistake(machine: Machine) -> None:
    with pytest.raises(ValueError, match="there is no optimization 'faster'; there are speculative-decoding, "):
        allowed("faster")
    assert machine.asked == []
