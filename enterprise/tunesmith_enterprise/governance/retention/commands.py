# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith retention …``: which runs are to go by the rules of the policy, and their removal, on record."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith.errors import DeniedError, NotFoundError, OutputError, RequestError, RunError
from tunesmith_enterprise.commands.printing import AsJson, note, print_json, result
from tunesmith_enterprise.governance.policy.option import PolicyFile, policy_of

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.policy.schema import Policy, Retention
    from tunesmith_enterprise.governance.retention.deciding import Judged

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def retention() -> None:
    """Remove runs that are not to be kept, by the rules of the policy."""


@app.command()
def plan(policy: PolicyFile = None, as_json: AsJson = False) -> None:
    """Which runs would be removed, and why; which stay, and why. Changes nothing."""
    from tunesmith_enterprise.governance.retention.deciding import judged_runs

    path, found = policy_of(policy, wanted="rules of retention")
    judged = judged_runs(_rules(path, found), _now())
    if as_json:
        print_json({"policy": str(path), "runs": [_plain(one) for one in judged]})
        return
    for one in judged:
        result(f"{'remove' if one.goes else 'keep':<7}{one.run.path}: {one.why}")
    going = [one for one in judged if one.goes]
    note(f"{len(going):,} of {len(judged):,} runs would be removed, {_size(sum(one.bytes for one in going))}")


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Remove the runs that `plan` says. Each is in the audit log before. Exit code 1: one could not be removed."""
    from tunesmith_enterprise.governance.retention.deciding import judged_runs
    from tunesmith_enterprise.governance.retention.removing import leftovers, remove_leftover, remove_run

    path, found = policy_of(None, wanted="rules of retention")
    rules = _rules(path, found)
    _allowed(path, found, ", ".join(rules.folders))
    gone: list[Judged] = []
    failed: list[tuple[Path, str]] = []
    for left in leftovers(rules.folders):
        try:
            remove_leftover(left)
            note(f"finished what was interrupted: {left}")
        except OutputError as error:
            failed.append((left, _line(error)))
    for one in judged_runs(rules, _now()):
        if not one.goes:
            continue
        try:
            remove_run(one.run.path, one.why)
        except (OutputError, RunError) as error:
            failed.append((one.run.path, _line(error)))
        else:
            gone.append(one)
    if as_json:
        listed = [{"run": str(run), "reason": why} for run, why in failed]
        print_json({"removed": [_plain(one) for one in gone], "failed": listed})
    else:
        for one in gone:
            result(f"removed {one.run.path}: {one.why}")
        for run, why in failed:
            result(f"not removed {run}: {why}")
        note(f"{len(gone):,} runs removed, {_size(sum(one.bytes for one in gone))}")
    if failed:
        raise typer.Exit(1)


@app.command()
def delete(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the audit log.")],
    as_json: AsJson = False,
) -> None:
    """Remove one run with its models and checkpoints, and what was kept of its rows between jobs."""
    from tunesmith.data import clear_cache
    from tunesmith.runs import Run
    from tunesmith_enterprise.governance.retention.removing import remove_run
    from tunesmith_enterprise.governance.where import asked_for

    if not reason.strip():
        raise RequestError("no reason is given", parameter="reason", expected="why this run is deleted", fix="say it")
    policy = asked_for().policy
    _allowed(policy, None if policy is None else policy_of(None, wanted="rules of retention")[1], str(run))
    opened = Run.open(run)
    listed = opened.manifest.get("cache")
    # Machine code of engines comes from no row; what was made from rows other runs of the same rows make again.
    cached = [name for name in listed if isinstance(name, str) and not name.startswith("compiled/")] if listed else []
    remove_run(run, reason, facts={"cache": len(cached)})
    cleared = clear_cache(only=cached)
    if as_json:
        print_json({"removed": str(run), "cache": [f"{entry.kind}/{entry.key}" for entry in cleared]})
        return
    result(f"removed {run}")
    if cleared:
        result(f"removed {len(cleared):,} {'entry' if len(cleared) == 1 else 'entries'} of the cache")
    if not isinstance(listed, list):
        note("this run does not say what was kept of its rows: `tunesmith cache clear` removes all that is kept")
    note("exports, copies and backups of it are elsewhere, and are not looked for")


def _rules(path: Path, policy: Policy) -> Retention:
    if policy.retention is None:
        raise NotFoundError(
            f"the policy {path} has no rules of retention",
            expected="a table [retention] with folders, and rules below [[retention.rules]]",
            fix=f"add it, or ask {policy.contact}",
        )
    return policy.retention


def _allowed(path: Path | None, policy: Policy | None, subject: str) -> None:
    """Whether this account may remove runs: by its role, and by the license, which is asked for once.

    Args:
        subject: what is to be removed, for the audit log, which has what the role does not allow.
    """
    from tunesmith_enterprise import require
    from tunesmith_enterprise.governance.changes import write_change
    from tunesmith_enterprise.governance.granting import FEATURE
    from tunesmith_enterprise.governance.policy.roles import role_finding
    from tunesmith_enterprise.governance.who import account

    if policy is not None and policy.roles is not None:
        rule, what, allowed, why = role_finding(policy.roles, "retention", account())
        if not allowed:
            with suppress(OutputError):  # it does not begin either way
                write_change("refused", action="retention", subject=subject[:1000], reason=f"{what} ({rule}): {why}")
            raise DeniedError(
                f"the policy {path} does not allow {what} ({rule})",
                given=why,
                expected="an account with the role admin",
                fix=f"ask {policy.contact}",
            )
    require(FEATURE)


def _plain(one: Judged) -> dict[str, Any]:
    run = {"run": str(one.run.path), "status": one.run.status, "created": one.run.created}
    return {**run, "remove": one.goes, "why": one.why, "bytes": one.bytes}


def _line(error: OutputError | RunError) -> str:
    return " ".join((error.what if error.given is None else f"{error.what}: {error.given}").split())


def _size(number: int) -> str:
    from tunesmith.evaluate.facts import size_text

    return size_text(number)


def _now() -> datetime:
    return datetime.now(timezone.utc)
