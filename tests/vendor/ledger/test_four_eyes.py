# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A second operator approves what the first proposes, and only then it is signed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from made_desk import ISSUE, NOW, PASSPHRASE, Installation, Program, license_in, opened

from tunesmith.licensing.contents import parse_license, parse_revocations
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.issuing.clerk import Clerk
from tunesmith_vendor.ledger.store import Operator

ADA, BEN = ("--operator", "ada"), ("--operator", "ben")


@pytest.fixture
def pair(program: Program) -> Program:
    program.run("ledger", "settings", "four_eyes=true", *ADA)
    return program


def test_what_is_proposed_is_signed_when_another_operator_approves_it(pair: Program) -> None:
    proposed = pair.json(*ISSUE, "--term", "1y", "--id", "lic-a", *ADA)
    assert proposed["progress"] == "proposed"
    assert os.listdir() == []
    entry = proposed["entry"]
    assert "there is no document to write" in pair.refused("show", entry, "--out", "a.lic")
    said = pair.refused("approve", entry, *ADA)
    assert "who proposes does not approve" in said
    assert "proposed by ada" in said
    assert pair.json("approve", entry, *BEN, "--out", "a.lic")["progress"] == "signed"
    shown = pair.json("show", entry)
    assert license_in("a.lic") == parse_license(opened("a.lic", "license"))
    assert shown["payload"] == proposed["payload"]  # the bytes that were looked at, and none made since
    assert "waits for no approval" in pair.refused("approve", entry, "--operator", "cy")


def test_a_proposal_is_rejected_and_its_serial_not_used_again(pair: Program) -> None:
    pair.run("approve", pair.json(*ISSUE, "--term", "1y", "--id", "lic-a", *ADA)["entry"], *BEN)
    second = pair.json("reissue", "lic-a", "--reason", "lost", *ADA)
    assert second["serial"] == 2
    assert pair.json("show", "lic-a")["progress"] == "proposed"
    pair.run("show", "lic-a", "--out", "what-they-have.lic")
    assert license_in("what-they-have.lic").serial == 1
    assert pair.json("reject", second["entry"], "--reason", "it was found", *ADA)["progress"] == "rejected"
    assert "waits for no approval" in pair.refused("approve", second["entry"], *BEN)
    assert pair.json("reissue", "lic-a", "--reason", "lost", *ADA)["serial"] == 3


def test_who_wants_to_work_alone_needs_approval_for_that_too(pair: Program) -> None:
    off = pair.json("ledger", "settings", "four_eyes=false", *ADA)
    assert off["progress"] == "proposed"
    assert "four_eyes  true" in pair.run("ledger", "settings")
    assert "who proposes" in pair.refused("approve", off["entry"], *ADA)
    code, out, err = pair("approve", off["entry"], *BEN)
    assert (code, ": done" in out) == (0, True)
    assert "proposed and approved from one account" in err  # names are only what people say
    assert "four_eyes  false" in pair.run("ledger", "settings")
    assert pair.json(*ISSUE, "--term", "1y", *ADA)["progress"] == "signed"


def test_lists_of_revocations_are_numbered_in_the_order_of_their_approval(program: Program) -> None:
    for name in ("lic-a", "lic-b"):
        program.run(*ISSUE, "--term", "1y", "--id", name)
    program.run("ledger", "settings", "four_eyes=true", *ADA)
    first, second = (program.json("revoke", name, "--reason", "why", *ADA)["entry"] for name in ("lic-a", "lic-b"))
    program.run("approve", second, *BEN, "--out", "1.txt")
    program.run("approve", first, *BEN, "--out", "2.txt")
    lists = [parse_revocations(opened(file, "revocations")) for file in ("1.txt", "2.txt")]
    assert [listed.number for listed in lists] == [1, 2]
    assert [one.id for one in lists[1].entries] == ["lic-b", "lic-a"]
    assert "whole" in program.run("ledger", "verify")


def test_two_proposals_from_one_serial_do_not_undo_each_other(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    program.run("ledger", "settings", "four_eyes=true", *ADA)
    larger = program.json("upgrade", "lic-a", "--feature", "priority", *ADA)["entry"]
    longer = program.json("renew", "lic-a", "--term", "1y", *ADA)["entry"]
    program.run("approve", larger, *BEN)
    said = program.refused("approve", longer, *BEN)
    assert "the license has changed since this was proposed" in said
    assert f"reject {longer}" in said


def test_two_who_approve_at_once_sign_it_once(pair: Program, desk: Desk) -> None:
    entry = pair.json(*ISSUE, "--term", "1y", *ADA)["entry"]
    came: list[str] = []

    def approve(name: str) -> None:
        clerk = Clerk(desk, pair.ledger, Operator(name, name), lambda _: PASSPHRASE, now=NOW)
        try:
            came.append(clerk.approve(entry).progress or "")
        except VendorError as error:
            came.append(error.what)

    threads = [threading.Thread(target=approve, args=(name,)) for name in ("ben", "cy", "dora")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["signed", "this act waits for no approval", "this act waits for no approval"]
    assert pair.json("ledger", "verify")["entries"] == entry + 2


def test_an_activation_needs_no_second_operator_as_its_license_had_one(pair: Program) -> None:
    right = pair.json(*ISSUE, "--term", "1y", "--id", "lic-a", "--activations", "1", *ADA)
    assert right["progress"] == "proposed"
    request = Installation("node-1").request(Path(), "lic-a")
    assert "knows no license" in pair.refused("activation", "respond", request, *ADA)
    assert pair.json("approve", right["entry"], *BEN)["progress"] == "done"
    assert pair.json("activation", "respond", request, *ADA)["progress"] == "signed"
