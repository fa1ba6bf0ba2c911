# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith usage …``: what was used in a month. Needs no license: the counts are the customer's."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith.errors import NotFoundError, RequestError
from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result, table

if TYPE_CHECKING:
    from tunesmith.licensing.contents import UsageReport

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

MonthOption = Annotated[
    str, typer.Option("--month", metavar="YYYY-MM", help="In UTC.  [default: this month]", show_default=False)
]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="Where use is counted.  [default: as set]", show_default=False),
]
_HEADS = {
    "requests": "requests",
    "refused": "refused",
    "prompt_tokens": "prompt",
    "cached_tokens": "of it cached",
    "completion_tokens": "completion",
    "runs": "runs",
    "steps": "steps",
    "milliseconds": "hours",
}


@app.callback()
def usage() -> None:
    """What each tenant has used. Nothing is sent."""


@app.command()
def show(
    month: MonthOption = "",
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Only this one's; '' is of nobody in particular.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="PART",
            help="tenant, caller, model or day; repeatable.  [default: tenant]",
            show_default=False,
        ),
    ] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Requests, tokens and jobs of a month."""
    from tunesmith_enterprise.governance.metering.counting import PARTS, span, summed
    from tunesmith_enterprise.governance.metering.store import COUNTS

    month = month or _this_month()
    span(month)
    parts = list(dict.fromkeys(by or ["tenant"]))
    unknown = next((part for part in parts if part not in PARTS), None)
    if unknown is not None:
        raise RequestError("use cannot be told apart so", parameter="by", given=unknown, expected=", ".join(PARTS))
    found = summed(_folder(folder), month, parts, tenant=tenant)
    if as_json:
        used = [{**dict(zip(parts, one.by, strict=True)), **one.counts} for one in found]
        print_json({"month": month, "used": used})
        return
    if not found:
        note(f"nothing was counted in {month}" + ("" if tenant is None else f" for the tenant {tenant!r}"))
        return
    shown = [name for name in COUNTS if any(one.counts[name] for one in found)]
    rows = [[*(part or "–" for part in one.by), *(_cell(name, one.counts[name]) for name in shown)] for one in found]
    table([*parts, *(_HEADS[name] for name in shown)], rows)


@app.command()
def report(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A new file.", show_default=False)],
    month: MonthOption = "",
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """A report of a month by tenant, with the jobs under each license, signed by this installation."""
    from hashlib import sha256

    from tunesmith.licensing import armor, sign
    from tunesmith_enterprise.commands.context import look, state
    from tunesmith_enterprise.commands.keeping import write_new
    from tunesmith_enterprise.entitlement.install import installation
    from tunesmith_enterprise.governance.changes import write_change
    from tunesmith_enterprise.governance.metering.counting import span

    now = look().facts.now
    month = month or _this_month()
    mine = installation(state(), os.environ, now=now)
    made = _report(_folder(folder), month, mine.install_id, mine.key, now)
    envelope = sign(made.payload(), "usage-report", [mine.key])
    digest = sha256(envelope).hexdigest()
    write_change("usage-report", month=month, sha256=digest, install_id=mine.install_id)
    write_new(out, armor(envelope))
    if as_json:
        print_json({"path": str(out), "month": month, "tenants": len(made.metered), "sha256": digest})
        return
    result(f"written: {out}: {month}, {len(made.metered):,} {'tenant' if len(made.metered) == 1 else 'tenants'}")
    if made.until < span(month)[1]:
        note(f"{month} is not over: this is what was counted so far")
    note(f"to see what it says: `tunesmith license inspect {out}`")


def _report(folder: Path, month: str, install_id: str, key: object, now: datetime) -> UsageReport:
    from dataclasses import replace

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tunesmith.licensing import PublicKey
    from tunesmith_enterprise.chained_log import ChainedLog
    from tunesmith_enterprise.commands.context import journal_path
    from tunesmith_enterprise.commands.using import usage_report
    from tunesmith_enterprise.governance.metering.counting import metered, span
    from tunesmith_enterprise.governance.metering.store import months

    assert isinstance(key, Ed25519PrivateKey)
    since, until = span(month)
    if month not in months(folder):
        raise NotFoundError(
            f"nothing was counted in {month}",
            given=folder,
            expected=", ".join(months(folder)) or "a month that was counted",
            fix="name another --month, or another --folder",
        )
    if until > now:  # the month is not over: what is not there yet is not in the report
        until = max(now, since) + timedelta(seconds=1)
    journal = journal_path()
    log = ChainedLog(journal if journal is not None else os.devnull)
    used = usage_report(log, install_id=install_id, key=PublicKey.of(key), since=since, until=until, now=now)
    return replace(used, metered=metered(folder, month))


def _folder(given: Path | None) -> Path:
    from tunesmith_enterprise.governance.where import asked_for

    found = given or asked_for().usage
    if found is None:
        raise NotFoundError(
            "the settings ask for no count of use",
            expected='usage = "/var/lib/tunesmith/usage" under [plugins.enterprise] of tunesmith.toml',
            fix="set it, or name the folder with --folder",
        )
    return found


def _this_month() -> str:
    return f"{datetime.now(timezone.utc):%Y-%m}"


def _cell(name: str, count: int) -> str:
    return f"{count / 3_600_000:,.2f}" if name == "milliseconds" else f"{count:,}"
