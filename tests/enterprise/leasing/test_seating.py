# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``require`` where a license server is configured: a seat is taken where the machine has no license that is enough."""

from datetime import timedelta

import pytest
from desk import NOW
from lending import DISTRIBUTED

import tunesmith_enterprise
from tunesmith.licensing import armor
from tunesmith_enterprise.entitlement import asking as require_module
from tunesmith_enterprise.entitlement import gathering
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.leasing import holding


@pytest.fixture
def machine(site, node, monkeypatch, tmp_path):
    """An account whose settings name the license server."""
    build = site.desk.build()
    places = Places(*(tmp_path / name for name in ("user", "system", "secrets", "state")))
    monkeypatch.setattr(Places, "of", classmethod(lambda cls, environ: places))
    monkeypatch.setattr(gathering, "this_build", lambda: build)
    monkeypatch.setattr(
        require_module, "gather", lambda argument, places: gathering.gather(argument, places=places, now=NOW)
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TUNESMITH_NODE_ID", "node-a")
    monkeypatch.setenv("TUNESMITH_LICENSE_SERVER", node.server.url)
    for name in ("TUNESMITH_LICENSE", "TUNESMITH_LICENSE_FILE", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield places
    for one in list(holding._held.values()):
        one.release()


def test_a_job_without_a_license_gets_a_seat_and_one_seat_for_all_its_features(site, machine):
    grant = tunesmith_enterprise.require("distributed", gpus=4)
    assert grant.basis[0].id == "pool-1"
    assert tunesmith_enterprise.require("governance").basis[0].lease_id == grant.basis[0].lease_id
    assert site.in_use == 1


def test_a_machine_with_a_license_takes_no_seat_from_others(site, machine):
    (machine.user).mkdir()
    (machine.user / "own.lic").write_text(armor(site.desk.license(features={"distributed": {"gpus": 4}})))
    assert tunesmith_enterprise.require("distributed", gpus=4).basis[0].id == "lic-1"
    assert site.in_use == 0
    assert tunesmith_enterprise.require("governance").basis[0].id == "pool-1"
    assert site.in_use == 1


def test_without_a_free_seat_nothing_is_granted(site, machine):
    for _ in range(3):
        site.claim("node-b")
    with pytest.raises(LicenseError) as caught:
        tunesmith_enterprise.require("distributed")
    assert caught.value.code == "no-seat"


def test_without_a_license_server_nobody_is_asked(site, machine, monkeypatch):
    monkeypatch.delenv("TUNESMITH_LICENSE_SERVER")
    with pytest.raises(LicenseError) as caught:
        tunesmith_enterprise.require("distributed")
    assert caught.value.code == "no-license"
    assert site.in_use == 0


def test_what_the_server_does_not_have_is_told_by_the_server(site, machine):
    with pytest.raises(LicenseError) as caught:
        tunesmith_enterprise.require("priority")
    assert caught.value.code == "not-included"
    assert site.claim(features=DISTRIBUTED).serial == 1


@pytest.mark.parametrize("hours", [-23, 23])
def test_a_clock_that_differs_from_the_servers_by_less_than_a_day_costs_nothing(site, machine, hours):
    site.now = NOW + timedelta(hours=hours)
    assert tunesmith_enterprise.require("distributed").basis[0].id == "pool-1"


def test_a_clock_that_differs_by_more_is_told_and_is_no_invalid_license(site, machine):
    site.now = NOW + timedelta(hours=25)
    with pytest.raises(LicenseError) as caught:
        tunesmith_enterprise.require("distributed")
    assert caught.value.code == "no-server"
    assert "more than a day apart" in caught.value.given
