# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license doctor``: what is wrong, why, and what to do next."""

from __future__ import annotations

from typing import Annotated

import typer

from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result

__all__ = ["doctor"]


def doctor(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE", help="Look at this file only, before it is installed; - reads stdin.", show_default=False
        ),
    ] = None,
    forget_clock: Annotated[
        bool, typer.Option("--forget-clock", help="Begin the mark of the clock anew: a wrong clock has left one.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Say what is wrong with licenses here, and what to do. Exit code 0: nothing; 1: there is something to do."""
    from dataclasses import asdict
    from pathlib import Path

    from tunesmith.errors import SignedDocumentError
    from tunesmith_enterprise.commands.changing import read_text
    from tunesmith_enterprise.commands.context import journal, journal_path, look, state
    from tunesmith_enterprise.commands.diagnosis import diagnose, diagnose_text, refused_finding
    from tunesmith_enterprise.entitlement.clock import forget_mark

    if forget_clock:
        forgotten = forget_mark(state())
        note("the mark of the clock was forgotten" if forgotten else "there was no mark of the clock")
        if forgotten:
            journal("clock-forgotten")
    if file is None:
        findings = diagnose(look(), state(), journal_path(), Path.cwd())
    else:
        try:
            text = read_text(file)
        except SignedDocumentError as error:
            findings = [refused_finding(error, file)]
        else:
            findings = diagnose_text(text, file, look(text))
    problems = [one for one in findings if one.problem]
    if json:
        print_json({"ok": not problems, "findings": [{**asdict(one), "to_do": list(one.to_do)} for one in findings]})
    else:
        for one in findings:
            result(f"{'!' if one.problem else '-'} {one.where}")
            result(f"  cause  {one.cause}")
            for number, step in enumerate(one.to_do):
                result(f"  {'' if number else 'to do':<5}  {step}")
            result()
        number = len(problems)
        result(f"{number} {'thing' if number == 1 else 'things'} to do" if number else "all is well")
    if problems:
        raise typer.Exit(1)
