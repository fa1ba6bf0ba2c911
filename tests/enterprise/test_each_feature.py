# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Each feature without a license that fits: the refusal names what was asked for and what is licensed."""

from __future__ import annotations

from pathlib import Path

import pytest
from licensed import Machine, a_machine

import tunesmith_enterprise
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.errors import LicenseError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


def refused(feature: str, **quantities: int) -> LicenseError:
    with pytest.raises(LicenseError) as caught:
        tunesmith_enterprise.require(feature, **quantities)
    assert caught.value.feature == feature
    assert feature in str(caught.value)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("feature", FEATURES)
def test_without_a_license(machine: Machine, feature: str) -> None:
    machine.delete()
    error = refused(feature)
    assert error.code == "no-license"
    assert f"the feature {feature} needs a license, and none was found" in str(error)
    assert FEATURES[feature].title in str(error)


@pytest.mark.parametrize("feature", FEATURES)
def test_with_one_whose_term_is_over(machine: Machine, feature: str) -> None:
    machine.install(features={feature: {}})
    machine.expire()
    if FEATURES[feature].meanings["expired"].effect == "kept":
        grant = tunesmith_enterprise.require(feature)
        assert (grant.effect, grant.state) == ("kept", "expired")
        return
    error = refused(feature)
    assert error.code == "expired"
    assert "lic-1 (serial 1" in str(error)
    assert "ask the vendor for a renewal" in str(error)


@pytest.mark.parametrize("feature", FEATURES)
def test_with_one_for_another_product(machine: Machine, feature: str) -> None:
    machine.install(product="something-else", features={feature: {}})
    error = refused(feature)
    assert "something-else" in str(error)


@pytest.mark.parametrize("feature", FEATURES)
def test_with_one_of_other_features(machine: Machine, feature: str) -> None:
    machine.install(features={name: {} for name in FEATURES if name != feature})
    error = refused(feature)
    assert error.code == "not-included"
    assert f"the license does not include the feature {feature}" in str(error)
    assert error.given == "lic-1"


@pytest.mark.parametrize("feature", FEATURES)
def test_with_one_that_is_too_small(machine: Machine, feature: str) -> None:
    machine.install(features={feature: {"processes": 2, "seats": 3}})
    assert tunesmith_enterprise.require(feature, processes=2, seats=3).effect == "full"
    for quantities, given, most in (({"processes": 4}, "4 processes", "2"), ({"seats": 5}, "5 seats", "3")):
        error = refused(feature, **quantities)
        assert (error.code, error.given) == ("limit", given)
        assert str(error.expected).startswith(f"at most {most} {next(iter(quantities))}: lic-1 (serial 1)")
