# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith doctor`: this machine and this installation, on one screen."""

from __future__ import annotations

import typer

from tunesmith_cli.settings import Debug, Json, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def doctor(ctx: typer.Context, json: Json = False, debug: Debug = False) -> None:
    """Check this machine and this installation. Exit code 2 when something is broken."""
    from dataclasses import asdict

    from tunesmith_cli.diagnosis import diagnose
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    findings = list(diagnose())
    broken = [finding for finding in findings if finding.broken]
    if settings.json:
        screen.json({"ok": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        screen.fields(
            {
                finding.name: f"{finding.value}\n! {finding.problem}" if finding.problem else finding.value
                for finding in findings
            }
        )
        screen.result()
        screen.result(f"broken: {', '.join(finding.name for finding in broken)}" if broken else "all is well")
    if broken:
        raise typer.Exit(2)
