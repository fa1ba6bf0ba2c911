# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor root``: who may sign what, agreed on by several key holders."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith.licensing import ROLES, Root, format_timestamp, parse_timestamp
from tunesmith.licensing.trust import RoleName
from tunesmith_vendor.commands.options import (
    AsJson,
    DeskFolder,
    PassphraseDescriptor,
    PassphraseFiles,
    note,
    opened,
    passphrases,
    plain,
    show_json,
)
from tunesmith_vendor.desk import CHAIN, Desk, utc_now
from tunesmith_vendor.drafts import Draft, read_draft
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import read_bytes, replace_file, write_new_file
from tunesmith_vendor.roots import YEARS, Change, changes, first_draft, join, next_draft

__all__ = ["app"]

app = typer.Typer(help="Roots: who may sign what, agreed on by several key holders.")

Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="DATE", help=f"Until when it is taken, e.g. 2036-01-01; else {YEARS} years."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="The draft; else root-VERSION.draft.json in this folder.")
]
DraftFile = Annotated[Path, typer.Argument(metavar="DRAFT", help="The file that is carried from holder to holder.")]


def _keys(flag: str, role: str, change: bool) -> Any:
    means = f"All keys of the role {role} from now on" if change else f"A key of the role {role}"
    return typer.Option(flag, metavar="NAME", help=f"{means}; may be given several times.")


def _threshold(flag: str, role: str) -> Any:
    return typer.Option(flag, metavar="NUMBER", help=f"How many keys of the role {role} have to sign.")


@app.command("init")
def init(
    root_key: Annotated[list[str], _keys("--root-key", "root", False)],
    issuer_key: Annotated[list[str], _keys("--issuer-key", "issuer", False)],
    revocation_key: Annotated[list[str], _keys("--revocation-key", "revocation", False)],
    threshold: Annotated[int, _threshold("--threshold", "root")] = 2,
    issuer_threshold: Annotated[int, _threshold("--issuer-threshold", "issuer")] = 1,
    revocation_threshold: Annotated[int, _threshold("--revocation-threshold", "revocation")] = 1,
    expires: Expires = None,
    out: Out = None,
    desk: DeskFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the draft of the first root; nobody has signed it yet."""
    draft = first_draft(
        opened(desk),
        {"root": root_key, "issuer": issuer_key, "revocation": revocation_key},
        {"root": threshold, "issuer": issuer_threshold, "revocation": revocation_threshold},
        _until(expires),
    )
    _written(draft, out, as_json)
    if threshold == 1:
        note("one root key alone suffices: whoever takes it can replace every other key; 2 of 3 is the usual choice")


@app.command("rotate")
def rotate(
    replace: Annotated[
        list[str] | None,
        typer.Option("--replace", metavar="OLD=NEW", help="A key by another of its role; may be given several times."),
    ] = None,
    root_key: Annotated[list[str] | None, _keys("--root-key", "root", True)] = None,
    issuer_key: Annotated[list[str] | None, _keys("--issuer-key", "issuer", True)] = None,
    revocation_key: Annotated[list[str] | None, _keys("--revocation-key", "revocation", True)] = None,
    threshold: Annotated[int | None, _threshold("--threshold", "root")] = None,
    issuer_threshold: Annotated[int | None, _threshold("--issuer-threshold", "issuer")] = None,
    revocation_threshold: Annotated[int | None, _threshold("--revocation-threshold", "revocation")] = None,
    expires: Expires = None,
    out: Out = None,
    desk: DeskFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the draft of the next root: root keys of the present one and of the next one have to sign it."""
    listed: dict[RoleName, list[str]] = {}
    least: dict[RoleName, int] = {}
    given = ((root_key, threshold), (issuer_key, issuer_threshold), (revocation_key, revocation_threshold))
    for role, (names, number) in zip(ROLES, given, strict=True):
        if names:
            listed[role] = names
        if number is not None:
            least[role] = number
    change = Change(dict(map(_pair, replace or ())), listed, least)
    _written(next_draft(opened(desk), change, _until(expires)), out, as_json)


@app.command("sign")
def sign(
    draft: DraftFile,
    key: Annotated[str, typer.Option("--key", metavar="NAME", help="A root key of this desk.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether this is what is to be signed.")] = False,
    desk: DeskFolder = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Add a signature to a draft, in its file. With the last one that is needed it joins this desk's chain of roots."""
    place = opened(desk)
    found = read_draft(read_bytes(draft, "the draft"), draft)
    entry = place.register().find(key, "root")
    found.demand_unsigned(entry.public)
    if not yes:
        _agree(found)
    found = found.signed_with(entry.public, place.signer(key, "root", passphrases(passphrase_file, passphrase_fd)))
    replace_file(draft, found.to_json(), mode=0o644)
    _reached(place, found, draft, as_json)


@app.command("finish")
def finish(
    drafts: Annotated[
        list[Path], typer.Argument(metavar="DRAFT...", help="Copies of one draft, signed by different holders.")
    ],
    desk: DeskFolder = None,
    as_json: AsJson = False,
) -> None:
    """Put the signatures of several copies together; if they are enough, the root joins this desk's chain."""
    place = opened(desk)
    found = read_draft(read_bytes(drafts[0], "the draft"), drafts[0])
    for other in drafts[1:]:
        found = found.joined(read_draft(read_bytes(other, "the draft"), other))
    found.envelope()
    _reached(place, found, drafts[0], as_json)


@app.command("show")
def show(
    draft: Annotated[
        Path | None,
        typer.Argument(metavar="[DRAFT]", help="A draft; else the desk's newest root."),
    ] = None,
    desk: DeskFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest root of the desk, or a draft: what it says and changes, who has signed and who has to."""
    if draft is not None:
        found = read_draft(read_bytes(draft, "the draft"), draft)
        show_json(_draft_fields(found)) if as_json else _show_draft(found)
        return
    place = opened(desk)
    root, names = place.trust().root, place.names()
    if as_json:
        show_json(_root_fields(root, names) | {"chain": str(place.folder / CHAIN)})
        return
    _show_root(root, names)
    if utc_now() >= root.expires:
        note("it has expired: no installation takes it newly any more; make the next one with `root rotate`")


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise VendorError("this says no replacement", given=f"--replace {text}", expected="--replace OLD=NEW")
    return old, new


def _until(text: str | None) -> datetime:
    if text is None:
        today = utc_now().replace(hour=0, minute=0, second=0)
        return today.replace(year=today.year + YEARS, day=min(today.day, 28))  # 29 February is not in every year
    moment = parse_timestamp(text if "T" in text else f"{text}T00:00:00Z", "--expires")
    if moment <= utc_now():
        raise VendorError("the root would have expired before it is signed", given=text, expected="a day to come")
    return moment


def _written(draft: Draft, out: Path | None, as_json: bool) -> None:
    path = out or Path(f"root-{draft.root.version}.draft.json")
    write_new_file(path, draft.to_json(), mode=0o644)
    if as_json:
        show_json(_draft_fields(draft) | {"draft": str(path)})
        return
    _show_draft(draft)
    print(f"\nwritten to {path}; carry it to the holders: `tunesmith-vendor root sign {path.name} --key NAME`")


def _reached(desk: Desk, draft: Draft, path: Path, as_json: bool) -> None:
    grew = join(desk, draft) if draft.complete else False
    if as_json:
        show_json(_draft_fields(draft) | {"draft": str(path), "joined": grew})
        return
    _show_needs(draft)
    if grew:
        print(f"version {draft.root.version} is signed by enough and joins {desk.folder / CHAIN}")
    elif draft.complete:
        print(f"version {draft.root.version} is in {desk.folder / CHAIN} already")
    else:
        print(f"carry {path} to the next holder")


def _agree(draft: Draft) -> None:
    _show_draft(draft)
    if not sys.stdin.isatty():
        raise VendorError(
            "nobody is there to say that this is to be signed",
            given="no terminal",
            fix="look at the draft with `root show`, then sign it with --yes",
        )
    if not typer.confirm("\nCompare the ids of the keys with those you were told by another way. Sign it?"):
        raise VendorError("the draft was not signed, as you said", fix="ask whoever made it about what is not right")


def _root_fields(root: Root, names: Any) -> dict[str, Any]:
    roles = {
        name: {
            "threshold": role.threshold,
            "keys": [{"name": names.get(key.keyid), "keyid": key.keyid, "public_key": key.text} for key in role.keys],
        }
        for name, role in root.roles.items()
    }
    return {"version": root.version, "expires": format_timestamp(root.expires), "roles": roles}


def _draft_fields(draft: Draft) -> dict[str, Any]:
    needs = [
        {"whose": need.whose, "signed": need.signed, "threshold": need.threshold, "missing": need.missing}
        for need in draft.lacking()
    ]
    return {
        **_root_fields(draft.root, draft.names),
        "complete": draft.complete,
        "changes": changes(draft),
        "signed_by": sorted(draft.signatures),
        "needs": needs,
    }


def _show_root(root: Root, names: Any) -> None:
    print(f"root version {root.version}, newly taken until {format_timestamp(root.expires)}")
    for name, role in root.roles.items():
        print(f"\n{name}: {role.threshold} of {len(role.keys)}")
        for key in role.keys:
            print(f"  {plain(names.get(key.keyid, '(no name here)')):<20} {key.keyid}")


def _show_draft(draft: Draft) -> None:
    _show_root(draft.root, draft.names)
    print("\nwhat changes")
    for line in changes(draft):
        print(f"  {plain(line)}")
    _show_needs(draft)


def _show_needs(draft: Draft) -> None:
    print("\nsignatures")
    for need in draft.lacking():
        rest = ", ".join(plain(draft.called(key)) for key in need.able)
        print(
            f"  {need.signed} of {need.threshold} of {need.whose}"
            + (f"; {need.missing} more of {rest}" if need.missing else ", enough")
        )
