# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license audit …`` and ``usage export``."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tunesmith.licensing import dearmor
from tunesmith.licensing.contents import read_usage_report
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.journal import write_journal


@pytest.fixture
def used(customer: Any) -> Any:
    """Three jobs under one license, one under another, one refused."""
    customer.ok("install", customer.file("a.lic", customer.desk.license(features={"distributed": {"gpus": 8}})))
    other = customer.desk.license(license_id="lic-2", features={"governance": {}})
    customer.ok("install", customer.file("b.lic", other))
    jobs: list[tuple[str, dict[str, int]]] = [
        ("distributed", {"gpus": 2, "nodes": 1}),
        ("distributed", {"gpus": 8}),
        ("distributed", {}),
        ("governance", {}),
    ]
    for feature, quantities in jobs:
        write_journal(customer.places, "granted", **decide(feature, quantities, customer.look()).to_json())
    write_journal(customer.places, "refused", feature="priority", quantities={}, code="not-included")
    return customer


def test_the_journal_verifies_until_somebody_changes_it(used: Any) -> None:
    found = used.json("audit", "verify")
    assert set(found) == {"path", "ok", "entries", "head", "broken"}
    assert (found["ok"], found["entries"], found["broken"]) == (True, 7, None)
    assert "7 entries, each follows from the one before" in used.ok("audit", "verify")

    path = used.places.state / "journal.jsonl"
    path.write_text(path.read_text().replace('"gpus":2', '"gpus":1'))
    found = used.json("audit", "verify", code=2)
    assert (found["ok"], found["broken"]["line"]) == (False, 3)
    assert used.run("audit", "verify") == 2
    assert "line 3" in used.out


def test_without_a_journal_there_is_nothing_wrong(customer: Any) -> None:
    assert customer.json("audit", "verify")["entries"] == 0
    assert customer.ok("audit", "export") == ""


def test_the_journal_comes_out_as_lines(used: Any) -> None:
    assert used.run("audit", "export") == 0
    lines = [json.loads(line) for line in used.out.splitlines()]
    assert [line["event"] for line in lines] == ["license-installed"] * 2 + ["granted"] * 4 + ["refused"]
    assert all(set(line) == {"seq", "time", "event", "fields"} for line in lines)
    used.ok("audit", "export", "--out", used.folder / "journal.out")
    assert len((used.folder / "journal.out").read_text().splitlines()) == 7
    assert used.run("audit", "export", "--out", used.folder / "journal.out") == 2
    assert "the file exists, and is left alone" in used.err


def test_use_is_counted_and_signed_by_the_installation(used: Any) -> None:
    text = used.ok("usage", "export", "--out", used.folder / "use.txt")
    assert "distributed lic-1 3 8 gpus, 1 nodes" in text
    assert "governance lic-2 1" in text
    report = read_usage_report(dearmor((used.folder / "use.txt").read_text(), "usage-report"))
    assert [(one.feature, one.license_id, one.jobs, dict(one.most)) for one in report.used] == [
        ("distributed", "lic-1", 3, {"gpus": 8, "nodes": 1}),
        ("governance", "lic-2", 1, {}),
    ]
    assert report.install_id == used.json("status")["machine"]["install_id"]
    assert report.journal_entries == 7


def test_the_shape_of_usage_is_pinned_and_stdout_is_the_report(used: Any) -> None:
    found = used.json("usage", "export")
    assert set(found) == {"path", "report", "since", "until", "used", "journal"}
    assert set(found["used"][0]) == {"feature", "license_id", "jobs", "most"}
    assert read_usage_report(dearmor(found["report"], "usage-report"))
    used.ok("usage", "export")
    assert read_usage_report(dearmor(used.out, "usage-report"))


def test_a_span_counts_what_lies_in_it(used: Any) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    after = tomorrow + timedelta(days=1)
    assert used.json("usage", "export", "--since", f"{tomorrow:%Y-%m-%d}", "--until", f"{after:%Y-%m-%d}")["used"] == []
    assert used.run("usage", "export", "--since", "2027-01-02", "--until", "2027-01-01") == 2
    assert "the span of the report ends before it begins" in used.err


def test_no_report_is_made_of_a_journal_that_was_changed(used: Any) -> None:
    path = used.places.state / "journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(True)[1:]))
    assert used.run("usage", "export") == 2
    assert "no report is made of a journal that was changed" in used.err
    assert "`tunesmith license audit verify`" in used.err
