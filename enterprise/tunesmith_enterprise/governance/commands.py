# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith audit …``: look at an audit log. Needs no license: what was written is the customer's."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from tunesmith.errors import OutputError, RequestError
from tunesmith_enterprise.chained_log import EMPTY, ChainedLog, Head
from tunesmith_enterprise.commands.printing import AsJson, fields, print_json

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The audit log, or another chained log.", show_default=False)]


@app.callback()
def audit() -> None:
    """Check and export audit logs."""


@app.command()
def verify(
    file: File,
    head: Annotated[
        str, typer.Option(help="What an earlier check printed as head: shows what was taken away at the end.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say whether every line is as it was written, and which is the first that is not; then the exit code is 1."""
    log = ChainedLog(file)
    kept = _head(head)
    try:
        broken = log.verify(kept)
        end = None if broken else log.head()
    except OSError as error:
        raise _unreadable(file, error) from error
    if as_json:
        found = None if broken is None else {"line": broken.line, "why": broken.why}
        print_json({"file": str(file), "sound": broken is None, "broken": found, "head": _text(end)})
    elif broken is not None:
        fields({"file": file, "broken": broken})
    else:
        assert end is not None
        fields({"file": file, "records": f"{end.seq:,}, all as they were written", "head": _text(end)})
    if broken is not None:
        raise typer.Exit(1)


@app.command()
def export(
    file: File,
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format", help="How records are written.")] = "jsonl",
    event: Annotated[list[str] | None, typer.Option(help="Only records of this event; may be repeated.")] = None,
    since: Annotated[str, typer.Option(help="Only records of this day or later: 2026-11-01.")] = "",
) -> None:
    """Print the records, for other programs. Says nothing of whether they were changed: see `verify`."""
    log = ChainedLog(file)
    if since and not re.fullmatch(r"\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?", since):
        raise RequestError("no such day", parameter="since", given=since, expected="2026-11-01, in UTC")
    rows = csv.writer(sys.stdout, lineterminator="\n")
    if form == "csv":
        rows.writerow(["seq", "time", "event", "fields"])
    try:
        if not file.exists():
            raise FileNotFoundError(2, "No such file or directory")
        for record in log.read():
            if record.time < since or (event and record.event not in event):
                continue
            told = json.dumps(record.fields)
            if form == "csv":
                rows.writerow([record.seq, record.time, record.event, told])
            else:
                head = {"seq": record.seq, "time": record.time, "event": record.event}
                typer.echo(json.dumps(head)[:-1] + f', "fields": {told}}}')
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unreadable(file, error) from error


def _head(text: str) -> Head:
    if not text:
        return EMPTY
    seq, _, sha256 = text.partition(":")
    if not seq.isdecimal() or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise RequestError(
            "no head of a log",
            parameter="head",
            given=text[:100],
            expected="a number, a colon and 64 hexadecimal digits, as `tunesmith audit verify` prints it",
        )
    return Head(int(seq), sha256)


def _text(head: Head | None) -> str | None:
    return None if head is None else f"{head.seq}:{head.sha256}"


def _unreadable(file: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the log {file} cannot be read",
        given=error.strerror or str(error),
        expected="the file that audit_log in the settings names",
        fix="name the right file, or ask its owner for permission",
    )
