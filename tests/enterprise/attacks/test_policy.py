# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Rows 24 and 35 to 37: what licenses may do to each other, whoever issued them, and what comes of trials."""

import os
from dataclasses import replace

import pytest
from desk import DAY, NOW, a_license, new_key

from tunesmith.licensing import PublicKey, armor, sign
from tunesmith.licensing.contents import Binding, Revocation, SubIssuer
from tunesmith_enterprise.entitlement.build import read_build
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.merging import count
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.errors import LicenseError

SUB = new_key()
RIGHT = SubIssuer("suite", (PublicKey.of(SUB),), ("distributed",))


@pytest.fixture
def look(tmp_path, desk):
    """Gather what a machine has of these envelopes."""

    def gathered(*envelopes, now=NOW, build=None, **more):
        return gather(
            "".join(map(armor, envelopes)).encode(),
            environ={},
            places=Places(*(tmp_path / name for name in ("user", "system", "secrets", "state"))),
            build=build or desk.build(),
            now=now,
            **more,
        )

    return gathered


def below(**changes):
    """A license that the sub-issuer signs for a customer."""
    fields = {
        "license_id": "customer",
        "under": "lic-oem",
        "binding": Binding("oem", ("suite",)),
        "features": {"distributed": {}},
    }
    return sign(a_license(**(fields | changes)).payload(), "license", [SUB])


def granted(evidence, feature="distributed", **quantities):
    try:
        return decide(feature, quantities, evidence).state
    except LicenseError as error:
        return error.code


def test_row_35_a_sub_issuer_takes_nothing_from_the_vendors_licenses(desk, look):
    """Whoever installs a product with a license in it may have one of the vendor's own: it has to stay what it is."""
    own = desk.license(license_id="lic-own", features={"governance": {}})
    oem = desk.license(license_id="lic-oem", features={"distributed": {}}, oem=RIGHT)
    evidence = look(own, oem, below(replaces=("lic-own", "lic-oem")), product="suite")
    assert evidence.refused == ()
    assert granted(evidence, "governance") == "valid"
    assert {one.name: one.replaced_by for one in count(evidence)} == {"lic-own": "", "lic-oem": "", "customer": ""}
    # Its own earlier licenses it may replace.
    evidence = look(oem, below(), below(license_id="newer", replaces=("customer",)), product="suite")
    assert {one.name: one.replaced_by for one in count(evidence)}["customer"] == "newer"


@pytest.mark.parametrize("binding", [Binding("oem", ("suite",)), Binding()])
def test_row_35_the_license_that_lets_issue_unlocks_nothing_for_those_who_get_it_along(binding, desk, look):
    """It travels to every customer of the sub-issuer's, and is worth more than theirs."""
    oem = desk.license(
        license_id="lic-oem", features={"distributed": {"gpus": 16}, "governance": {}}, oem=RIGHT, binding=binding
    )
    customers = below(features={"distributed": {"gpus": 2}})
    for product in ("suite", None):
        evidence = look(oem, customers, product=product)
        assert granted(evidence, gpus=2) == ("valid" if product else "binding")
        assert granted(evidence, gpus=3) == ("limit" if product else "binding")
        assert granted(evidence, "governance") not in ("valid", "expiring", "grace", "fallback")
        assert granted(look(oem, product=product)) not in ("valid", "expiring", "grace", "fallback")


def test_row_35_licenses_that_replace_each_other_lock_nobody_out(desk, look):
    """A mistake at the vendor's desk: then each counts, as if neither said so."""
    first = desk.license(license_id="a", replaces=("b",), issued_at=NOW - 40 * DAY)
    second = desk.license(license_id="b", replaces=("a",), issued_at=NOW - 31 * DAY)
    assert granted(look(first, second)) == "valid"
    evidence = look(desk.license(license_id="a", replaces=("b",)), desk.license(license_id="b", replaces=("a",)))
    assert granted(evidence) == "valid"
    alone = look(desk.license(license_id="a", replaces=("a",)))
    assert granted(alone) == "valid"


def test_row_35_the_same_license_in_many_places_counts_once(desk, look, tmp_path):
    good = desk.license(features={"distributed": {"gpus": 4}})
    (tmp_path / "user").mkdir()
    for number in range(5):
        (tmp_path / "user" / f"{number}.lic").write_text(armor(good))
    evidence = look(good, good)
    assert granted(evidence, gpus=4) == "valid"
    assert granted(evidence, gpus=5) == "limit"
    reissued = desk.license(serial=2, features={"distributed": {"gpus": 6}})
    assert granted(look(good, reissued), gpus=6) == "valid"
    assert granted(look(good, reissued), gpus=10) == "limit"


@pytest.mark.parametrize("how", ["in a newer build", "by file", "kept from earlier"])
def test_row_36_a_license_is_revoked_however_the_list_comes(how, desk, look, tmp_path):
    good = desk.license()
    listed = desk.revocations(Revocation("license", "lic-1", None, NOW - DAY, "not paid"), number=5)
    older = desk.revocations(number=4)
    assert granted(look(good)) == "valid"
    if how == "in a newer build":
        build = read_build(desk.place(tmp_path / "placed", revocations=listed))
        build = replace(build, trust=desk.build().trust)
        assert granted(look(good, older, build=build)) == "revoked"
    else:
        assert granted(look(good, listed)) == "revoked"
        if how == "kept from earlier":
            assert granted(look(good)) == "revoked"
            assert granted(look(good, older)) == "revoked"


def test_row_37_a_trial_ends_and_only_losing_the_state_and_the_clock_together_brings_it_back(desk, look, tmp_path):
    trial = desk.license(environment="trial", starts_at=NOW, expires_at=NOW + 30 * DAY, issued_at=NOW, grace_days=0)
    assert granted(look(trial)) == "trial"
    assert granted(look(trial, now=NOW + 29 * DAY)) == "trial"
    assert granted(look(trial, now=NOW + 31 * DAY)) == "expired"
    assert granted(look(trial, now=NOW + DAY)) == "expired"  # the clock was turned back: the mark is not
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    assert granted(look(trial, now=NOW + 31 * DAY)) == "expired"  # without the state it is still over
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    # Both together: not prevented, and said so in docs/explanation/licensing-security.md. Nothing before its issue.
    assert granted(look(trial, now=NOW + DAY)) == "trial"
    assert look(trial, now=NOW - 400 * DAY).facts.now >= NOW


def test_row_24_a_builds_date_is_what_the_vendor_placed_and_no_variable(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    placed = desk.place(tmp_path / "placed", NOW - 30 * DAY)
    os.utime(placed / "build.json", (0, 0))
    assert read_build(placed).built_at == NOW - 30 * DAY


def test_row_22_a_license_from_the_future_is_named_and_its_harm_goes_with_it(desk, look):
    """A vendor's desk with a wrong clock: what is signed is believed, also about the time. The note says which."""
    good = desk.license()
    wrong = desk.license(license_id="lic-2", issued_at=NOW + 3650 * DAY)
    evidence = look(good, wrong)
    assert granted(evidence) == "expired"
    assert any("when the license lic-2 was issued" in note or "lic-2" in note for note in evidence.notes)
    assert granted(look(good)) == "valid"
