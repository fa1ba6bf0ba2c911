# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith access …``: make, list, replace and revoke API keys.

Looking and revoking need no license: a key that somebody has lost must be closed whatever the license says.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer

from tunesmith.errors import RequestError, SettingsError
from tunesmith.licensing import format_timestamp
from tunesmith_enterprise.commands.printing import AsJson, date, note, print_json, result, table, when
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.governance.access.key_file import (
    Key,
    change_keys,
    key_by_id,
    new_key,
    read_keys,
    seats_of,
)
from tunesmith_enterprise.governance.access.people import people_of
from tunesmith_enterprise.governance.access.roles import MEANINGS, ROLES, ROUTES, Role
from tunesmith_enterprise.governance.access.settings import access_settings
from tunesmith_enterprise.governance.changes import write_change

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
key_app = typer.Typer(no_args_is_help=True)
app.add_typer(key_app, name="key", help="Keys of people and programs.")

File = Annotated[
    Path | None,
    typer.Option("--file", help="The file of keys. Default: what the settings say.", show_default=False),
]
Id = Annotated[str, typer.Argument(help="Of the key, as `list` shows it.", show_default=False)]
Until = Annotated[str, typer.Option("--expires", help="When it ends: 90d, 12h, or a day such as 2027-01-31.")]


@app.callback()
def access() -> None:
    """Who may ask a server: roles and keys."""


@app.command()
def roles(as_json: AsJson = False) -> None:
    """Print what each role may do."""
    if as_json:
        print_json({role: [f"{m} {path}" for (m, path), least in ROUTES.items() if least == role] for role in ROLES})
        return
    for role in ROLES:
        result(f"{role}: {MEANINGS[role]}")
        for (method, path), least in ROUTES.items():
            if least == role:
                result(f"    {method:<4} {path}")


@key_app.command()
def create(
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.", show_default=False)],
    tenant: Annotated[str, typer.Option(help="Whom the caller belongs to.")] = "",
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="A class of requests that may be named. Repeatable.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", help="A model that may be asked. Repeatable; without it: all.")
    ] = None,
    expires: Until = "",
    remark: Annotated[str, typer.Option("--note", help="For people: whose it is.")] = "",
    file: File = None,
) -> None:
    """Make a key. It is printed once, and kept nowhere."""
    path, now = _file(file), _now()
    text, key = new_key(
        now,
        role=_role(role),
        tenant=tenant,
        classes=tuple(classes or ()),
        models=tuple(models or ()),
        note=remark,
        expires=_until(expires, now),
    )

    def added(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        people = people_of(StateFolder(Places.of().state), now)  # with tokens, on a server of this account
        if _ask(seats_of([*keys, key], now) + people) == "kept":
            raise SettingsError(
                "the license has ended, and a new key would be something new",
                given=f"a key of the role {key.role}",
                expected="a license of governance whose term runs",
                fix="ask the vendor for a renewal; keys that are there go on, and can be rotated and revoked",
            )
        write_change("key-made", key=key.id, **_told(key))
        return (*keys, key)

    change_keys(path, added)
    note(f"made the key {key.id} of the role {key.role}; it is shown once, here:")
    result(text)


@key_app.command("list")
def list_(file: File = None, as_json: AsJson = False) -> None:
    """Print all keys, without their secrets."""
    keys, now = read_keys(_file(file)), _now()
    if as_json:
        print_json([{"id": key.id, "state": key.state(now), **_told(key)} for key in keys])
        return
    rows = [
        [
            key.id,
            key.state(now),
            key.role,
            key.tenant or "-",
            ", ".join(key.models) or "all",
            ", ".join(key.classes) or "all",
            when(key.expires, now),
            key.note + (f" (in place of {key.rotated_from})" if key.rotated_from else ""),
        ]
        for key in keys
    ]
    table(["id", "state", "role", "tenant", "models", "classes", "expires", "note"], rows)


@key_app.command()
def rotate(
    id_: Id,
    overlap: Annotated[str, typer.Option(help="How long the old key opens too: 24h, 7d, or 0.")] = "24h",
    expires: Until = "",
    file: File = None,
) -> None:
    """Make a key that takes the place of another, with the same role and rights. It is printed once."""
    path, now = _file(file), _now()
    made: list[tuple[str, Key]] = []

    def rotated(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        old = key_by_id(keys, id_)
        successor = next((key for key in keys if key.rotated_from == old.id), None)
        if old.state(now) != "good" or successor is not None:
            raise RequestError(
                "this key cannot be rotated",
                parameter="id",
                given=f"{old.id}, which "
                + (f"was rotated to {successor.id}" if successor is not None else f"is {old.state(now)}"),
                expected="a key that is good",
                fix="make a new one: `tunesmith access key create`",
            )
        _ask(seats_of(keys, now))
        same = {name: getattr(old, name) for name in ("role", "tenant", "classes", "models", "note")}
        term = None if old.expires is None else now + (old.expires - old.created)
        text, key = new_key(now, **same, rotated_from=old.id, expires=_until(expires, now) or term)
        ends = now + _span(overlap, "overlap")
        kept = old.model_copy(update={"expires": min(ends, old.expires or ends)})
        write_change("key-rotated", key=key.id, **_told(key), old_expires=format_timestamp(kept.expires or ends))
        made.append((text, key))
        return (*(kept if one.id == old.id else one for one in keys), key)

    change_keys(path, rotated)
    ((text, key),) = made
    note(f"made the key {key.id} in place of {id_}, which opens for {overlap} more; it is shown once, here:")
    result(text)


@key_app.command()
def revoke(id_: Id, file: File = None) -> None:
    """Close a key for good. Running servers know it with their next request."""
    path, now = _file(file), _now()

    def revoked(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        old = key_by_id(keys, id_)
        if old.revoked is not None:
            return keys
        write_change("key-revoked", key=old.id, role=old.role, tenant=old.tenant)
        return tuple(one.model_copy(update={"revoked": now}) if one.id == old.id else one for one in keys)

    change_keys(path, revoked)
    note(f"the key {id_} opens nothing any more")


def _ask(seats: int) -> str:
    """How far governance is licensed for so many keys: ``full`` or ``kept``."""
    from tunesmith_enterprise import require  # not by those who only look

    grant = require("governance", seats=seats) if seats else require("governance")
    for text in grant.notes:
        note(text)
    return grant.effect


def _file(given: Path | None) -> Path:
    if given is not None:
        return given.absolute()
    settings = access_settings()
    if settings is None or settings.keys is None:
        raise SettingsError(
            "the settings do not say where the keys are",
            given="no keys in [plugins.enterprise.access]",
            expected='keys = "/etc/tunesmith/access/keys.json"',
            fix="write it into the tunesmith.toml of the machine or of the person, or name the file with --file",
        )
    return settings.keys


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    raise RequestError("there is no such role", parameter="role", given=text[:50], expected=", ".join(ROLES))


def _told(key: Key) -> dict[str, object]:
    """What may be told of a key to anybody who may see the list."""
    return key.model_dump(mode="json", exclude={"id", "sha256"})


def _until(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    ends = date(text, "--expires") if "-" in text else now + _span(text, "expires")
    if ends <= now:
        raise RequestError("a key would have ended already", parameter="expires", given=text, expected="later than now")
    return ends


def _span(text: str, option: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([dhm])|0", text)
    if found is None:
        raise RequestError(
            "this is no length of time", parameter=option, given=text[:50], expected="90d, 12h, 30m, or 0"
        )
    units = {"d": "days", "h": "hours", "m": "minutes"}
    return timedelta(**{units[found[2]]: int(found[1])}) if found[2] else timedelta()


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)
