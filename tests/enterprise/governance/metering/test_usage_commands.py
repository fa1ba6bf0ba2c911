# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith usage``: what it shows, and a report that the core and the vendor's desk can check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from desk import NOW
from licensed import Machine, a_machine

import tunesmith_enterprise
from tunesmith.licensing import read_document
from tunesmith.licensing.contents import Metered, read_usage_report
from tunesmith_cli.main import main
from tunesmith_enterprise.entitlement import journal
from tunesmith_enterprise.governance.metering.store import Key, Month


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One on which two tenants and a job were counted in October, and one tenant in November."""
    machine = a_machine(tmp_path, monkeypatch)
    folder = tmp_path / "usage"
    folder.mkdir()
    machine.settings(
        f'[plugins.enterprise]\nusage = "{folder.as_posix()}"\naudit_log = "{machine.log.path.as_posix()}"\n'
    )
    october = Month(folder, "2026-10")
    tokens = {"prompt_tokens": 1_000_000, "cached_tokens": 400_000, "completion_tokens": 20_000}
    october.add({Key("2026-10-03", "acme", "ci", "chat"): {"requests": 1200, **tokens}})
    october.add({Key("2026-10-04", "acme", "ana", "chat"): {"requests": 1, "refused": 2}})
    october.add({Key("2026-10-04", "Ärzte am Markt", "ci", "chat"): {"requests": 3}})
    october.add({Key("2026-10-05", "", "ana", ""): {"runs": 2, "steps": 900, "milliseconds": 5_400_400}})
    october.close()
    november = Month(folder, "2026-11")
    november.add({Key("2026-11-01", "acme", "ci", "chat"): {"requests": 7}})
    november.close()
    return machine


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["usage", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_month_by_tenant(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.delete()  # needs no license
    code, out, _ = said(capsys, "show", "--month", "2026-10")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["tenant", "requests", "refused", "prompt", "of", "it", "cached", "completion", "runs", "steps", "hours"],
        ["–", "0", "0", "0", "0", "0", "2", "900", "1.50"],
        ["acme", "1,201", "2", "1,000,000", "400,000", "20,000", "0", "0", "0.00"],
        ["Ärzte", "am", "Markt", "3", "0", "0", "0", "0", "0", "0", "0.00"],
    ]


def test_one_tenant_by_caller_and_day_for_programs(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("show", "--month", "2026-10", "--tenant", "acme", "--by", "caller", "--by", "day", "--json")
    found = json.loads(said(capsys, *arguments)[1])
    assert found["month"] == "2026-10"
    assert [(one["caller"], one["day"], one["requests"], one["refused"]) for one in found["used"]] == [
        ("ana", "2026-10-04", 1, 2),
        ("ci", "2026-10-03", 1200, 0),
    ]


def test_a_month_or_tenant_that_was_not_counted(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "show", "--month", "2026-09")[2] == "nothing was counted in 2026-09\n"
    _, out, err = said(capsys, "show", "--month", "2026-10", "--tenant", "nobody")
    assert (out, err) == ("", "nothing was counted in 2026-10 for the tenant 'nobody'\n")
    code, _, err = said(capsys, "show", "--by", "color")
    assert code != 0
    assert "tenant, caller, model, day" in err
    for month in ("2026-13", "october", "26-10"):
        code, _, err = said(capsys, "show", "--month", month)
        assert code != 0
        assert "no such month" in err
    code, _, err = said(capsys, "report", "--month", "2026-09", "--out", machine.folder / "r.lic")
    assert code != 0
    assert "nothing was counted in 2026-09" in err
    assert "2026-10, 2026-11" in err


def test_without_the_setting_a_folder_has_to_be_named(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.settings("")
    code, _, err = said(capsys, "show", "--month", "2026-10")
    assert code != 0
    assert "the settings ask for no count of use" in err
    assert said(capsys, "show", "--month", "2026-10", "--folder", machine.folder / "usage")[0] == 0


def test_a_count_that_was_damaged_is_not_shown(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.folder / "usage" / "2026-10.sqlite").write_bytes(b"something else" * 1000)
    code, out, err = said(capsys, "show", "--month", "2026-10")
    assert code != 0
    assert out == ""
    assert "the count of 2026-10 cannot be read" in err


def test_who_may_only_read_sees_it_too(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    folder = machine.folder / "usage"
    for file in folder.iterdir():
        file.chmod(0o400)
    folder.chmod(0o500)
    try:
        assert said(capsys, "show", "--month", "2026-10")[0] == 0
    finally:
        folder.chmod(0o700)


def test_a_report_is_signed_by_the_installation_and_names_tenants_but_no_people(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    tunesmith_enterprise.require("distributed", processes=4)  # on 26 November: not in the report of October
    out = machine.folder / "october.lic"
    code, told, _ = said(capsys, "report", "--month", "2026-10", "--out", out)
    assert code == 0
    assert "2026-10, 3 tenants" in told
    report = read_usage_report(read_document(out, "usage-report"))
    assert (f"{report.since:%Y-%m-%d %H:%M}", f"{report.until:%Y-%m-%d %H:%M}") == (
        "2026-10-01 00:00",
        "2026-11-01 00:00",
    )
    assert report.metered == (
        Metered(runs=2, steps=900, seconds=5400),
        Metered(
            tenant="acme",
            requests=1201,
            refused=2,
            prompt_tokens=1_000_000,
            cached_tokens=400_000,
            completion_tokens=20_000,
        ),
        Metered(tenant="Ärzte am Markt", requests=3),
    )
    assert report.used == ()
    assert b"ana" not in report.payload()

    assert main(["license", "inspect", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "the key that it names signed it" in shown
    assert "tenant acme" in shown
    assert "1,201" in shown


def test_a_report_counts_the_jobs_under_each_license_too(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith_enterprise import chained_log

    class Clock(chained_log.datetime):
        @classmethod
        def now(cls, tz: object = None) -> chained_log.datetime:  # type: ignore[override]
            return NOW

    monkeypatch.setattr(chained_log, "datetime", Clock)
    tunesmith_enterprise.require("distributed", processes=4)
    out = machine.folder / "november.lic"
    code, told, _ = said(capsys, "report", "--month", "2026-11", "--out", out, "--json")
    assert code == 0
    assert json.loads(told)["tenants"] == 1
    report = read_usage_report(read_document(out, "usage-report"))
    assert [(one.feature, one.license_id, one.jobs, dict(one.most)) for one in report.used] == [
        ("distributed", "lic-1", 1, {"processes": 4})
    ]
    assert report.journal_entries == 1
    assert journal.journal_path(machine.places) is not None


def test_that_a_report_was_made_is_in_the_audit_log_before_it_is_there(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    from hashlib import sha256

    out = machine.folder / "october.lic"
    said(capsys, "report", "--month", "2026-10", "--out", out)
    (record,) = machine.log.read()
    assert (record.event, record.fields["month"]) == ("usage-report", "2026-10")
    assert record.fields["sha256"] == sha256(read_document(out, "usage-report")).hexdigest()
    machine.log.path.write_text("something else\n")
    code, _, err = said(capsys, "report", "--month", "2026-10", "--out", machine.folder / "again.lic")
    assert code != 0
    assert "does not end as a chained log does" in err
    assert not (machine.folder / "again.lic").exists()


def test_the_report_of_a_month_that_is_not_over_says_so(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "report", "--month", "2026-11", "--out", machine.folder / "november.lic")
    assert code == 0
    assert "2026-11 is not over: this is what was counted so far" in err
