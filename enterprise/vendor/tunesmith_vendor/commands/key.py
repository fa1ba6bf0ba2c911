# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor key``: make keys, take them in, see what there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith.licensing import format_timestamp
from tunesmith_vendor import keys
from tunesmith_vendor.commands.options import (
    AsJson,
    DeskFolder,
    PassphraseDescriptor,
    PassphraseFiles,
    note,
    opened,
    passphrases,
    show_json,
)
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.passphrases import Passphrases, weakness
from tunesmith_vendor.register import KeyEntry, role_name

__all__ = ["app"]

app = typer.Typer(help="Keys: make them, take them in, see what there is.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the desk calls the key, e.g. issuer-2026.")]
RoleOption = Annotated[
    str, typer.Option("--role", metavar="ROLE", help="What it is for, and nothing else: root, issuer or revocation.")
]


@app.command("new")
def new(
    name: Name,
    role: RoleOption,
    desk: DeskFolder = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Make a key of Ed25519 in a file of the desk, encrypted with a passphrase."""
    asked = passphrases(passphrase_file, passphrase_fd)
    place = opened(desk)
    _tell(place, keys.make_key(place, name, role_name(role), _new_passphrase(asked)), as_json)
    note("keep a copy of the encrypted file, and of its passphrase, in two places: nobody can make this key again")


@app.command("import")
def import_(
    name: Name,
    role: RoleOption,
    pem: Annotated[
        Path | None, typer.Option("--pem", metavar="FILE", help="A private key; the desk gets an encrypted copy.")
    ] = None,
    public: Annotated[
        Path | None, typer.Option("--public", metavar="FILE", help="A public key, of a private one kept elsewhere.")
    ] = None,
    uri: Annotated[
        str | None,
        typer.Option("--uri", metavar="URI", help="Where a token or a key service keeps it: pkcs11:…, awskms:…"),
    ] = None,
    old_passphrase_file: Annotated[
        Path | None,
        typer.Option("--old-passphrase-file", metavar="FILE", help="With --pem: the passphrase that FILE has now."),
    ] = None,
    desk: DeskFolder = None,
    passphrase_file: PassphraseFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    as_json: AsJson = False,
) -> None:
    """Take in a key: a private one (--pem), one in a token or service (--uri), or a public half alone (--public)."""
    asked = passphrases(passphrase_file, passphrase_fd)
    place, purpose = opened(desk), role_name(role)
    if pem is not None and uri is None and public is None:
        before = Passphrases(
            [str(old_passphrase_file)] if old_passphrase_file else [], prompt="Present passphrase of the file for"
        )
        entry = keys.import_pem(place, name, purpose, pem, before, _new_passphrase(asked))
    elif uri is not None and pem is None:
        half = keys.read_public(public) if public is not None else keys.fetch_public_key(uri, name, asked)
        entry = keys.import_uri(place, name, purpose, uri, half, asked)
    elif public is not None and pem is None:
        entry = keys.import_public(place, name, purpose, keys.read_public(public))
    else:
        raise VendorError(
            "it is not clear what is to be taken in",
            given=" ".join(o for o, v in (("--pem", pem), ("--public", public), ("--uri", uri)) if v) or "no option",
            expected="--pem FILE, or --public FILE, or --uri URI (with --public FILE where the place does not tell it)",
        )
    _tell(place, entry, as_json)


@app.command("status")
def status(desk: DeskFolder = None, as_json: AsJson = False) -> None:
    """All keys: what each is for, where it is kept, and whether the newest root names it."""
    place = opened(desk)
    register = place.register()
    root = place.trust().root if place.chain() else None
    trusted = {key.keyid for role in root.roles.values() for key in role.keys} if root else set()
    listed = [_fields(place, entry) | {"in_root": entry.public.keyid in trusted} for entry in register]
    if as_json:
        show_json({"desk": str(place.folder), "root": root.version if root else None, "keys": listed})
        return
    print(f"desk  {place.folder}")
    print(f"root  {f'version {root.version}, taken until {format_timestamp(root.expires)}' if root else 'none yet'}")
    if not listed:
        note("no keys yet; make one with `tunesmith-vendor key new NAME --role ROLE`")
    for item in listed:
        print(f"\n{item['name']}  {item['role']}{'' if item['in_root'] else ', not in the newest root'}")
        print(f"  public key  {item['public_key']}\n  keyid       {item['keyid']}")
        print(f"  kept        {item['kept']}\n  since       {item['created']}")


def _new_passphrase(asked: Passphrases) -> Callable[[str], str]:
    def ask(name: str) -> str:
        passphrase = asked.new(name)
        against = weakness(passphrase)
        if against:
            note(f"a weak passphrase: {against}")
        return passphrase

    return ask


def _fields(desk: Desk, entry: KeyEntry) -> dict[str, Any]:
    kept = entry.uri
    if entry.uri.startswith("pkcs8:"):
        file = desk.folder / entry.uri.removeprefix("pkcs8:")
        kept = f"{file}, encrypted" if file.exists() else f"{file}, which is not there"
    elif not entry.here:
        kept = "elsewhere: only its public half is known here"
    return {
        "name": entry.name,
        "role": entry.role,
        "public_key": entry.public.text,
        "keyid": entry.public.keyid,
        "created": format_timestamp(entry.created),
        "uri": entry.uri,
        "kept": kept,
    }


def _tell(desk: Desk, entry: KeyEntry, as_json: bool) -> None:
    found = _fields(desk, entry)
    if as_json:
        show_json(found)
        return
    print(f"{entry.name}  {entry.role}\n  public key  {found['public_key']}\n  keyid       {found['keyid']}")
    print(f"  kept        {found['kept']}")
