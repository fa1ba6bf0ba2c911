# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which documents count: licenses and who signed them, sub-issuers, lists of revocations."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from desk import DAY, NOW, Desk, a_license, new_key

from tunesmith.licensing import PublicKey, Trust, armor, sign
from tunesmith.licensing.contents import Binding, Revocation, Revocations, SubIssuer
from tunesmith_enterprise.entitlement.build import PRODUCT, Build

RESELLER = new_key()
RIGHT = SubIssuer("their-product", (PublicKey.of(RESELLER),), ("distributed", "priority"))
GRANTING = {
    "license_id": "oem-1",
    "oem": RIGHT,
    "features": {"distributed": {"nodes": 4, "gpus": 32}, "priority": {}, "governance": {}},
    "expires_at": NOW + 300 * DAY,
    "maintenance_until": NOW + 100 * DAY,
    "grace_days": 14,
}
BELOW = {
    "license_id": "their-1",
    "under": "oem-1",
    "features": {"distributed": {"nodes": 2, "gpus": 32}},
    "expires_at": NOW + 200 * DAY,
    "grace_days": 7,
    "binding": Binding("oem", ("their-product",)),
}


def ids(evidence):
    return [(held.license.license_id, held.license.serial) for held in evidence.held]


def reasons(evidence):
    return [one.error.reason for one in evidence.refused]


def test_a_license_is_held_with_where_it_is_and_its_hash(bench):
    import hashlib

    envelope = bench.desk.license()
    path = bench.put("user", envelope)
    (held,) = bench.gather().held
    assert held.license == a_license()
    assert (held.source.path, held.sha256, held.granting) == (path, hashlib.sha256(envelope).hexdigest(), None)


def test_several_licenses_in_one_text_all_count(bench):
    bench.put("user", *(bench.desk.license(license_id=name) for name in ("b", "a")))
    assert ids(bench.gather()) == [("b", 1), ("a", 1)]


def test_a_good_license_counts_beside_a_bad_one_in_the_same_text(bench):
    bench.put("user", bench.desk.license(license_id="bad", signer=new_key()), bench.desk.license(license_id="good"))
    evidence = bench.gather()
    assert (ids(evidence), reasons(evidence)) == ([("good", 1)], ["untrusted"])


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_newest_serial_counts_wherever_it_lies(bench, order):
    places = dict(zip(("user", "system", "secrets"), order, strict=True))
    for place, serial in places.items():
        name = "tunesmith-license" if place == "secrets" else "a.lic"
        bench.put(place, bench.desk.license(serial=serial), name=name)
    evidence = bench.gather()
    assert ids(evidence) == [("lic-1", 3)]
    assert places[evidence.held[0].source.place] == 3
    assert (evidence.refused, evidence.notes) == ((), ())


def test_row_26_two_licenses_with_the_same_id_and_serial_and_another_content(bench):
    bench.put("user", bench.desk.license(edition="First", issued_at=NOW - 40 * DAY), name="1.lic")
    bench.put("user", bench.desk.license(edition="Second", issued_at=NOW - 35 * DAY), name="2.lic")
    bench.put("user", bench.desk.license(edition="Third", issued_at=NOW - 40 * DAY), name="3.lic")
    evidence = bench.gather()
    assert [held.license.edition for held in evidence.held] == ["Second"]
    assert len(evidence.notes) == 2
    assert "two different licenses lic-1 with serial 1, in " in evidence.notes[0]
    assert "2.lic counts. Ask the vendor which is right" in evidence.notes[0]


def test_a_license_of_the_same_moment_that_differs_counts_as_it_was_found_first(bench):
    bench.put("user", bench.desk.license(edition="First"), name="1.lic")
    bench.put("user", bench.desk.license(edition="Second"), name="2.lic")
    assert [held.license.edition for held in bench.gather().held] == ["First"]


def test_the_same_content_signed_once_more_is_no_other_license(bench):
    bench.put("user", bench.desk.license(), name="1.lic")
    bench.put("user", sign(a_license().payload(), "license", [bench.desk.issuer, new_key()]), name="2.lic")
    evidence = bench.gather()
    assert (ids(evidence), evidence.notes) == ([("lic-1", 1)], ())


def test_a_license_for_another_product_is_told_with_both_names(bench):
    bench.put("user", bench.desk.license(product="tunesmith-studio"))
    (refused,) = bench.gather().refused
    assert refused.error.reason == "other-product"
    assert "given:    tunesmith-studio" in str(refused.error)
    assert f"expected: {PRODUCT}" in str(refused.error)


def test_row_4_a_license_signed_by_another_role_is_told(bench):
    for number, key in enumerate((bench.desk.revoker, bench.desk.roots[0])):
        bench.put("user", bench.desk.license(signer=key), name=f"{number}.lic")
    evidence = bench.gather()
    assert reasons(evidence) == ["other-key", "other-key"]
    assert "keys of the role revocation" in str(evidence.refused[0].error)


def test_a_text_that_holds_no_license_is_told(bench):
    bench.put("user", bench.desk.pool(new_key()), name="pool.lic")
    (refused,) = bench.gather().refused
    assert refused.error.reason == "wrong-kind"
    assert "the kind pool" in str(refused.error)


def test_a_build_without_a_root_unlocks_nothing_and_keeps_nothing(bench):
    bench.put("user", bench.desk.license(), bench.desk.root())
    bench.write("user/b.lic", "")
    evidence = bench.gather(build=Build())
    assert (evidence.trust, evidence.held, reasons(evidence)) == (None, (), ["empty"])
    assert not bench.places.state.exists()


# ---- sub-issuers ---------------------------------------------------------------------------------


def below(bench, signer=RESELLER, **changes):
    return bench.desk.license(signer=signer, **(BELOW | changes))


def test_a_license_from_a_sub_issuer_counts_beside_the_one_that_it_is_under(bench):
    bench.put("user", below(bench), bench.desk.license(**GRANTING))
    evidence = bench.gather(product="their-product")
    assert ids(evidence) == [("their-1", 1), ("oem-1", 1)]
    assert evidence.held[0].granting == evidence.held[1].license
    assert evidence.held[0].license.features["distributed"] == {"nodes": 2, "gpus": 32}
    assert (evidence.refused, evidence.facts.product) == ((), "their-product")


def test_it_counts_also_if_the_other_lies_elsewhere(bench):
    bench.put("user", bench.desk.license(**GRANTING))
    assert ids(bench.gather(armor(below(bench)))) == [("their-1", 1), ("oem-1", 1)]


def test_without_the_other_it_is_told_which_is_missing(bench):
    bench.put("user", below(bench))
    (refused,) = bench.gather().refused
    assert refused.error.reason == "no-granting-license"
    assert "the license oem-1, which lets its issuer issue it" in str(refused.error)
    bench.put("system", bench.desk.license(license_id="oem-1"))
    (refused,) = bench.gather().refused
    assert refused.error.reason == "no-granting-license"
    assert "one that lets nobody issue licenses" in str(refused.error)


def test_nobody_else_signs_for_a_sub_issuer(bench):
    stranger = new_key()
    for number, signer in enumerate((stranger, bench.desk.issuer, bench.desk.revoker)):
        bench.put("user", below(bench, signer, license_id=f"their-{number}"), name=f"{number}.lic")
    bench.put("user", bench.desk.license(**GRANTING), name="oem.lic")
    evidence = bench.gather()
    assert ids(evidence) == [("oem-1", 1)]
    assert reasons(evidence) == ["untrusted"] * 3


def test_a_sub_issuer_signs_no_license_of_the_vendors_and_no_right_to_issue(bench):
    bench.put("user", bench.desk.license(**GRANTING), name="oem.lic")
    bench.put("user", bench.desk.license(license_id="direct", signer=RESELLER), name="a.lic")
    bench.put("user", below(bench, under="oem-1", license_id="oem-2"), name="b.lic")
    deeper = new_key()
    bench.put("user", below(bench, deeper, under="oem-2", license_id="deep"), name="c.lic")
    evidence = bench.gather()
    assert ids(evidence) == [("oem-2", 1), ("oem-1", 1)]
    assert reasons(evidence) == ["untrusted", "no-granting-license"]


def test_a_sub_issuers_license_takes_the_place_of_nobody_elses(bench):
    bench.put("user", bench.desk.license(**GRANTING), bench.desk.license(license_id="lic-1"))
    bench.put("system", below(bench, license_id="lic-1", serial=999))
    evidence = bench.gather()
    assert sorted(ids(evidence)) == [("lic-1", 1), ("lic-1", 999), ("oem-1", 1)]
    assert evidence.notes == ()


def test_a_newer_serial_of_the_granting_license_is_what_counts(bench):
    narrower = replace(RIGHT, features=("priority",))
    bench.put("user", bench.desk.license(**GRANTING), below(bench))
    bench.put("system", bench.desk.license(**(GRANTING | {"serial": 2, "oem": narrower})))
    evidence = bench.gather()
    assert ids(evidence) == [("oem-1", 2)]
    assert "given:    the feature distributed" in str(evidence.refused[0].error)


def test_the_clock_believes_no_sub_issuer(bench):
    bench.put("user", bench.desk.license(**GRANTING))
    bench.put("system", below(bench, issued_at=NOW + 2000 * DAY, starts_at=NOW - DAY))
    evidence = bench.gather()
    assert (len(evidence.held), evidence.facts.now) == (2, NOW)


# ---- lists of revocations ------------------------------------------------------------------------

GONE = Revocation("license", "lic-9", None, NOW - DAY, "sold on")


def test_the_highest_number_of_build_file_and_state_counts(bench):
    one, two, three = (bench.desk.revocations(GONE, number=number) for number in (1, 2, 3))
    assert bench.gather().revocations is None
    build = replace(bench.build, revocations=two)
    assert bench.gather(build=build).revocations.number == 2
    path = bench.put("user", bench.desk.license(), one)
    evidence = bench.gather(build=build)
    assert (ids(evidence), evidence.revocations.number) == ([("lic-1", 1)], 2)
    assert evidence.notes == (f"{path} holds list 1 of revocations; the newer list 2 is known and counts",)
    bench.put("user", bench.desk.license(), three)
    evidence = bench.gather(build=build)
    assert (evidence.revocations.number, evidence.notes) == (3, ())
    assert evidence.revocations.entries == (GONE,)


def test_row_36_a_list_that_was_known_once_is_not_rolled_back(bench):
    path = bench.put("user", bench.desk.revocations(GONE, number=5))
    assert bench.gather().revocations.number == 5
    bench.put("user", bench.desk.revocations(number=4))
    evidence = bench.gather()
    assert (evidence.revocations.number, evidence.revocations.entries) == (5, (GONE,))
    assert f"{path} holds list 4 of revocations; the newer list 5 is known and counts" in evidence.notes
    path.unlink()
    assert bench.gather().revocations.number == 5
    assert (
        bench.gather(build=replace(bench.build, revocations=bench.desk.revocations(number=2))).revocations.number == 5
    )


def test_of_two_lists_with_one_number_the_later_counts(bench):
    bench.put("user", bench.desk.revocations(GONE, at=NOW - 2 * DAY), name="1.lic")
    bench.put("user", bench.desk.revocations(at=NOW - DAY), name="2.lic")
    assert bench.gather().revocations.entries == ()


def test_a_list_of_a_strangers_or_of_another_product_is_refused(bench):
    bench.put("user", Desk().revocations(GONE), name="1.lic")
    bench.put(
        "user", sign(Revocations("other", 9, NOW, ()).payload(), "revocations", [bench.desk.revoker]), name="2.lic"
    )
    bench.put(
        "user", sign(Revocations(PRODUCT, 9, NOW, ()).payload(), "revocations", [bench.desk.issuer]), name="3.lic"
    )
    evidence = bench.gather()
    assert reasons(evidence) == ["untrusted", "other-product", "other-key"]
    assert evidence.revocations is None


def test_a_damaged_list_in_the_state_or_the_build_is_a_note(bench):
    bench.put("user", bench.desk.license())
    bench.write("state/revocations.txt", "junk")
    evidence = bench.gather(build=replace(bench.build, revocations=Desk().revocations()))
    assert ids(evidence) == [("lic-1", 1)]
    assert any("the list of revocations that was kept cannot be used" in note for note in evidence.notes)
    assert any("the list of revocations of this build is not used" in note for note in evidence.notes)
    bench.put("user", bench.desk.revocations(), name="r.lic")
    assert bench.gather().revocations.number == 1
    (bench.folder / "user/r.lic").unlink()
    assert bench.gather().revocations.number == 1


def test_a_list_that_strangers_left_in_the_state_does_not_count(bench):
    bench.write("state/revocations.txt", armor(Desk().revocations(GONE, number=1_000)))
    evidence = bench.gather()
    assert evidence.revocations is None
    assert any("that was kept is not used" in note for note in evidence.notes)
    bench.put("user", bench.desk.revocations(number=3))
    bench.gather()
    (bench.folder / "user/a.lic").unlink()
    assert bench.gather().revocations.number == 3


# ---- in one process ------------------------------------------------------------------------------


def test_what_was_verified_is_not_verified_again_and_nothing_else_passes_for_it(bench, monkeypatch):
    bench.put("user", bench.desk.license(edition="Read twice"))
    calls = []
    verify = Trust.verify
    monkeypatch.setattr(Trust, "verify", lambda *args, **named: calls.append(args) or verify(*args, **named))
    assert ids(bench.gather()) == ids(bench.gather()) == [("lic-1", 1)]
    assert len(calls) == 1
    assert reasons(bench.gather(build=Desk().build())) == ["untrusted"]
    bench.put("user", bench.desk.license(serial=2))
    assert ids(bench.gather()) == [("lic-1", 2)]


def test_more_documents_than_are_remembered_are_verified_all_the_same(bench, monkeypatch):
    monkeypatch.setattr("tunesmith_enterprise.entitlement.opening._REMEMBERED", 2)
    bench.put("user", *(bench.desk.license(license_id=f"lic-{number}") for number in range(5)))
    assert len(bench.gather().held) == len(bench.gather().held) == 5


def test_what_is_held_cannot_be_changed_by_who_gets_it(bench):
    bench.put("user", bench.desk.license(features={"distributed": {"nodes": 2}}))
    (held,) = bench.gather().held
    assert isinstance(held.license.features, MappingProxyType)
    with pytest.raises(TypeError):
        held.license.features["distributed"]["nodes"] = 200
    with pytest.raises(AttributeError):
        held.license.serial = 2
