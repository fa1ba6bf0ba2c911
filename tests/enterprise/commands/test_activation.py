# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license request|activate|deactivate``."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desk import NOW, Desk

from tunesmith.licensing import dearmor, sign
from tunesmith.licensing.contents import ActivationRequest, ActivationResponse, Binding, read_activation_request


def asked(path: Path) -> ActivationRequest:
    """What the vendor reads, after checking that whoever asks holds the key."""
    return read_activation_request(dearmor(path.read_text(), "activation-request"))


def answer(desk: Desk, request: ActivationRequest, *, signer: Any = None, **changes: Any) -> list[bytes]:
    """What the vendor sends: the answer, and the license bound to the installation."""
    bound = desk.license(binding=Binding("install-id", (request.install_id,)))
    response = ActivationResponse(
        product=request.product,
        install_id=request.install_id,
        nonce=request.nonce,
        license_id="lic-1",
        serial=1,
        license_sha256=hashlib.sha256(bound).hexdigest(),
        made_at=NOW,
    )
    return [sign(replace(response, **changes).payload(), "activation-response", [signer or desk.issuer]), bound]


@pytest.fixture
def request_(customer: Any) -> ActivationRequest:
    customer.ok("request", "lic-1", "--out", customer.folder / "request.txt")
    return asked(customer.folder / "request.txt")


def test_from_the_request_to_the_license_that_is_bound_to_it(customer: Any, request_: ActivationRequest) -> None:
    assert (request_.asks, request_.license_id, request_.made_at) == ("activate", "lic-1", NOW)
    assert "the answer: `tunesmith license activate FILE`" in customer.err

    text = customer.ok("activate", customer.file("answer.txt", *answer(customer.desk, request_)))

    assert "activated: lic-1, serial 1" in text
    found = customer.json("status")
    assert (found["state"], found["machine"]["install_id"]) == ("valid", request_.install_id)
    assert customer.ok("check", "governance")
    assert customer.kept() == ["lic-1.lic"]
    assert customer.journal() == ["activate-requested", "activated"]


def test_an_answer_is_taken_once(customer: Any, request_: ActivationRequest) -> None:
    file = customer.file("answer.txt", *answer(customer.desk, request_))
    found = customer.json("activate", file)
    assert set(found) == {"activated", "path", "license_id", "serial", "install_id", "licenses"}
    assert customer.run("activate", file) == 2
    assert "this answer is for no request that waits for one here" in customer.err


def test_the_answer_of_an_earlier_request_is_still_good(customer: Any, request_: ActivationRequest) -> None:
    for _ in range(15):
        customer.ok("request", "lic-1")
    customer.ok("activate", customer.file("answer.txt", *answer(customer.desk, request_)))


def test_requests_that_nobody_answers_are_forgotten_in_the_end(customer: Any, request_: ActivationRequest) -> None:
    from datetime import timedelta

    customer.now += timedelta(hours=1)
    for _ in range(16):
        customer.ok("request", "lic-1")
    assert customer.run("activate", customer.file("answer.txt", *answer(customer.desk, request_))) == 2
    assert "of which the latest is of 2026-11-26T13:00:00Z" in customer.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"install_id": "another"}, "this answer is for another installation"),
        ({"nonce": "never-asked"}, "this answer is for no request that waits for one here"),
        ({"product": "another-product"}, "this answer is for another product"),
        ({"license_sha256": "0" * 64}, "the license that this answer speaks of is not in the same file"),
        ({"serial": 2}, "the answer and its license do not fit"),
        ({"signer": Desk().issuer}, "nobody who may sign a activation-response has signed this one"),
    ],
)
def test_what_does_not_fit_the_request_is_refused(
    customer: Any, request_: ActivationRequest, changes: Any, words: str
) -> None:
    assert customer.run("activate", customer.file("answer.txt", *answer(customer.desk, request_, **changes))) == 2
    assert words in customer.err
    assert "to do:" in customer.err
    assert customer.kept() == []


def test_a_response_signed_by_another_role_is_no_answer(customer: Any, request_: ActivationRequest) -> None:
    envelopes = answer(customer.desk, request_, signer=customer.desk.revoker)
    assert customer.run("activate", customer.file("answer.txt", *envelopes)) == 2
    assert "keys of the role revocation, which do not count here" in customer.err


def test_a_license_signed_by_a_stranger_is_not_activated_by_a_good_answer(
    customer: Any, request_: ActivationRequest
) -> None:
    from desk import new_key

    forged = customer.desk.license(signer=new_key())
    good, _ = answer(customer.desk, request_, license_sha256=hashlib.sha256(forged).hexdigest())
    assert customer.run("activate", customer.file("answer.txt", good, forged)) == 2
    assert "nobody who may sign a license has signed this one" in customer.err
    assert customer.kept() == []


def test_the_license_in_an_answer_is_of_no_use_elsewhere(customer: Any, request_: ActivationRequest) -> None:
    customer.ok("activate", customer.file("answer.txt", *answer(customer.desk, request_)))
    customer.places.state.rename(customer.folder / "moved")
    assert customer.json("check", "governance", code=30)["code"] == "binding"
    assert "license request lic-1" in customer.json("doctor", code=1)["findings"][0]["to_do"][0]


def test_files_that_belong_to_the_other_command_are_told_apart(customer: Any, request_: ActivationRequest) -> None:
    license_ = customer.file("a.lic", customer.desk.license())
    assert customer.run("activate", license_) == 2
    assert "`tunesmith license install FILE`, if this is a license that needs no activation" in customer.err
    assert customer.run("install", customer.file("answer.txt", *answer(customer.desk, request_))) == 2
    assert "`tunesmith license activate FILE`" in customer.err


def test_giving_a_license_up_writes_the_note_before_it_removes(customer: Any, request_: ActivationRequest) -> None:
    customer.ok("activate", customer.file("answer.txt", *answer(customer.desk, request_)))
    taken = customer.folder / "taken.txt"
    taken.write_text("mine")
    assert customer.run("deactivate", "--out", taken) == 2
    assert "the file exists, and is left alone" in customer.err
    assert customer.kept() == ["lic-1.lic"]

    found = customer.json("deactivate", "--out", customer.folder / "back.txt")

    assert set(found) == {"asks", "license_id", "install_id", "path", "request", "removed"}
    note = asked(customer.folder / "back.txt")
    assert (note.asks, note.license_id, note.install_id) == ("deactivate", "lic-1", request_.install_id)
    assert customer.kept() == []
    assert customer.run("check", "governance") == 22


def test_a_request_goes_to_stdout_and_says_which_license(customer: Any) -> None:
    assert customer.run("request") == 2
    assert "say which license this is about" in customer.err
    assert customer.run("request", "Not An Id") == 2
    customer.ok("request", "lic-7", "--label", "build machine 3")
    request = read_activation_request(dearmor(customer.out, "activation-request"))
    assert (request.license_id, request.label) == ("lic-7", "build machine 3")
    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    found = customer.json("request")
    assert found["license_id"] == "lic-1"
    assert dearmor(found["request"], "activation-request")


def test_what_cannot_be_kept_is_not_asked(customer: Any) -> None:
    customer.places.state.write_text("a file where a folder should be")
    assert customer.run("request", "lic-1", "--out", customer.folder / "request.txt") == 2
    assert "this installation cannot be kept" in customer.err
    assert not (customer.folder / "request.txt").exists()
