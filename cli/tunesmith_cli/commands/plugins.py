# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins …`: what is installed, what is wrong with it, and how to change it.

Nothing here loads a plugin in this process: the commands that find out what is wrong must not go down with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.commands.plugins_installing import add, remove, restore
from tunesmith_cli.commands.plugins_new import new
from tunesmith_cli.settings import Debug, Json, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith._plugins import PluginRecord

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context) -> None:
    """What is installed, what is wrong with it, and how to change it."""
    if ctx.invoked_subcommand is None:
        _list(ctx)


@app.command("list")
def list_(ctx: typer.Context, json: Json = False, debug: Debug = False) -> None:
    """Every plugin, its state, and the reason where it cannot be used."""
    _list(ctx)


def _list(ctx: typer.Context) -> None:
    # From metadata alone it could be said what is installed, but not what people come here for: whether it works, and
    # what it provides. So the plugins are loaded, in a process that may end or hang.
    from tunesmith._plugins.doctor import SLOW
    from tunesmith._plugins.examine import look
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    records = [seen.record for seen in look()]
    if settings.json:
        screen.json([facts(record) for record in records])
        return
    rows = [[one.name, one.distribution, one.version, one.status, _counts(one)] for one in records]
    screen.table(["plugin", "distribution", "version", "status", "provides"], rows)
    for record in records:
        if record.reason:
            screen.result(f"\n{record.name}: {record.reason}")
        if settings.debug and record.traceback:
            screen.result(record.traceback.rstrip())
        if record.seconds > SLOW:
            screen.result(f"\n{record.name}: every command waits {record.seconds:.1f} s for it")
    if any(record.status not in ("ok", "disabled") or record.seconds > SLOW for record in records):
        screen.note("\n`tunesmith plugins doctor NAME` says what to do")


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin, or the package it came with.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Everything that is known of one plugin."""
    from tunesmith._plugins.examine import examine
    from tunesmith._plugins.known import plugin_names
    from tunesmith_cli.plugins_view import details, show_details
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    # One name may be that of two distributions, and one distribution may have two plugins.
    found = [details(seen) for seen in examine(plugin_names(name))]
    if screen.settings.json:
        screen.json(found)
        return
    for at, one in enumerate(found):
        if at:
            screen.result()
        show_details(screen, one)


@app.command()
def doctor(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A plugin, or the package it came with.  [default: all]", show_default=False
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long one plugin may take.")
    ] = 60.0,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Import everything plugins provide, and say what is wrong and what to do. Exit code 2: something is not usable."""
    from tunesmith._plugins.doctor import check_required, check_up
    from tunesmith._plugins.known import plugin_names
    from tunesmith_cli.plugins_view import checkup_facts, finding_facts, show_checkups
    from tunesmith_cli.root import BUILT_IN, OPEN
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    checkups = check_up(
        None if name is None else plugin_names(name),
        timeout=timeout,
        commands=BUILT_IN,
        open_groups=OPEN,
        seen=lambda done: screen.note(f"examined {done}"),
    )
    required = check_required([one.seen.record for one in checkups]) if name is None else []
    ok = all(one.ok for one in checkups) and not any(finding.broken for finding in required)
    if screen.settings.json:
        screen.json(
            {
                "ok": ok,
                "plugins": [checkup_facts(one) for one in checkups],
                "settings": [finding_facts(one) for one in required],
            }
        )
    else:
        show_checkups(screen, checkups, required)
    if not ok:
        raise typer.Exit(2)


app.command()(new)
app.command()(add)
app.command()(remove)
app.command()(restore)


def facts(record: PluginRecord) -> dict[str, Any]:
    """A plugin, as ``list --json`` says it; nothing is taken out of this shape again."""
    return {
        "name": record.name,
        "distribution": record.distribution,
        "version": record.version,
        "status": record.status,
        "reason": record.reason,
        "provides": record.provides,
        "observes": record.observes,
        "gate": record.gate,
        "seconds": record.seconds,
    }


def _counts(record: PluginRecord) -> str:
    parts = [_counted(kind.replace("_", " "), len(names)) for kind, names in record.provides.items()]
    if record.observes:
        parts.append("observes")
    if record.gate:
        parts.append("gate")
    return ", ".join(parts)


def _counted(kind: str, number: int) -> str:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{number} {kind if number == 1 else plural}"
