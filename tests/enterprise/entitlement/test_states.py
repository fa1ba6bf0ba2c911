# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The state of one license, second by second, and wherever it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from desk import DAY, NOW, a_license, a_pool, new_key

from tunesmith.licensing.contents import Binding, Revocation, Revocations
from tunesmith_enterprise.entitlement.build import PRODUCT
from tunesmith_enterprise.entitlement.evidence import Facts
from tunesmith_enterprise.entitlement.features import FEATURES, STATES
from tunesmith_enterprise.entitlement.states import coming, judge, warning

SECOND = timedelta(seconds=1)
BUILT = NOW - 30 * DAY


def state(document, now=NOW, built_at=BUILT, **facts):
    return judge(document, Facts(now=now, built_at=built_at, **facts), None).state


START, END = NOW, NOW + 365 * DAY
TERM = a_license(starts_at=START, expires_at=END, grace_days=14)
GRACE_END = END + 14 * DAY


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (START - DAY - SECOND, "upcoming"),
        (START - DAY, "valid"),  # the clocks of vendor and customer need not agree
        (START, "valid"),
        (END - 60 * DAY - SECOND, "valid"),
        (END - 60 * DAY, "expiring"),
        (END - SECOND, "expiring"),
        (END, "grace"),
        (GRACE_END - SECOND, "grace"),
        (GRACE_END, "expired"),
        (GRACE_END + 10_000 * DAY, "expired"),
    ],
)
def test_a_term_has_edges_that_are_exact_to_the_second(now, expected):
    assert state(TERM, now) == expected


@pytest.mark.parametrize(
    ("built", "expected"), [(END - SECOND, "fallback"), (END, "expired"), (END + SECOND, "expired")]
)
def test_after_the_term_a_build_from_before_the_end_of_maintenance_stays_licensed(built, expected):
    bought = replace(TERM, maintenance_until=END)
    assert state(bought, GRACE_END, built) == expected
    assert state(bought, GRACE_END + 20_000 * DAY, built) == expected
    assert state(bought, START, built) == "valid", "within the term every build is licensed"


def test_a_build_of_unknown_date_was_made_before_nothing():
    assert state(replace(TERM, maintenance_until=END), GRACE_END, None) == "expired"


def test_a_license_without_end_is_for_builds_from_the_time_of_maintenance():
    bought = a_license(expires_at=None, maintenance_until=END)
    late = datetime(9999, 12, 31, tzinfo=timezone.utc)
    assert state(bought, late, END - SECOND) == "valid"
    newer = judge(bought, Facts(now=NOW, built_at=END), None)
    assert (newer.state, newer.code) == ("expired", "newer-build")
    assert "its maintenance ended on 2027-11-26T12:00:00Z, and this build was made on 2027-11-26T12:00:00Z" in newer.why
    assert state(a_license(expires_at=None), late, END) == "valid"


def test_a_trial_says_that_it_is_one_and_ends_like_any_term():
    trial = replace(TERM, environment="trial", grace_days=0)
    assert [state(trial, now) for now in (START, END - SECOND, END)] == ["trial", "trial", "expired"]


@pytest.mark.parametrize(
    ("kind", "value", "fact", "here", "elsewhere"),
    [
        ("install-id", "in-1", "install_id", "in-1", "in-2"),
        ("cluster-id", "blue", "cluster_id", "blue", None),
        ("domain", "example.org", "domain", "gpu7.Example.org", "notexample.org"),
        ("domain", ".example.org", "domain", "gpu7.example.org", ""),
        ("oem", "helpdesk", "product", "helpdesk", None),
    ],
)
def test_a_bound_license_counts_where_it_is_bound_to(kind, value, fact, here, elsewhere):
    bound = a_license(binding=Binding(kind, (value, "another")))
    assert state(bound, **{fact: here}) == "valid"
    judgement = judge(bound, Facts(now=NOW, built_at=BUILT, **{fact: elsewhere}), None)
    assert (judgement.state, judgement.code) == ("invalid", "binding")
    assert f"{value} or another" in judgement.why
    assert (f"this is {elsewhere}" if elsewhere else "this one has no name") in judgement.why


def test_a_license_for_continuous_integration_counts_there_only():
    bought = a_license(environment="ci")
    assert state(bought, ci=True) == "valid"
    assert judge(bought, Facts(now=NOW), None).code == "environment"


def test_a_revoked_license_is_revoked_wherever_it_is_and_one_issued_after_is_not():
    entry = Revocation("license", "lic-1", 2, NOW - DAY, "the key was in a public repository")
    listed = Revocations(PRODUCT, 1, NOW, (entry,))
    facts = Facts(now=NOW, built_at=BUILT)
    found = [judge(a_license(serial=serial), facts, listed) for serial in (1, 2, 3)]
    assert [one.state for one in found] == ["revoked", "revoked", "valid"]
    assert found[0].why == "it was revoked since 2026-11-25: the key was in a public repository"
    assert judge(a_pool(new_key(), pool_id="lic-1"), facts, listed).state == "valid", "a pool is no license"


def test_what_is_to_come_is_told_in_its_order():
    bought = replace(TERM, maintenance_until=END)
    facts = Facts(now=START - 10 * DAY, built_at=BUILT)
    assert list(coming(bought, facts, None)) == [
        (START - DAY, "valid"),
        (END - 60 * DAY, "expiring"),
        (END, "grace"),
        (GRACE_END, "fallback"),
    ]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (61 * DAY, ""),
        (60 * DAY, "the license lic-1 ends in 60 days, on 2027-11-26"),
        (14 * DAY, "ends in 14 days, on 2027-11-26; it is time to ask for a new one"),
        (7 * DAY, "ends in 7 days, on 2027-11-26; ask for a new one now"),
        (DAY, "ends within a day, on 2027-11-26; ask for a new one now"),
        (-SECOND, "has ended; everything goes on until 2027-12-10, and then new jobs are refused"),
    ],
)
def test_a_run_says_when_its_license_ends(left, words):
    now = END - left
    said = warning(TERM, judge(TERM, Facts(now=now, built_at=BUILT), None), now)
    assert said.endswith(words) if words else said == ""


def test_every_feature_says_what_every_state_means():
    for feature in FEATURES.values():
        assert list(feature.meanings) == list(STATES)
        assert {feature.meanings[state].effect for state in ("valid", "expiring", "trial", "grace", "fallback")} == {
            "full"
        }
        assert {feature.meanings[state].effect for state in ("upcoming", "revoked", "invalid", "none")} == {"off"}
        assert all(meaning.words.endswith(".") for meaning in feature.meanings.values())


def test_a_license_at_the_end_of_time_is_no_error():
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    assert state(a_license(expires_at=last, grace_days=366)) == "valid"
    assert state(a_license(expires_at=last, grace_days=366), last) == "expired"
    first = datetime(1, 1, 1, tzinfo=timezone.utc)
    assert state(a_license(starts_at=first, expires_at=first + SECOND)) == "expired"
