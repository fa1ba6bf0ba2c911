# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Revocations: numbered lists of everything that was ever revoked."""

from __future__ import annotations

from made_desk import ISSUE, Program, opened

from tunesmith.licensing.contents import parse_revocations


def test_each_revocation_makes_the_next_list_which_holds_the_earlier_ones(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    program.run(*ISSUE, "--term", "1y", "--id", "lic-b")
    program.run("revoke", "lic-a", "--reason", "order cancelled", "--out", "1.txt")
    program.run("revoke", "lic-b", "--up-to", "1", "--reason", "sent to the wrong address", "--out", "2.txt")
    first, second = (parse_revocations(opened(file, "revocations")) for file in ("1.txt", "2.txt"))
    assert (first.number, second.number) == (1, 2)
    assert [(one.id, one.up_to, one.reason) for one in second.entries] == [
        ("lic-a", None, "order cancelled"),
        ("lic-b", 1, "sent to the wrong address"),
    ]
    assert first.find("license", "lic-a", 7)
    assert not second.find("license", "lic-b", 2)


def test_a_revoked_license_is_issued_no_more_and_one_revoked_up_to_a_serial_is(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    program.run("revoke", "lic-a", "--up-to", "1", "--reason", "stolen")
    assert program.json("ledger", "search", "--id", "lic-a")["found"][0]["revoked"] is True
    assert program.json("reissue", "lic-a", "--reason", "in its place")["serial"] == 2
    assert program.json("ledger", "search", "--id", "lic-a")["found"][0]["revoked"] is False
    program.run("revoke", "lic-a", "--reason", "stolen again", "--out", "all.txt")
    assert len(parse_revocations(opened("all.txt", "revocations")).entries) == 1  # the wider one took its place
    assert "with all serials to come" in program.refused("renew", "lic-a", "--term", "1y")


def test_a_revocation_that_makes_no_sense_is_refused(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    assert "no such serial" in program.refused("revoke", "lic-a", "--up-to", "2", "--reason", "…")
    assert "knows no license or pool" in program.refused("revoke", "lic-x", "--reason", "…")
    assert "a revocation says why" in program.refused("revoke", "lic-a", "--reason", "")
    program.run("revoke", "lic-a", "--reason", "cancelled")
    assert "revoked already" in program.refused("revoke", "lic-a", "--up-to", "1", "--reason", "…", "--out", "2.txt")
