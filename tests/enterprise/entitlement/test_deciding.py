# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One question, one answer: several licenses together, and every way to be refused, in its words."""

from __future__ import annotations

import json

import pytest
from desk import DAY, NOW, Desk, a_license, a_pool, new_key

from tunesmith.errors import RunError, SignedDocumentError
from tunesmith.licensing import dearmor
from tunesmith.licensing.contents import Lease, Revocation, Revocations
from tunesmith_enterprise.entitlement.build import PRODUCT, Build
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.evidence import Evidence, Facts, Held, Refused, Seat, Source
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.entitlement.grant import Grant
from tunesmith_enterprise.entitlement.merging import count, overall
from tunesmith_enterprise.errors import REFUSALS, LicenseError

BUILD = Desk().build()
HERE = Source("user", "/home/licenses.d/customer.lic")


def evidence(*licenses, now=NOW, seats=(), refused=(), revocations=None, build=BUILD, **facts):
    held = tuple(Held(one, HERE, f"{number:064x}") for number, one in enumerate(licenses))
    return Evidence(
        build=build,
        trust=build.trust,
        facts=Facts(now=now, built_at=build.built_at, **facts),
        held=held,
        seats=seats,
        refused=refused,
        revocations=revocations,
    )


def refusal(code, evidence, feature="distributed", **quantities):
    with pytest.raises(LicenseError) as caught:
        decide(feature, quantities, evidence)
    assert caught.value.code == code, str(caught.value)
    assert caught.value.feature == feature
    assert caught.value.exit_code == 20 + REFUSALS.index(code)
    return str(caught.value)


def limited(name, most=None, **changes):
    return a_license(license_id=name, features={"distributed": {} if most is None else {"gpus": most}}, **changes)


def test_a_good_license_grants_and_the_grant_says_on_what_it_rests():
    grant = decide("distributed", {"gpus": 4}, evidence(limited("lic-7", 8)))
    assert (grant.effect, grant.state, grant.licensee, grant.environment) == (
        "full",
        "valid",
        "Example Ltd",
        "production",
    )
    assert (grant.quantities, grant.limits, grant.granted_at, grant.notes) == ({"gpus": 4}, {"gpus": 8}, NOW, ())
    (basis,) = grant.basis
    assert (basis.id, basis.serial, basis.sha256, basis.lease_id) == ("lic-7", 1, "0" * 64, "")


def test_a_grant_goes_through_a_manifest_unchanged():
    grant = decide("distributed", {"gpus": 4}, evidence(limited("lic-7", 8, expires_at=NOW + 5 * DAY)))
    assert Grant.from_json(json.loads(json.dumps(grant.to_json()))) == grant
    assert grant.notes == ("the license lic-7 ends in 5 days, on 2026-12-01; ask for a new one now",)


@pytest.mark.parametrize(
    "damage", [{"effect": "more"}, {"state": 1}, {"quantities": {"gpus": "4"}}, {"notes": [1]}, {"basis": [1]}]
)
def test_a_grant_that_was_changed_into_no_grant_is_an_error_of_the_run(damage):
    whole = decide("distributed", {"gpus": 4}, evidence(limited("lic-7", 8))).to_json()
    with pytest.raises(RunError, match="what the run says of its license cannot be read"):
        Grant.from_json(whole | damage)
    with pytest.raises(RunError):
        Grant.from_json(None)


def test_a_run_is_resumed_with_as_much_as_it_was_granted_or_less():
    grant = decide("distributed", {"gpus": 4}, evidence(limited("lic-7", 8)))
    assert grant.covers("distributed", {"gpus": 2})
    assert grant.covers("distributed", {"gpus": 8, "nodes": 3})
    assert not grant.covers("distributed", {"gpus": 9})
    assert not grant.covers("governance", {})


def test_limits_of_different_licenses_are_added_and_one_without_lifts_them():
    both = evidence(limited("a", 4), limited("b", 2))
    assert decide("distributed", {"gpus": 6}, both).limits == {"gpus": 6}
    assert "at most 6 gpus: a (serial 1), b (serial 1)" in refusal("limit", both, gpus=7)
    assert decide("distributed", {"gpus": 1000}, evidence(limited("a", 4), limited("b"))).limits == {}


def test_a_bad_license_takes_nothing_from_a_good_one_and_adds_nothing():
    over = limited("old", 100, expires_at=NOW - 20 * DAY, starts_at=NOW - 25 * DAY)
    grant = decide("distributed", {"gpus": 4}, evidence(over, limited("new", 4)))
    assert [one.id for one in grant.basis] == ["new"]
    assert grant.limits == {"gpus": 4}


def test_a_license_that_is_replaced_does_not_count_beside_the_new_one():
    new = limited("new", 4, replaces=("old",))
    found = evidence(limited("old", 100), new)
    assert decide("distributed", {}, found).limits == {"gpus": 4}
    assert [(one.name, one.replaced_by) for one in count(found)] == [("new", ""), ("old", "new")]
    gone = Revocations(PRODUCT, 1, NOW, (Revocation("license", "new", None, NOW, "by mistake"),))
    assert decide("distributed", {}, evidence(limited("old", 100), new, revocations=gone)).limits == {"gpus": 100}


def test_features_of_different_licenses_come_together():
    first, second = (
        a_license(license_id="a", features={"priority": {}}),
        a_license(license_id="b", features={"governance": {}}),
    )
    found = evidence(first, second)
    assert [decide(feature, {}, found).basis[0].id for feature in ("priority", "governance")] == ["a", "b"]
    words = refusal("not-included", found)
    assert "the license does not include the feature distributed\n  given:    a, b" in words
    assert "Training on several processes and machines" in words


def test_after_the_term_what_is_set_up_goes_on_where_the_table_says_so():
    over = evidence(a_license(expires_at=NOW - 15 * DAY, starts_at=NOW - 100 * DAY))
    grant = decide("governance", {}, over)
    assert (grant.effect, grant.state) == ("kept", "expired")
    assert grant.notes == (f"governance: {FEATURES['governance'].meanings['expired'].words}",)
    words = refusal("expired", over)
    assert "lic-1 (serial 1, /home/licenses.d/customer.lic): it ended on 2026-11-11T12:00:00Z" in words
    assert "Jobs that run finish, their runs can be resumed, and what they wrote opens in the core." in words
    assert "tunesmith license install FILE" in words


def test_each_refusal_names_its_cause_and_what_to_do():
    assert "needs a license, and none was found" in refusal("no-license", evidence())
    assert "`tunesmith license install FILE`" in refusal("no-license", evidence())
    assert "this build holds no root of trust" in refusal("no-root", evidence(a_license(), build=Build()))
    upcoming = a_license(starts_at=NOW + 2 * DAY)
    assert "it begins on 2026-11-28T12:00:00Z" in refusal("upcoming", evidence(upcoming))
    assert "the variable CI is not set here" in refusal("environment", evidence(a_license(environment="ci")))
    newer = a_license(expires_at=None, maintenance_until=NOW - 60 * DAY)
    assert "use a build from before that day" in refusal("newer-build", evidence(newer))
    entry = Revocation("license", "lic-1", None, NOW - DAY, "returned")
    gone = Revocations(PRODUCT, 1, NOW, (entry,))
    assert "it was revoked since 2026-11-25: returned" in refusal("revoked", evidence(a_license(), revocations=gone))
    with pytest.raises(SignedDocumentError) as caught:
        dearmor(b"https://example.org/license", "license")
    words = refusal("invalid", evidence(refused=(Refused(HERE, caught.value),)))
    assert "/home/licenses.d/customer.lic: " in words
    assert "`tunesmith license doctor`" in words


def test_what_is_nearest_to_a_grant_is_told_of():
    over = limited("over", expires_at=NOW - 15 * DAY, starts_at=NOW - 100 * DAY)
    ci = limited("ci-only", environment="ci")
    assert "over (serial 1" in refusal("expired", evidence(ci, over))


@pytest.mark.parametrize(("feature", "quantities"), [("distribute", {}), ("", {}), ("distributed", {"cpus": 1})])
def test_a_feature_or_quantity_that_is_not_there_is_told_with_those_that_are(feature, quantities):
    with pytest.raises(LicenseError) as caught:
        decide(feature, quantities, evidence(a_license()))
    assert caught.value.code == "unknown-feature"
    assert ("distributed, optimizations" in str(caught.value)) or ("processes, nodes, gpus, seats" in str(caught.value))


@pytest.mark.parametrize("wanted", [0, -1, True, 1.0, "4", None])
def test_a_quantity_is_a_positive_integer(wanted):
    with pytest.raises(ValueError, match="gpus is a positive integer"):
        decide("distributed", {"gpus": wanted}, evidence(a_license()))


def seat(*, expires=NOW + DAY, open_until=NOW + 2 * DAY, answered=True, borrowed=False, gpus=2, **changes):
    lease = Lease(
        pool_id="pool-1",
        lease_id="seat-1",
        serial=1,
        node="node-1",
        nonce="n",
        features={"distributed": {"gpus": gpus}},
        granted_at=NOW - DAY,
        expires_at=expires,
        open_until=open_until,
        borrowed=borrowed,
    )
    return Seat(a_pool(new_key(), **changes), lease, Source("server", "https://seats"), "f" * 64, answered)


def test_a_seat_of_a_pool_grants_what_was_leased_and_adds_to_licenses():
    grant = decide("distributed", {"gpus": 2}, evidence(seats=(seat(),)))
    assert (grant.basis[0].id, grant.basis[0].lease_id) == ("pool-1", "seat-1")
    assert decide("distributed", {"gpus": 6}, evidence(limited("a", 4), seats=(seat(),))).limits == {"gpus": 6}
    refusal("limit", evidence(seats=(seat(),)), gpus=3)


def test_a_seat_counts_while_the_server_answers_and_then_as_long_as_it_says():
    late = NOW + DAY + DAY / 2
    assert decide("distributed", {}, evidence(seats=(seat(),), now=late)).state == "valid"  # clocks may differ by a day
    refusal("expired", evidence(seats=(seat(),), now=NOW + 2 * DAY))
    assert decide("distributed", {}, evidence(seats=(seat(answered=False),), now=late)).state == "valid"
    words = refusal("expired", evidence(seats=(seat(answered=False),), now=NOW + 2 * DAY))
    assert "the lease of node-1 is over" in words
    assert "it ended on" in refusal("expired", evidence(seats=(seat(expires_at=NOW - 20 * DAY, grace_days=1),)))


def test_one_word_says_it_for_all():
    over = a_license(license_id="over", expires_at=NOW - 20 * DAY, starts_at=NOW - 100 * DAY)
    found = [evidence(), evidence(over), evidence(over, a_license())]
    assert [overall(count(one), one) for one in found] == ["none", "expired", "valid"]
