# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license lease …``: seats of the license server, by hand. Jobs take theirs by themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result

if TYPE_CHECKING:
    from tunesmith_enterprise.leasing.by_hand import ByHand
    from tunesmith_enterprise.leasing.taking import Client

__all__ = ["app"]

app = typer.Typer(help="Seats of the license server, by hand; jobs take theirs by themselves.", no_args_is_help=True)

Wanted = Annotated[
    list[str],
    typer.Argument(help="What the lease is for: distributed, or distributed:gpus=4,nodes=2.", show_default=False),
]
LeaseId = Annotated[str, typer.Argument(help="As 'acquire' and 'show' print it.", show_default=False)]


@app.callback()
def lease() -> None:
    """Seats of the license server, by hand; jobs take theirs by themselves."""


@app.command()
def acquire(features: Wanted, as_json: AsJson = False) -> None:
    """Take a seat. Nobody renews it: it ends after its time, or with 'release'."""
    from tunesmith_enterprise.leasing.by_hand import take_by_hand

    _tell(take_by_hand(_client(), _features(features)), as_json)


@app.command()
def renew(lease_id: LeaseId, as_json: AsJson = False) -> None:
    """Renew a seat that was taken with 'acquire'."""
    from tunesmith_enterprise.leasing.by_hand import renew_by_hand

    _tell(renew_by_hand(_client(), lease_id), as_json)


@app.command()
def release(lease_id: LeaseId, as_json: AsJson = False) -> None:
    """Give a seat back."""
    from tunesmith_enterprise.leasing.by_hand import give_back

    gone = give_back(_client(), lease_id)
    print_json(gone.to_json()) if as_json else result(f"lease {lease_id} is given back")


@app.command()
def borrow(
    features: Wanted,
    days: Annotated[int, typer.Option(help="How long the seat is away.", min=1, max=366)],
    as_json: AsJson = False,
) -> None:
    """Take a seat away from the site: jobs of this machine use it without asking the server."""
    from tunesmith_enterprise.leasing.by_hand import borrow as borrow_seat

    _tell(borrow_seat(_client(), _features(features), days), as_json)


@app.command("return")
def return_(lease_id: LeaseId, as_json: AsJson = False) -> None:
    """Bring a borrowed seat back before its time."""
    release(lease_id, as_json)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show this machine's seats that were taken by hand, and what the server says."""
    from tunesmith_enterprise.leasing.asking import Declined, NoAnswer, ask
    from tunesmith_enterprise.leasing.by_hand import by_hand

    client = _client()
    mine = by_hand(client)
    try:
        answer: dict[str, Any] | None = ask(client.server, "GET", "/v1/status", tries=1)
        trouble = None
    except (NoAnswer, Declined) as error:
        answer, trouble = None, str(error)
    if as_json:
        print_json(
            {
                "server": client.server.url,
                "node": client.node,
                "answers": trouble is None,
                "trouble": trouble,
                "pools": None if answer is None else answer.get("pools"),
                "leases": [one.to_json() for one in mine],
            }
        )
        return
    result(f"server  {client.server.url}")
    result(f"node    {client.node}")
    for one in mine:
        _line(one)
    if trouble is not None:
        note(f"the license server does not answer: {trouble}")
        return
    for pool in answer.get("pools", []) if answer is not None else []:
        result(f"pool    {pool.get('pool')}: {pool.get('in_use')} of {pool.get('seats')} seats, {pool.get('standing')}")


def _client() -> Client:
    from tunesmith.errors import SettingsError
    from tunesmith_enterprise.commands import context
    from tunesmith_enterprise.leasing.address import VARIABLES, configured
    from tunesmith_enterprise.leasing.by_hand import client_of

    server = configured(os.environ)
    if server is None:
        raise SettingsError(
            "no license server is configured here",
            expected="license_server in [plugins.enterprise] of the machine's or the person's settings",
            fix=f"or set {VARIABLES['license_server']}=https://host:port",
        )
    return client_of(server, context.look(), context.state())


def _features(wanted: list[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for text in wanted:
        code, _, listed = text.partition(":")
        quantities: dict[str, int] = {}
        for pair in filter(None, listed.split(",")):
            name, _, number = pair.partition("=")
            if not name or not number.isdecimal() or not 1 <= int(number) <= 1_000_000_000:
                raise typer.BadParameter(f"{pair!r} is no quantity: gpus=4", param_hint="FEATURES")
            quantities[name] = int(number)
        if not code or code in found:
            raise typer.BadParameter(f"{text!r} names no feature, or one twice", param_hint="FEATURES")
        found[code] = quantities
    return found


def _tell(one: ByHand, as_json: bool) -> None:
    print_json(one.to_json()) if as_json else _line(one)


def _line(one: ByHand) -> None:
    shown = one.to_json()
    kind = "borrowed until" if shown["borrowed"] else "until"
    result(f"lease   {shown['id']} {kind} {shown['expires_at']}: {', '.join(shown['features'])} (pool {shown['pool']})")
