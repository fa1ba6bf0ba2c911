# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith policy …``: what the policy says, and what it would answer. Needs no license, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith.plugin import Action
from tunesmith_enterprise.commands.printing import AsJson, fields, print_json, result
from tunesmith_enterprise.governance.policy.option import PolicyFile, policy_of

if TYPE_CHECKING:
    pass

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def policy() -> None:
    """What the policy of this machine allows."""


@app.command()
def show(policy: PolicyFile = None, as_json: AsJson = False) -> None:
    """What the policy says, and the role of this account."""
    from tunesmith_enterprise.governance.policy.roles import actions_of, role_of
    from tunesmith_enterprise.governance.who import account

    path, found = policy_of(policy)
    me = account()
    role = None if found.roles is None else role_of(found.roles, me)
    if as_json:
        mine = None if role is None else {"account": me.name, "role": role[0], "why": role[1]}
        print_json({"path": str(path), "policy": found.plain(), "role": mine})
        return
    shown: dict[str, object] = {"policy": path, "contact": found.contact, "default": found.default}
    for name, value in _flat(found.plain()):
        shown.setdefault(name, value)
    if role is not None:
        shown["this account"] = f"{role[0]}: {role[1]}; may {', '.join(actions_of(role[0])) or 'nothing'}"
    fields(shown)


@app.command()
def check(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="[RECIPE]", help="A job that is to be trained.", show_default=False)
    ] = None,
    open_: Annotated[str, typer.Option("--open", metavar="MODEL", help="A model that is to be opened.")] = "",
    serve: Annotated[str, typer.Option("--serve", metavar="ADDRESS", help="Where a server is to listen.")] = "",
    access: Annotated[str, typer.Option("--access", metavar="PLUGIN/NAME", help="With --serve: who may ask.")] = "",
    export: Annotated[str, typer.Option("--export", metavar="MODEL", help="A model that is to be exported.")] = "",
    to: Annotated[str, typer.Option("--to", metavar="FORM", help="With --export: into which form.")] = "merged",
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="With --export: where.")] = ".",
    policy: PolicyFile = None,
    as_json: AsJson = False,
) -> None:
    """What the policy would answer, rule by rule. Exit code 1: no. With nothing to look at: whether it can be read."""
    from tunesmith.registry import get_registry
    from tunesmith_enterprise.governance.policy.judging import judge
    from tunesmith_enterprise.governance.who import account

    path, found = policy_of(policy)
    asked: list[Action] = []
    if recipe is not None:
        from tunesmith.recipe import read_recipe

        job = read_recipe(recipe)
        asked.append(Action(name="train", subject=job.output, details={"recipe": job.model_dump(), "resume": False}))
    if open_:
        asked.append(Action(name="open", subject=open_, details=_engine(open_)))
    if serve:
        details = {"host": serve, **({"access": access} if access else {})}
        asked.append(Action(name="serve", subject=serve, details=details))
    if export:
        asked.append(Action(name="export", subject=export, details={"to": to, "output": out}))
    answers = [(one, list(judge(found, one, account(), get_registry()))) for one in asked]
    allowed = all(finding.allowed for _, findings in answers for finding in findings)
    if as_json:
        listed = [
            {"action": one.name, "subject": one.subject, "findings": [finding._asdict() for finding in findings]}
            for one, findings in answers
        ]
        print_json({"path": str(path), "allowed": allowed, "answers": listed})
    elif not asked:
        result(f"{path} can be read; contact {found.contact}, default {found.default}")
    else:
        for one, findings in answers:
            result(f"{one.name} {one.subject}: {'yes' if all(finding.allowed for finding in findings) else 'no'}")
            for finding in findings:
                result(f"  {'yes' if finding.allowed else 'no ':<3} {finding.rule}: {finding.what}: {finding.why}")
        if not allowed:
            result(f"ask {found.contact}")
    if not allowed:
        raise typer.Exit(1)


def _engine(model: str) -> dict[str, str]:
    """The engine that a model's name begins with, as the core finds it."""
    from tunesmith.registry import get_registry

    head, colon, _ = model.partition(":")
    known = {name for one in get_registry().all("engine") for name in (one.spec.name, one.full_name)}
    return {"engine": head} if colon and head in known else {}


def _flat(value: dict[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{above}{name}.")
        elif isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            for number, one in enumerate(inner, start=1):
                yield f"{above}{name} {number}", ", ".join(f"{key} {_text(said)}" for key, said in one.items())
        else:
            yield f"{above}{name}", _text(inner)


def _text(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
