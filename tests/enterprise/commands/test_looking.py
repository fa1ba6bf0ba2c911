# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license show|status|check|features|simulate-expiry``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from desk import DAY, NOW, Desk

from tunesmith.licensing import armor
from tunesmith.licensing.contents import Binding
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.entitlement.features import FEATURES, STATES
from tunesmith_enterprise.errors import REFUSALS, LicenseError
from tunesmith_enterprise.optimizations.dates import OPTIMIZATIONS

LICENSE_FIELDS = {
    "kind",
    "id",
    "serial",
    "state",
    "until",
    "why",
    "replaced_by",
    "lease_id",
    "licensee",
    "edition",
    "environment",
    "features",
    "starts_at",
    "expires_at",
    "grace_until",
    "maintenance_until",
    "binding",
    "under",
    "source",
    "sha256",
}
FEATURE_FIELDS = {"title", "state", "effect", "licensed", "until", "limits", "licenses", "meaning"}


@pytest.fixture
def licensed(customer: Any) -> Any:
    features = {"distributed": {"gpus": 8, "nodes": 2}, "governance": {}}
    customer.ok("install", customer.file("a.lic", customer.desk.license(features=features)))
    return customer


def test_status_says_it_in_one_word_and_for_each_feature(licensed: Any) -> None:
    text = licensed.ok("status")
    assert "state valid, ends on 2027-10-27 12:00 UTC, in 335 days licensee Example Ltd" in text
    assert "build 0.1.0, made on 2026-10-27 root version 1" in text
    assert "distributed valid yes 2 nodes, 8 gpus lic-1" in text
    assert "priority none no" in text
    assert "doctor" not in licensed.err


def test_the_shape_of_status_is_pinned(licensed: Any) -> None:
    found = licensed.json("status")
    assert set(found) == {
        "state",
        "until",
        "features",
        "licenses",
        "refused",
        "sources",
        "notes",
        "build",
        "root",
        "revocations",
        "machine",
        "now",
    }
    assert found["state"] == "valid"
    assert found["until"] == "2027-08-28T12:00:00Z"
    assert list(found["features"]) == list(FEATURES)
    assert all(set(one) == FEATURE_FIELDS for one in found["features"].values())
    assert all(set(one) == LICENSE_FIELDS for one in found["licenses"])
    places = ["argument", "environment", "settings", "user", "system", "secrets", "server"]
    assert [one["place"] for one in found["sources"]] == places
    path = str(licensed.places.user / "lic-1.lic")
    assert found["sources"][3]["found"] == [{"id": "lic-1", "serial": 1, "in": path}]
    assert found["build"] == {"version": "0.1.0", "built_at": "2026-10-27T12:00:00Z", "has_root": True}
    assert found["root"] == {"version": 1, "expires": "2046-01-01T00:00:00Z"}
    assert found["now"] == "2026-11-26T12:00:00Z"


def test_explain_says_where_was_looked_and_what_was_thought_of_it(licensed: Any) -> None:
    licensed.file("other.txt", Desk().license(license_id="lic-9"))
    (licensed.places.user / "foreign.lic").write_text((licensed.folder / "other.txt").read_text())
    text = licensed.ok("status", "--explain")
    assert "searched, in this order: 1. what a program hands over nothing 2. TUNESMITH_LICENSE (a text)" in text
    path = licensed.places.user
    assert f"4. {path} lic-1, serial 1 in {path}/lic-1.lic: valid, ends on 2027-10-27 12:00 UTC, in 335 days" in text
    assert f"refused: {path}/foreign.lic: nobody who may sign a license has signed this one (untrusted)" in text
    assert "the working folder is never searched" in text
    assert "`tunesmith license doctor` says what to do" in licensed.err


def test_without_a_license_and_without_a_root_status_still_answers(customer: Any) -> None:
    assert "state none" in customer.ok("status")
    customer.build = Build()
    assert "root none: this build unlocks nothing" in customer.ok("status")
    found = customer.json("status")
    assert (found["state"], found["root"], found["build"]["has_root"]) == ("none", None, False)


@pytest.mark.parametrize(
    ("changes", "days", "state"),
    [
        ({}, 0, "valid"),
        ({}, 300, "expiring"),
        ({}, 340, "grace"),
        ({}, 360, "expired"),
        ({"maintenance_until": NOW}, 360, "fallback"),
        ({"environment": "trial"}, 0, "trial"),
        ({"starts_at": NOW + 9 * DAY, "expires_at": NOW + 99 * DAY}, 0, "upcoming"),
        ({"binding": Binding("cluster-id", ("other",))}, 0, "invalid"),
    ],
)
def test_every_state_has_its_word(customer: Any, changes: Any, days: int, state: str) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license(**changes)))
    customer.now = NOW + days * DAY
    assert customer.json("status")["state"] == state


def test_show_tells_of_each_license(licensed: Any) -> None:
    text = licensed.ok("show")
    assert "license lic-1, serial 1 state valid, ends on" in text
    assert "ends 2027-10-27 12:00 UTC, in 335 days grace until 2027-11-10" in text
    assert "features distributed: 8 gpus, 2 nodes governance: no limits" in text
    found = licensed.json("show")
    assert set(found) == {"licenses", "refused", "notes"}
    assert [set(one) for one in found["licenses"]] == [LICENSE_FIELDS]


def test_show_tells_of_what_is_refused_without_any_of_its_text(customer: Any) -> None:
    whole = armor(customer.desk.license())
    customer.places.user.mkdir(parents=True)
    (customer.places.user / "half.lic").write_text(whole[:400])
    text = customer.ok("show")
    assert "because the end of the document is missing" in text
    assert whole[100:140] not in customer.out + customer.err
    (refused,) = customer.json("show")["refused"]
    assert set(refused) == {"source", "reason", "what", "given", "expected", "fix"}
    assert refused["reason"] == "truncated"


def test_check_asks_as_a_job_would(licensed: Any) -> None:
    assert "distributed is granted by lic-1 (serial 1): 2 nodes, 8 gpus" in licensed.ok(
        "check", "distributed", "--gpus", 8
    )
    assert licensed.run("check", "distributed", "--gpus", 9) == LicenseError.exit_codes["limit"]
    assert "at most 8 gpus" in licensed.err
    granted = licensed.json("check", "distributed", "--nodes", 2)
    assert (granted["granted"], granted["effect"], granted["quantities"]) == (True, "full", {"nodes": 2})
    refused = licensed.json("check", "priority", code=LicenseError.exit_codes["not-included"])
    assert set(refused) == {"granted", "feature", "code", "what", "given", "expected", "fix", "exit_code"}
    assert (refused["granted"], refused["code"]) == (False, "not-included")
    assert licensed.journal() == ["license-installed"]  # a question is no use


def test_every_refusal_has_an_exit_code_of_its_own() -> None:
    codes = [LicenseError.exit_codes[code] for code in REFUSALS]
    assert codes == list(range(20, 34))


def test_features_shows_the_whole_table(licensed: Any) -> None:
    text = licensed.ok("features")
    for code, feature in FEATURES.items():
        assert f"{code}: {feature.title}" in text
        assert all(feature.meanings[state].words in text for state in STATES)
    assert "> valid yes Everything works." in text
    found = licensed.json("features")["features"]
    assert all(set(one) == FEATURE_FIELDS | {"meanings"} for one in found.values())
    assert found["distributed"]["licensed"] is True
    assert set(found["priority"]["meanings"]) == set(STATES)


def test_features_tells_from_which_day_each_optimization_needs_no_license(licensed: Any) -> None:
    assert "speculative-decoding opens on 2028-11-26 Several tokens a step" in licensed.ok("features")
    found = licensed.json("features")["optimizations"]
    assert list(found) == list(OPTIMIZATIONS)
    assert all(set(one) == {"title", "opens", "open"} for one in found.values())
    assert (found["prefix-store"]["opens"], found["prefix-store"]["open"]) == ("2028-11-26", False)
    licensed.now = datetime(2028, 11, 26, tzinfo=timezone.utc)
    assert "speculative-decoding open since 2028-11-26" in licensed.ok("features")
    assert licensed.json("features")["optimizations"]["prefix-store"]["open"] is True


def test_what_will_change_is_told_with_its_days(licensed: Any) -> None:
    text = licensed.ok("simulate-expiry")
    for words in (
        "now: valid: Everything works.",
        "2027-08-28 12:00 UTC, in 275 days: expiring: ",
        "2027-10-27 12:00 UTC, in 335 days: grace: ",
        "2027-11-10 12:00 UTC, in 349 days: expired: New jobs on several processes are refused.",
        "priority: Classes of requests, tenants and quotas now: none: Jobs that ask for it are refused.",
        "nothing changes by itself",
    ):
        assert words in text
    assert "jobs that have begun are never stopped" in licensed.err
    found = licensed.json("simulate-expiry")
    assert set(found) == {"now", "at", "features"}
    states = [one["state"] for one in found["features"]["distributed"]["changes"]]
    assert states == ["expiring", "grace", "expired"]
    assert all(set(one) == FEATURE_FIELDS | {"at"} for one in found["features"]["distributed"]["changes"])


def test_a_day_can_be_asked_for(licensed: Any) -> None:
    assert "2027-11-30 12:00 UTC, in 369 days: expired" in licensed.ok("simulate-expiry", "--days", 369)
    found = licensed.json("simulate-expiry", "--at", "2027-11-01")
    assert (found["at"], found["features"]["distributed"]["at"]["state"]) == ("2027-11-01T00:00:00Z", "grace")
    assert licensed.run("simulate-expiry", "--at", "tomorrow") == 2
    assert "'tomorrow' is no date: 2027-01-31, or 2027-01-31T12:00:00Z" in licensed.err
    assert licensed.run("simulate-expiry", "--at", "2027-11-01", "--days", 3) == 2


def test_a_second_license_carries_what_the_first_one_lets_go(licensed: Any) -> None:
    other = licensed.desk.license(license_id="lic-2", features={"distributed": {"gpus": 4}}, expires_at=None)
    licensed.ok("install", licensed.file("b.lic", other))
    changes = licensed.json("simulate-expiry")["features"]["distributed"]["changes"]
    assert [(one["at"], one["effect"], one["limits"].get("gpus")) for one in changes][-1] == (
        "2027-11-10T12:00:00Z",
        "full",
        4,
    )


def test_a_terminal_obeys_nothing_that_a_file_name_says(customer: Any) -> None:
    customer.places.user.mkdir(parents=True)
    (customer.places.user / "a\x1b[2J.lic").write_text("nothing")
    for command in ("show", "status", "doctor"):
        customer.run(command)
        assert "\x1b" not in customer.out + customer.err
