# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the commands on licenses and the ledger share: who does it, in which ledger, and where what comes of it goes."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tunesmith.licensing import parse_json, text
from tunesmith_vendor.commands.options import note, plain, show_json
from tunesmith_vendor.desk import Desk, utc_now
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import replace_file
from tunesmith_vendor.issuing.clerk import Clerk, Done
from tunesmith_vendor.ledger.store import Ledger, Operator
from tunesmith_vendor.passphrases import Ask

__all__ = [
    "DryRun",
    "Force",
    "Keys",
    "LedgerPlace",
    "OperatorName",
    "Out",
    "Reason",
    "clerk",
    "ledger_of",
    "operator",
    "place_of",
    "reason_of",
    "refuse_taken_file",
    "told",
]

LEDGER: Final = "ledger.sqlite"

LedgerPlace = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="FILE|URL",
        envvar="TUNESMITH_LEDGER",
        help=f"The ledger: a file, or postgresql://host/database. Default: {LEDGER} of the desk.",
    ),
]
OperatorName = Annotated[
    str | None,
    typer.Option("--operator", metavar="NAME", help="Who does this. Default: the account; it is entered as well."),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="NAME", help="Sign with this key; may be repeated. Default: the desk's, if clear."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the ledger.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be signed; enter, sign and write nothing.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE|-", help="Where the document goes. Default: a file here, named by its id."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file of that name.")]


def place_of(desk: Desk, place: str | None) -> Path | str:
    """A file or the address of a database."""
    if place is None:
        return desk.folder / LEDGER
    return place if "://" in place else Path(place).expanduser().absolute()


def ledger_of(desk: Desk, place: str | None) -> Ledger:
    """The ledger of ``--ledger``, ``TUNESMITH_LEDGER`` or the desk."""
    return Ledger.open(place_of(desk, place))


def operator(name: str | None) -> Operator:
    """Who works here. The account is what the system says and no variable; the name is what they say."""
    account = _account()
    return Operator(text(name, "the operator's name") if name else account, account)


def _account() -> str:
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container without a name for its user
        return f"uid {os.getuid()}"


def reason_of(given: str) -> str:
    """A reason that can be shown; may be empty."""
    return text(given, "the reason", longest=1000) if given else ""


def clerk(desk: Desk, place: str | None, name: str | None, keys: Sequence[str] | None, ask: Ask) -> Clerk:
    """Who carries out what a command asks for."""
    return Clerk(desk, ledger_of(desk, place), operator(name), ask, keys=keys or (), now=utc_now())


def refuse_taken_file(out: Path | None, force: bool) -> None:
    """Say so before anything is entered or signed."""
    if out is not None and str(out) != "-" and out.exists() and not force:
        raise _taken(out)


def told(done: Done, *, out: Path | None, force: bool, as_json: bool) -> None:
    """Write the document, and say what was done."""
    values = _values(done)
    if done.text is not None:
        number = values["entry"]
        try:
            values["file"] = _written(done.text, out or Path(_name(values)), force)
        except VendorError as error:
            raise VendorError(
                f"it is signed and in the ledger, and could not be written: {error.what}",
                given=error.given,
                fix=f"`tunesmith-vendor show {number} --out FILE` writes it",
            ) from None
    if as_json:
        show_json(values)
        return
    stream = sys.stderr if str(out) == "-" and done.text is not None else sys.stdout
    print("\n".join(_lines(values)), file=stream)
    if values["progress"] == "proposed":
        note(f"it waits for another operator: `tunesmith-vendor approve {values['entry']}`")
    if values["progress"] == "unsigned":
        note(f"it is entered and not signed: `tunesmith-vendor finish {values['entry']}`")
    if values["progress"] == "done" and values["kind"] is None and values["action"] != "set":
        note("nothing is signed yet: the first installation gets it with `tunesmith-vendor activation respond`")


def _values(done: Done) -> dict[str, Any]:
    if done.act is not None:
        act = done.act
        found: dict[str, Any] = {
            "entry": act.seq,
            "action": act.action,
            "kind": act.facts["kind"],
            "progress": done.progress,
            "id": act.subject,
            "serial": act.serial,
            "customer": act.customer,
            "customer_name": act.customer_name,
            "operator": act.operator,
            "at": act.at,
            "reason": act.reason,
        }
    else:
        assert done.plan is not None
        plan = done.plan
        found = {
            "entry": None,
            "action": plan.action,
            "kind": plan.kind,
            "progress": "dry-run",
            "id": plan.subject,
            "serial": plan.serial,
            "customer": plan.customer,
            "customer_name": plan.customer_name,
        }
    found["payload"] = None if done.payload is None else parse_json(done.payload)
    found["file"] = None
    return found


def _name(values: dict[str, Any]) -> str:
    if values["kind"] == "revocations":
        return f"revocations-{values['payload']['number']}.txt"
    return f"{values['id']}-{values['serial']}.lic"


def _written(content: str, out: Path, force: bool) -> str:
    if str(out) == "-":
        sys.stdout.write(content)
        return "-"
    if out.exists() and not force:
        raise _taken(out)
    replace_file(out, content.encode("ascii"))
    return str(out)


def _taken(out: Path) -> VendorError:
    return VendorError(
        "there is a file of that name already, and it stays", given=out, fix="choose another --out, or use --force"
    )


def _lines(values: dict[str, Any]) -> list[str]:
    serial = f" serial {values['serial']}" if values["serial"] else ""
    of = f" for {plain(values['customer_name'])}" if values["customer_name"] else ""
    lines = [f"{values['action']} {plain(values['id'] or '')}{serial}{of}: {values['progress']}"]
    lines += [f"  {name:<20}{plain(str(values[name]))}" for name in ("entry", "reason", "file") if values.get(name)]
    if values["payload"] is not None:
        lines += _fields(values["payload"], "  ")
    return lines


def _fields(payload: dict[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for name, value in payload.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{plain(name)}", *_fields(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{indent}{plain(name)}")
            lines += [f"{indent}  {'  '.join(plain(str(part)) for part in item.values())}" for item in value]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"{indent}{plain(name):<20}{'no limits' if shown == {} else plain(str(shown))}")
    return lines
