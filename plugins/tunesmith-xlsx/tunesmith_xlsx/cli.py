# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith sheets FILE``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from tunesmith_xlsx.workbook import list_sheets

__all__ = ["app"]

app = typer.Typer()


@app.command()
def sheets(
    file: Annotated[Path, typer.Argument(help="An .xlsx workbook.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Show what the sheets of a workbook hold: their columns and how many rows."""
    found = list_sheets(file)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(sheet) for sheet in found], ensure_ascii=False, indent=2))
        return
    width = max(len(sheet.name) for sheet in found)
    for sheet in found:
        columns = ", ".join(name or "(no name)" for name in sheet.columns) or "(empty)"
        typer.echo(f"{sheet.name:<{width}}  {sheet.rows:>9,} {'row ' if sheet.rows == 1 else 'rows'}  {columns}")
