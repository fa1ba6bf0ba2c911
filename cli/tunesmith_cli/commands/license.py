# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith license inspect`: what a signed document says. Plugins add further commands to the group."""

from __future__ import annotations

from typing import Annotated

import typer

from tunesmith_cli.open_group import OpenGroup
from tunesmith_cli.settings import Debug, Json, Settings

__all__ = ["app"]

app = typer.Typer(cls=OpenGroup, rich_markup_mode=None)


@app.callback()
def license_() -> None:
    """What a license or another signed document says. Plugins that are sold add their commands here."""


@app.command()
def inspect(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A license or another signed document; - reads stdin.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what a file's documents say, and who signed them. Nothing is asked over a network, and nothing is kept."""
    from datetime import datetime, timezone

    from tunesmith.licensing.reasons import about
    from tunesmith_cli.documents_view import inspected, read, show
    from tunesmith_cli.screen import Screen, json_text

    screen = Screen(ctx.find_object(Settings) or Settings())
    with about("stdin" if file == "-" else file):
        found = [inspected(document) for document in read(file)]
    if screen.settings.json:
        # Escapes for all that is not ASCII: a document may hold what a terminal obeys.
        screen.result(json_text({"file": file, "documents": found}, indent=2, ascii_only=True))
        return
    now = datetime.now(timezone.utc)
    for at, one in enumerate(found):
        if at:
            screen.result()
        show(screen, one, now)
