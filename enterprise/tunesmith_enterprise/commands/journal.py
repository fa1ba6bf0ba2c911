# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license audit …`` and ``usage export``: the journal of this installation, and what was used after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith_enterprise.commands.printing import AsJson, limits_text, note, print_json, result, table

if TYPE_CHECKING:
    from datetime import datetime

    from tunesmith_enterprise.chained_log import ChainedLog

__all__ = ["audit", "usage"]

audit = typer.Typer(rich_markup_mode=None)
usage = typer.Typer(rich_markup_mode=None)

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="A new file.  [default: stdout]", show_default=False)
]


@audit.callback()
def audit_() -> None:
    """The journal of grants and licenses. Each line has the hash of the one before."""


@usage.callback()
def usage_() -> None:
    """What was used here. Nothing is sent."""


@audit.command()
def verify(json: AsJson = False) -> None:
    """Look whether a line of the journal was changed, taken out or put in. Exit code 2: one was; the first is named."""
    log = _journal()
    broken = log.verify() if log.path.exists() else None
    head = log.head() if broken is None else None
    if json:
        print_json(
            {
                "path": str(log.path),
                "ok": broken is None,
                "entries": head and head.seq,
                "head": head and head.sha256,
                "broken": broken and {"line": broken.line, "why": broken.why},
            }
        )
    elif broken is None and head is not None:
        result(f"{log.path}: {head.seq:,} {'entry' if head.seq == 1 else 'entries'}, each follows from the one before")
        result(f"the last one: {head.sha256}")
        note("keep that elsewhere: it shows when lines are taken away at the end")
    else:
        result(f"{log.path}: {broken}")
        note("keep a copy of the file as it is, and find out who could write it; licenses are not touched by this")
    if broken is not None:
        raise typer.Exit(2)


@audit.command()
def export(out: Out = None) -> None:
    """The journal as JSON lines: seq, time, event, fields. Lines that are none are left out; see verify."""
    import json

    from tunesmith_enterprise.commands.keeping import write_new

    lines = [
        json.dumps({"seq": one.seq, "time": one.time, "event": one.event, "fields": dict(one.fields)})
        for one in _journal().read()
    ]
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_new(out, text)
        result(f"written: {out}: {len(lines):,} entries")


@usage.command("export")
def usage_export(
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help="Default: the first entry.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Default: now.")] = None,
    out: Out = None,
    json: AsJson = False,
) -> None:
    """A report of use, counted from the journal and signed by this installation, for whoever asks for one."""
    from tunesmith.licensing import PublicKey, armor, sign
    from tunesmith_enterprise.commands.context import look, state
    from tunesmith_enterprise.commands.keeping import write_new
    from tunesmith_enterprise.commands.using import usage_report
    from tunesmith_enterprise.commands.views import moment
    from tunesmith_enterprise.entitlement.install import installation

    now = look().facts.now
    mine = installation(state(), os.environ, now=now)
    report = usage_report(
        _journal(),
        install_id=mine.install_id,
        key=PublicKey.of(mine.key),
        since=_date(since, "--since"),
        until=_date(until, "--until"),
        now=now,
    )
    armored = armor(sign(report.payload(), "usage-report", [mine.key]))
    if out is not None:
        write_new(out, armored)
    rows = [
        {"feature": one.feature, "license_id": one.license_id, "jobs": one.jobs, "most": dict(one.most)}
        for one in report.used
    ]
    if json:
        print_json(
            {
                "path": None if out is None else str(out),
                "report": armored if out is None else None,
                "since": moment(report.since),
                "until": moment(report.until),
                "used": rows,
                "journal": {"entries": report.journal_entries, "head": report.journal_head},
            }
        )
        return
    if out is None:
        typer.echo(armored, nl=False)
        print("to see what it says: `tunesmith license inspect -`", file=sys.stderr)
        return
    result(f"written: {out}")
    table(
        ["feature", "license", "jobs", "most in one job"],
        [
            [one.feature, one.license_id, f"{one.jobs:,}", limits_text(one.most) if one.most else ""]
            for one in report.used
        ],
    )


def _journal() -> ChainedLog:
    from tunesmith.errors import NotFoundError
    from tunesmith_enterprise.chained_log import ChainedLog
    from tunesmith_enterprise.commands.context import journal_path

    path = journal_path()
    if path is None:
        raise NotFoundError(
            "this account has no journal: it has no home folder",
            expected="a home folder, or XDG_STATE_HOME",
            fix="set XDG_STATE_HOME to a folder that stays",
        )
    return ChainedLog(path)


def _date(text: str | None, option: str) -> datetime | None:
    from tunesmith_enterprise.commands.printing import date

    return None if text is None else date(text, option)
