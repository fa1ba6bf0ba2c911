# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The installation: its id, its key, and what is told when either is damaged."""

from __future__ import annotations

import json
import os
import re

import pytest
from desk import NOW, new_key

from tunesmith.errors import OutputError, SettingsError, TunesmithError
from tunesmith.licensing import PublicKey
from tunesmith_enterprise.entitlement.install import INSTALL_ID, installation, known_install_id
from tunesmith_enterprise.entitlement.state import StateFolder


def test_gathering_makes_no_installation(bench):
    assert bench.gather().facts.install_id is None
    assert not (bench.places.state / "install.json").exists()


def test_it_is_made_once_and_known_from_then_on(bench):
    made = installation(bench.state, {}, now=NOW)
    assert re.fullmatch("[0-9a-f]{32}", made.install_id)
    again = installation(bench.state, {}, now=NOW)
    assert (again.install_id, PublicKey.of(again.key)) == (made.install_id, PublicKey.of(made.key))
    assert bench.gather().facts.install_id == made.install_id
    kept = json.loads((bench.places.state / "install.json").read_text())
    assert kept == {"schema": 1, "install_id": made.install_id, "made_at": "2026-11-26T12:00:00Z"}


def test_two_machines_have_two(tmp_path):
    first, second = (installation(StateFolder(tmp_path / name), {}, now=NOW) for name in "ab")
    assert first.install_id != second.install_id
    assert PublicKey.of(first.key) != PublicKey.of(second.key)


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions there")
def test_its_key_is_for_its_owner_only(bench):
    installation(bench.state, {}, now=NOW)
    path = bench.places.state / "install.key"
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_variable_names_an_installation_where_nothing_stays(bench):
    made = installation(bench.state, {}, now=NOW)
    bench.environ[INSTALL_ID] = " cluster-7.node_2 "
    assert bench.gather().facts.install_id == "cluster-7.node_2"
    named = installation(bench.state, bench.environ, now=NOW)
    assert named.install_id == "cluster-7.node_2"
    assert PublicKey.of(named.key) == PublicKey.of(made.key)
    bench.environ[INSTALL_ID] = ""
    assert bench.gather().facts.install_id == made.install_id


@pytest.mark.parametrize("given", ["Capital", "with space", "-begins", "x" * 65, "a\x1b[0m", "é"])
def test_a_variable_that_holds_no_id_is_a_note_and_an_error_when_activating(bench, given):
    installation(bench.state, {}, now=NOW)
    bench.environ[INSTALL_ID] = given
    evidence = bench.gather()
    assert evidence.facts.install_id is None
    assert "the variable TUNESMITH_INSTALL_ID" in evidence.notes[0]
    assert "has no id until that is mended" in evidence.notes[0]
    with pytest.raises(SettingsError, match="TUNESMITH_INSTALL_ID"):
        installation(bench.state, bench.environ, now=NOW)


@pytest.mark.parametrize("content", ["", "{}", "junk", '{"schema": 1, "install_id": "NO", "made_at": ""}'])
def test_a_damaged_id_is_a_note_and_is_never_replaced(bench, content):
    path = bench.write("state/install.json", content)
    evidence = bench.gather()
    assert (evidence.facts.install_id, len(evidence.notes)) == (None, 1)
    with pytest.raises(TunesmithError) as caught:
        installation(bench.state, {}, now=NOW)
    assert "a file of this installation is damaged" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "have to be issued anew" in str(caught.value)
    assert path.read_text() == content


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_told_and_shows_nothing_of_itself(bench, content):
    installation(bench.state, {}, now=NOW)
    path = bench.write("state/install.key", content)
    with pytest.raises(TunesmithError) as caught:
        installation(bench.state, {}, now=NOW)
    assert "it is no private key that can be read" in str(caught.value)
    assert "licenses stay good, as they are bound to the id" in str(caught.value)
    assert "AAAA" not in str(caught.value)
    path.unlink()
    assert installation(bench.state, {}, now=NOW).install_id == bench.gather().facts.install_id


def test_a_key_of_another_kind_is_told(bench):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    other = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    bench.write("state/install.key", other)
    with pytest.raises(TunesmithError, match="a private key of another kind"):
        installation(bench.state, {}, now=NOW)


def test_activating_needs_a_place_to_keep_it(bench):
    with pytest.raises(OutputError, match="this installation cannot be kept"):
        installation(StateFolder(None), {}, now=NOW)
    bench.write("state", "a file where the folder has to be")
    with pytest.raises(OutputError) as caught:
        installation(bench.state, {}, now=NOW)
    assert "set XDG_STATE_HOME to such a folder; in containers, mount one" in str(caught.value)


def test_its_key_signs_requests(bench):
    from tunesmith.licensing import sign
    from tunesmith.licensing.contents import ActivationRequest, read_activation_request

    made = installation(bench.state, {}, now=NOW)
    request = ActivationRequest(
        asks="activate",
        product="tunesmith-enterprise",
        license_id="lic-1",
        install_id=made.install_id,
        key=PublicKey.of(made.key),
        nonce="n-1",
        made_at=NOW,
    )
    assert read_activation_request(sign(request.payload(), "activation-request", [made.key])) == request
    assert PublicKey.of(new_key()) != request.key


def test_the_id_is_known_without_reading_the_key(bench):
    made = installation(bench.state, {}, now=NOW)
    (bench.places.state / "install.key").unlink()
    assert known_install_id(bench.state, {}) == (made.install_id, ())
