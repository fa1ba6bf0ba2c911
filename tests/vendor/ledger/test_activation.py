# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Activations: a license is bound to the installations that ask, as many as it allows."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from made_desk import ISSUE, Installation, Program

from tunesmith.licensing import Trust, dearmor_all
from tunesmith.licensing.contents import (
    ActivationResponse,
    License,
    parse_activation_response,
    parse_license,
)

A, B, C = (Installation(f"node-{letter}") for letter in "abc")


@pytest.fixture
def two(program: Program) -> Program:
    """A license for two installations, entered as lic-a."""
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a", "--activations", "2")
    return program


def answered(file: str) -> tuple[License, ActivationResponse]:
    """What a customer's installation reads from an answer."""
    documents = dearmor_all(Path(file).read_bytes())
    assert [document.kind for document in documents] == ["root", "root", "license", "activation-response"]
    chain, (bound, response) = [one.envelope for one in documents[:2]], documents[2:]
    trust = Trust.start(chain[0]).follow(chain, now=datetime(2026, 11, 26, tzinfo=timezone.utc))
    answer = parse_activation_response(trust.verify(response.envelope, "activation-response"))
    assert answer.license_sha256 == hashlib.sha256(bound.envelope).hexdigest()
    return parse_license(trust.verify(bound.envelope, "license")), answer


def test_nothing_is_signed_before_an_installation_asks(program: Program) -> None:
    done = program.json(*ISSUE, "--term", "1y", "--id", "lic-a", "--activations", "2")
    assert done["progress"] == "done"
    assert os.listdir() == []
    assert "there is no document to write" in program.refused("show", "lic-a", "--out", "a.lic")


def test_the_answer_holds_roots_the_bound_license_and_the_nonce_that_was_asked_with(two: Program) -> None:
    two.run("activation", "respond", A.request(Path(), "lic-a"), "--license", "lic-a", "--out", "a.lic")
    bound, answer = answered("a.lic")
    assert (bound.binding.kind, bound.binding.values, bound.serial) == ("install-id", ("node-a",), 2)
    assert (answer.install_id, answer.nonce, answer.serial) == ("node-a", "nonce-of-node-a", 2)


def test_as_many_are_activated_as_were_bought_and_the_same_one_is_free(two: Program) -> None:
    for number, node in enumerate((A, B, A, B)):
        two.run("activation", "respond", node.request(Path(), "lic-a"), "--out", f"{number}.lic")
    bound, _ = answered("3.lic")
    assert (bound.serial, bound.binding.values) == (5, ("node-a", "node-b"))
    said = two.refused("activation", "respond", C.request(Path(), "lic-a"))
    assert "allows no further installation" in said
    assert "2 allowed" in said
    assert "node node-a, node node-b" in said


def test_one_that_gives_its_place_up_makes_room(two: Program) -> None:
    for node in (A, B):
        two.run("activation", "respond", node.request(Path(), "lic-a"))
    given_up = A.request(Path(), "lic-a", asks="deactivate")
    assert "dry-run" in two.run("activation", "respond", given_up, "--dry-run")
    assert two.json("ledger", "search")["found"][0]["installations"] == ["node-a", "node-b"]
    assert two.json("activation", "respond", given_up)["action"] == "deactivate"
    assert "this installation is not active" in two.refused("activation", "respond", given_up)
    two.run("activation", "respond", C.request(Path(), "lic-a"), "--out", "c.lic")
    assert answered("c.lic")[0].binding.values == ("node-b", "node-c")


def test_an_upgrade_allows_more_and_a_renewal_keeps_the_installations(two: Program) -> None:
    for node in (A, B):
        two.run("activation", "respond", node.request(Path(), "lic-a"))
    assert "more installations are active" in two.refused("upgrade", "lic-a", "--activations", "1")
    upgraded = two.json("upgrade", "lic-a", "--activations", "3")
    assert upgraded["payload"]["binding"] == {"kind": "install-id", "values": ["node-a", "node-b"]}
    two.run("activation", "respond", C.request(Path(), "lic-a"))
    renewed = two.json("renew", "lic-a", "--term", "1y")
    assert renewed["payload"]["binding"]["values"] == ["node-a", "node-b", "node-c"]
    said = two.refused("reissue", "lic-a", "--reason", "…", "--binding", "none")
    assert "bound to the installations that were activated" in said


def test_a_request_for_something_else_is_refused(two: Program) -> None:
    respond = ("activation", "respond")
    assert "for another license" in two.refused(*respond, A.request(Path(), "lic-a"), "--license", "lic-b")
    assert "knows no license" in two.refused(*respond, A.request(Path(), "lic-x"))
    assert "for another product" in two.refused(*respond, A.request(Path(), "lic-a", product="another"))
    two.run(*ISSUE, "--term", "1y", "--id", "lic-free")
    assert "not activated but simply used" in two.refused(*respond, A.request(Path(), "lic-free"))
    two.run("revoke", "lic-a", "--reason", "cancelled")
    assert "this license is revoked" in two.refused(*respond, A.request(Path(), "lic-a"))


def test_another_key_under_the_id_of_an_active_installation_is_refused(two: Program) -> None:
    two.run("activation", "respond", A.request(Path(), "lic-a"))
    impostor = Installation("node-a")
    said = two.refused("activation", "respond", impostor.request(Path(), "lic-a"))
    assert "another key asks under the id of an installation that is active" in said
    assert "another key" in two.refused("activation", "respond", impostor.request(Path(), "lic-a", asks="deactivate"))


def test_a_request_that_was_changed_on_the_way_is_refused(two: Program) -> None:
    file = A.request(Path(), "lic-a")
    lines = file.read_text().splitlines()
    lines[2] = lines[2].swapcase()
    file.write_text("\n".join(lines))
    two.refused("activation", "respond", file)
    assert two.json("ledger", "search")["found"][0]["installations"] == []


def test_a_license_that_is_over_is_not_activated(program: Program) -> None:
    program.run(*ISSUE, "--id", "lic-a", "--activations", "1", "--starts", "2020-01-01", "--expires", "2021-01-01")
    assert "this license is over" in program.refused("activation", "respond", A.request(Path(), "lic-a"))
