# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins add|remove|restore`: print the command that does it here, and run it when told to."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.settings import Debug, Json, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith._plugins.changing import Plan
    from tunesmith._plugins.recorded import Recorded
    from tunesmith_cli.screen import Screen

__all__ = ["add", "remove", "restore"]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Run the command, instead of only printing it.")]


def add(
    ctx: typer.Context,
    package: Annotated[
        list[str],
        typer.Argument(metavar="PACKAGE...", help="What to install: tunesmith-xlsx>=0.1, ./folder, or a URL."),
    ],
    yes: Yes = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the command that installs plugins here; with --yes run it, remember them, and check them."""
    from tunesmith._plugins.changing import plan_add

    screen = _screen(ctx)
    plan = plan_add(package)
    if not yes:
        _print(screen, plan, {"added": [], "plugins": []})
        return
    _add(screen, plan, {})


def remove(
    ctx: typer.Context,
    plugin: Annotated[
        list[str], typer.Argument(metavar="PLUGIN...", help="Plugins, by their names or those of their packages.")
    ],
    yes: Yes = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the command that removes plugins, broken ones too; with --yes run it and forget them."""
    from tunesmith._plugins.changing import plan_remove
    from tunesmith._plugins.changing import remove as execute

    screen = _screen(ctx)
    plan = plan_remove(plugin)
    if not yes:
        if not plan.command:
            screen.note(f"not installed, only remembered: {', '.join(plan.removed)}; with --yes it is forgotten")
        _print(screen, plan, {"removed": []})
        return
    _say(screen, plan)
    gone = execute(plan, _output())
    if screen.settings.json:
        screen.json({**_facts(plan, ran=True), "removed": gone})
    else:
        screen.result(f"removed {', '.join(gone)}")


def restore(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="ENVIRONMENT", help="What was added to another environment.", show_default="this one"
        ),
    ] = None,
    yes: Yes = False,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the command that brings back plugins that were added and are missing; with --yes run it."""
    from tunesmith._plugins.changing import plan_restore

    screen = _screen(ctx)
    plan = plan_restore(source)
    listed = {"missing": list(map(_entry, plan.missing)), "there": list(map(_entry, plan.there))}
    for word, ones in (("there", plan.there), ("missing", plan.missing)):
        for one in ones:
            screen.note(f"{word}: {one.name} ({one.requirement})")
    if not plan.command:
        screen.note("nothing is missing")
    if yes and plan.command:
        _add(screen, plan, listed)
    else:
        _print(screen, plan, {**listed, "added": [], "plugins": []})


def _add(screen: Screen, plan: Plan, more: dict[str, Any]) -> None:
    from tunesmith._plugins.changing import add as execute
    from tunesmith._plugins.doctor import check_up
    from tunesmith._plugins.known import installed_plugins
    from tunesmith._plugins.requested import same
    from tunesmith_cli.plugins_view import checkup_facts, show_checkups
    from tunesmith_cli.root import BUILT_IN, OPEN

    _say(screen, plan)
    added = execute(plan, _output())
    theirs = [one for one in installed_plugins() if any(same(one.distribution, each.name) for each in added)]
    checkups = check_up([one.name for one in theirs], commands=BUILT_IN, open_groups=OPEN) if theirs else []
    empty = [each.name for each in added if not any(same(one.distribution, each.name) for one in theirs)]
    if screen.settings.json:
        facts = {**_facts(plan, ran=True), **more, "added": list(map(_entry, added))}
        screen.json({**facts, "plugins": [checkup_facts(one) for one in checkups]})
    else:
        screen.result(f"added {', '.join(f'{one.name} {one.version}' for one in added)}")
        if checkups:
            show_checkups(screen, checkups)
    for name in empty:
        screen.note(f"{name} has no plugin for this tunesmith: `tunesmith plugins remove {name}` takes it out again")
    if empty or not all(one.ok for one in checkups):
        raise typer.Exit(2)


def _screen(ctx: typer.Context) -> Screen:
    from tunesmith_cli.screen import Screen

    return Screen(ctx.find_object(Settings) or Settings())


def _say(screen: Screen, plan: Plan) -> None:
    screen.note(f"{plan.installation.words}: {shlex.join(plan.command)}" if plan.command else "nothing to run")


def _print(screen: Screen, plan: Plan, more: dict[str, Any]) -> None:
    if screen.settings.json:
        screen.json({**_facts(plan, ran=False), **more})
    elif plan.command:
        screen.note(f"This is {plan.installation.words}. Nothing was run; this does it, and so does --yes:")
        screen.result(shlex.join(plan.command))


def _facts(plan: Plan, *, ran: bool) -> dict[str, Any]:
    return {
        "way": plan.installation.way,
        "command": list(plan.command),
        "line": shlex.join(plan.command),
        "ran": ran and bool(plan.command),
    }


def _entry(one: Recorded) -> dict[str, str]:
    return {"requirement": one.requirement, "name": one.name, "version": one.version}


def _output() -> int:
    """Where an installer says what it does: stderr, since stdout is for results."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return 2
