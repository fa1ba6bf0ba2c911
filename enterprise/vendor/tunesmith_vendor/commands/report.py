# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor report``: what ends soon, and what customers use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunesmith.licensing import format_timestamp, read_document
from tunesmith.licensing.contents import read_usage_report
from tunesmith_vendor.commands.desk_work import LedgerPlace, ledger_of
from tunesmith_vendor.commands.options import AsJson, DeskFolder, note, opened, plain, show_json
from tunesmith_vendor.desk import utc_now
from tunesmith_vendor.issuing.terms import after
from tunesmith_vendor.reports.searching import ending
from tunesmith_vendor.reports.usage import judge

__all__ = ["app"]

app = typer.Typer(help="Reports: what ends soon, what customers use.")


@app.command("expiring")
def expiring(
    within: Annotated[str, typer.Option("--within", metavar="LENGTH", help="90d, 12m or 1y.")] = "90d",
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """List what ends within a time, the nearest first; without what was revoked or replaced."""
    now = utc_now()
    until = after(now, within, "--within")
    with ledger_of(opened(desk), ledger).reading() as reading:
        found = [(one.plain(), (one.record.ends - now).days) for one in ending(reading, now, until) if one.record.ends]
    if as_json:
        listed = [values | {"days_left": days} for values, days in found]
        show_json({"at": format_timestamp(now), "until": format_timestamp(until), "expiring": listed})
        return
    for values, days in found:
        who = f"{plain(values['customer_name'])} ({values['customer']})"
        print(f"{days:>4} days  {values['expires_at']}  {values['id']}  {who}  {plain(values['edition'])}")
    note(f"{len(found):,} end before {format_timestamp(until)}")


@app.command("usage")
def usage(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A customer's usage report.")],
    desk: DeskFolder = None,
    ledger: LedgerPlace = None,
    as_json: AsJson = False,
) -> None:
    """Compare what an installation says it used with what was bought. Exit code 3: something is not covered."""
    report = read_usage_report(read_document(file, "usage-report"))
    with ledger_of(opened(desk), ledger).reading() as reading:
        lines = judge(reading, report)
    beyond = [line for line in lines if line.judgement != "within"]
    if as_json:
        show_json(
            {
                "install_id": report.install_id,
                "since": format_timestamp(report.since),
                "until": format_timestamp(report.until),
                "journal": {"entries": report.journal_entries, "head": report.journal_head},
                "within": not beyond,
                "used": [
                    {
                        "license_id": line.used.license_id,
                        "feature": line.used.feature,
                        "jobs": line.used.jobs,
                        "most": dict(line.used.most),
                        "limits": dict(line.limits),
                        "judgement": line.judgement,
                        "why": line.why,
                    }
                    for line in lines
                ],
                "metered": [asdict(one) for one in report.metered],
            }
        )
    else:
        print(f"{report.install_id}  {format_timestamp(report.since)} to {format_timestamp(report.until)}")
        for line in lines:
            most = ", ".join(f"{count:,} {name}" for name, count in line.used.most.items())
            print(f"{line.judgement:<18}{line.used.license_id}  {line.used.feature}  {line.used.jobs:,} jobs  {most}")
            if line.why:
                print(f"  {plain(line.why)}")
        for one in report.metered:
            tokens = f"{one.prompt_tokens:,} and {one.completion_tokens:,} tokens"
            print(f"{plain(one.tenant) or 'no tenant':<18}{one.requests:,} requests, {tokens}, {one.runs:,} runs")
        note("an installation counts for itself: its report is signed, and only as good as the program that counted")
    if beyond:
        raise typer.Exit(3)
