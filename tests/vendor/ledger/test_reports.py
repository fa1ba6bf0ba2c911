# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Searching the ledger, what ends soon, and what customers use."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from made_desk import ISSUE, Installation, Program

from tunesmith.licensing.contents import Metered, Used


def day(days: int) -> str:
    return f"{datetime.now(timezone.utc) + timedelta(days=days):%Y-%m-%d}"


@pytest.fixture
def three(program: Program) -> Program:
    """Licenses that end in 30, 60 and 400 days."""
    for name, days in (("lic-a", 30), ("lic-b", 60), ("lic-c", 400)):
        program.run(*ISSUE, "--id", name, "--expires", day(days), "--order", f"PO {name}")
    return program


def found(program: Program, *conditions: str) -> list[str]:
    return [one["id"] for one in program.json("ledger", "search", *conditions)["found"]]


def test_licenses_are_found_by_customer_order_id_and_end(three: Program) -> None:
    three.run(*ISSUE, "--id", "lic-d", "--perpetual", "--customer", "other_1", "--customer-name", "Other & Sons 100%")
    assert found(three) == ["lic-a", "lic-b", "lic-c", "lic-d"]
    assert found(three, "--customer", "other_1") == found(three, "--customer", "SONS 100%") == ["lic-d"]
    assert found(three, "--customer", "100_") == []  # no pattern of the database
    assert found(three, "--order", "PO lic-b") == ["lic-b"]
    assert found(three, "--id", "lic-c", "--customer", "example") == ["lic-c"]
    assert found(three, "--expiring-before", day(90)) == ["lic-a", "lic-b"]
    assert "lic-a  serial 1  Example Ltd  ends " in three.run("ledger", "search")


def test_what_ends_soon_is_listed_without_what_was_renewed_revoked_or_replaced(three: Program) -> None:
    assert [one["id"] for one in three.json("report", "expiring", "--within", "90d")["expiring"]] == ["lic-a", "lic-b"]
    assert three.json("report", "expiring")["expiring"][0]["days_left"] == 29
    three.run("renew", "lic-a", "--term", "1y")
    assert [one["id"] for one in three.json("report", "expiring")["expiring"]] == ["lic-b"]
    three.run(*ISSUE, "--id", "lic-d", "--term", "2y", "--replaces", "lic-b")
    assert three.json("report", "expiring")["expiring"] == []
    assert three.json("ledger", "search", "--id", "lic-b")["found"][0]["replaced_by"] == "lic-d"
    three.run("revoke", "lic-c", "--reason", "cancelled")
    assert [one["id"] for one in three.json("report", "expiring", "--within", "3y")["expiring"]] == ["lic-a", "lic-d"]
    assert "length of time" in three.refused("report", "expiring", "--within", "soon")


def test_what_an_installation_used_is_compared_with_what_was_bought(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a", "--activations", "1")
    program.run(*ISSUE, "--term", "1y", "--id", "lic-b")
    node = Installation("node-a")
    program.run("activation", "respond", node.request(Path(), "lic-a"))
    report = node.usage(
        Path(),
        Used(feature="distributed", license_id="lic-a", jobs=3, most={"nodes": 4, "gpus": 33}),
        Used(feature="distributed", license_id="lic-b", jobs=1, most={"processes": 900}),
        Used(feature="priority", license_id="lic-b", jobs=1, most={}),
        Used(feature="governance", license_id="lic-x", jobs=1, most={}),
    )
    code, out, _ = program("report", "usage", report)
    assert code == 3
    assert "33 gpus, 32 allowed" in out
    code, out, _ = program("report", "usage", report, "--json")
    judged = [line["judgement"] for line in json.loads(out)["used"]]
    assert judged == ["over", "within", "not-included", "unknown-license"]


def test_a_report_of_a_stranger_or_of_what_is_revoked_is_told(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a", "--activations", "1")
    program.run(*ISSUE, "--term", "1y", "--id", "lic-b")
    program.run("activation", "respond", Installation("node-a").request(Path(), "lic-a"))
    program.run("revoke", "lic-b", "--reason", "cancelled")
    report = Installation("node-a").usage(  # the same name, another key
        Path(),
        Used(feature="governance", license_id="lic-a", jobs=1, most={}),
        Used(feature="governance", license_id="lic-b", jobs=1, most={}),
    )
    code, out, _ = program("report", "usage", report)
    assert code == 3
    assert "other-installation" in out
    assert "another key than that of the activation" in out
    assert "revoked   " in out
    other = Installation("node-b").usage(Path(), product="another")
    assert "this report is of another product" in program.refused("report", "usage", other)


def test_a_report_within_what_was_bought_ends_well(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    report = Installation("node-a").usage(
        Path(), Used(feature="distributed", license_id="lic-a", jobs=3, most={"nodes": 4})
    )
    assert program.json("report", "usage", report)["within"] is True
    lines = report.read_text().splitlines()
    lines[2] = lines[2].swapcase()
    report.write_text("\n".join(lines))
    program.refused("report", "usage", report)


def test_what_tenants_used_is_shown_as_the_installation_says_it(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    acme = Metered(tenant="acme", requests=1200, prompt_tokens=5, completion_tokens=7)
    report = Installation("node-a").usage(Path(), metered=(Metered(runs=2), acme))
    _, out, _ = program("report", "usage", report)
    assert "acme              1,200 requests, 5 and 7 tokens, 0 runs" in out
    assert "no tenant         0 requests, 0 and 0 tokens, 2 runs" in out
    found = program.json("report", "usage", report)["metered"]
    assert [(one["tenant"], one["requests"], one["runs"]) for one in found] == [("", 0, 2), ("acme", 1200, 0)]
