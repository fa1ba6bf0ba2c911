# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A sub-issuer's licenses reach as far as its own, and no further."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from signed import KEYS, PRIVATE, refused

from tunesmith.licensing import sign
from tunesmith.licensing.contents import Binding, License, Licensee, SubIssuer
from tunesmith.licensing.contents.parts import of_product
from tunesmith.licensing.contents.sub_issuing import read_license_under

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)
DAY = timedelta(days=1)
GRANTING = License(
    product="editor",
    license_id="oem-1",
    serial=1,
    licensee=Licensee("A customer", "a-customer"),
    edition="OEM",
    environment="production",
    features={"render": {"nodes": 4}, "export": {}, "own": {}},
    issued_at=NOW,
    starts_at=NOW,
    expires_at=NOW + 100 * DAY,
    grace_days=10,
    maintenance_until=NOW + 50 * DAY,
    oem=SubIssuer("suite", tuple(KEYS[3:5]), ("render", "export")),
)
BELOW = replace(
    GRANTING,
    license_id="their-1",
    features={"render": {"nodes": 4}},
    binding=Binding("oem", ("suite",)),
    oem=None,
    under="oem-1",
)


def read(granting=GRANTING, signers=(3,), **changes):
    payload = replace(BELOW, **changes).payload()
    return read_license_under(sign(payload, "license", [PRIVATE[number] for number in signers]), granting)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"signers": (4,)},
        {"signers": (4, 7)},
        {"features": {"render": {"nodes": 1, "seats": 3}, "export": {"seats": 1}}},
        {"environment": "trial"},
        {"expires_at": NOW + 90 * DAY, "grace_days": 20},
        {"maintenance_until": None},
    ],
)
def test_within_its_bounds_it_counts(changes):
    assert read(**changes).license_id == "their-1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": {"own": {}}}, ["given:    the feature own", "expected: export, render, as in oem-1"]),
        ({"features": {"render": {}}}, ["given:    any number of nodes of render", "at most 4"]),
        ({"features": {"render": {"nodes": 5}}}, ["given:    5 nodes of render", "at most 4"]),
        (
            {"expires_at": NOW + 101 * DAY, "grace_days": 0},
            ["given:    expires_at 2027-03-07", "at the latest 2027-03-06"],
        ),
        ({"expires_at": None}, ["given:    expires_at never"]),
        ({"grace_days": 11}, ["the days of grace until 2027-03-17", "at the latest 2027-03-16"]),
        ({"maintenance_until": NOW + 51 * DAY}, ["given:    maintenance_until 2027-01-16", "at the latest 2027-01-15"]),
        ({"binding": Binding("oem", ("another",))}, ["the binding oem, to the product suite"]),
        ({"binding": Binding("oem", ("suite", "another"))}, ["the binding oem, to the product suite"]),
        ({"binding": Binding("domain", ("suite",))}, ["given:    the binding domain"]),
        ({"product": "viewer"}, ["given:    the product viewer"]),
    ],
)
def test_beyond_its_bounds_it_is_refused(changes, words):
    with refused("beyond-grant", "their-1 says more than its issuer may say", *words):
        read(**changes)


@pytest.mark.parametrize(
    ("narrower", "changes", "words"),
    [
        ({"maintenance_until": None}, {}, ["given:    maintenance_until 2027-01-15", "expected: none"]),
        ({"environment": "non-production"}, {}, ["given:    the environment production", "expected: non-production"]),
        ({"features": {"own": {}}}, {}, ["given:    the feature render", "expected: no feature"]),
    ],
)
def test_what_the_granting_license_has_not_it_gives_to_nobody(narrower, changes, words):
    with refused("beyond-grant", *words):
        read(replace(GRANTING, **narrower), **changes)


def test_a_granting_license_without_an_end_sets_none():
    assert read(replace(GRANTING, expires_at=None), expires_at=None, maintenance_until=None).expires_at is None


def test_only_the_keys_of_the_sub_issuer_sign():
    with refused("untrusted"):
        read(signers=(5,))


def test_it_names_the_license_that_it_is_under():
    with refused("no-granting-license", "given:    oem-1", "the license oem-2"):
        read(under="oem-2")
    with refused("no-granting-license", "one that lets nobody issue licenses", "the license oem-1"):
        read(replace(GRANTING, oem=None))


def test_a_document_for_another_product_names_both():
    of_product("editor", "editor", "the license")
    with refused("other-product", "the license is for another product", "given:    editor", "expected: viewer"):
        of_product("editor", "viewer", "the license")
