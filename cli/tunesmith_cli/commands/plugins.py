# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins list`: what is installed, whether it works, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Settings

if TYPE_CHECKING:
    from tunesmith._plugins import PluginRecord
    from tunesmith_cli.screen import Screen

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context) -> None:
    """What is installed, and what is wrong with it."""
    if ctx.invoked_subcommand is None:
        _show(ctx, check=False)


@app.command("list")
def list_(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Also import everything the plugins provide. Failing ones: exit code 2.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Every plugin, its state, and the reason where it cannot be used."""
    _show(ctx, check=check)


def _show(ctx: typer.Context, *, check: bool) -> None:
    from tunesmith._plugins import get_host
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    records = get_host().records
    failures = _check() if check else {}
    if settings.json:
        screen.json([_facts(record, failures.get(record.name, [])) for record in records])
    else:
        _table(screen, records, failures, settings)
    if any(failures.values()):
        raise typer.Exit(2)


def _table(
    screen: Screen, records: tuple[PluginRecord, ...], failures: dict[str, list[str]], settings: Settings
) -> None:
    rows = []
    for record in records:
        provides = ", ".join(_counted(kind, len(names)) for kind, names in record.provides.items())
        status = "broken" if failures.get(record.name) else record.status
        rows.append([record.name, f"{record.distribution} {record.version}".strip(), status, provides])
    screen.table(["plugin", "distribution", "status", "provides"], rows)
    for record in records:
        reasons = [record.reason] if record.reason else []
        reasons += failures.get(record.name, [])
        if settings.debug and record.traceback:
            reasons.append(record.traceback.rstrip())
        for reason in reasons:
            screen.result(f"\n{record.name}: {reason}")


def _counted(kind: str, number: int) -> str:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{number} {kind if number == 1 else plural}"


def _facts(record: PluginRecord, failures: list[str]) -> dict[str, object]:
    return {
        "name": record.name,
        "distribution": record.distribution,
        "version": record.version,
        "status": "broken" if failures else record.status,
        "reason": "; ".join(filter(None, [record.reason, *failures])),
        "provides": record.provides,
        "observes": record.observes,
    }


def _check() -> dict[str, list[str]]:
    """Import every target, in processes of their own; the failures by plugin."""
    from tunesmith._plugins import get_host
    from tunesmith._plugins.doctor import check_plugin_targets
    from tunesmith._plugins.kinds import KINDS

    host = get_host()
    provided = [one for kind in KINDS for one in host.specs(kind)]
    failures: dict[str, list[str]] = {}
    for plugin in dict.fromkeys(one.plugin for one in provided):
        for check in check_plugin_targets([one for one in provided if one.plugin == plugin]):
            if not check.ok:
                said = f"\n{check.traceback.rstrip()}" if check.traceback else ""
                what = f"{check.provided.spec.kind} {check.provided.spec.name} ({check.provided.spec.target})"
                failures.setdefault(plugin, []).append(f"{what}: {check.reason}{said}")
    return failures
