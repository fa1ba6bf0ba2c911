# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins new`: a whole plugin, with its test, to be changed into one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

__all__ = ["new"]


def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the plugin is called, e.g. film-stars.")],
    parts: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="KIND",
            help="What it brings: dataset, task, command, reader, metric, augmentation, transform, objective, tracker, "
            "report_section. Repeatable; else the first three.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The folder to make; else tunesmith-NAME.", show_default=False),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a plugin that works as it stands: its package, its test, a README, and a workflow that tests it.

    All of it is yours. Nothing is installed and nothing overwritten; what to type next is printed.
    """
    from datetime import datetime

    import tunesmith
    from tunesmith._plugins import scaffold
    from tunesmith._plugins.examine import look
    from tunesmith_cli.root import BUILT_IN
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    chosen = scaffold.choose_parts(parts or ())
    here = [seen.record for seen in look()]  # in a process of its own, as everything under `plugins`
    names = scaffold.plugin_names(name, here, commands=BUILT_IN if "command" in chosen else ())
    folder = out or Path(names.distribution)
    year = datetime.now().year  # where the author is
    files = scaffold.project_files(names, chosen, version=tunesmith.__version__, year=year)
    scaffold.write_project(files, folder)
    following = scaffold.next_commands(names, chosen, folder)
    if screen.settings.json:
        facts = {"plugin": names.plugin, "distribution": names.distribution, "package": names.package}
        screen.json(facts | {"folder": str(folder), "with": chosen, "files": list(files), "next": following})
        return
    screen.result(f"{names.distribution} in {folder}, with {', '.join(chosen)}:\n")
    for file in files:
        screen.result(f"  {file}")
    screen.note("\nnext")
    for command in following:
        screen.note(f"  {command}")
