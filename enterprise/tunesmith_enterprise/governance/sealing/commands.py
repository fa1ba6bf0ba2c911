# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith seal …`` and ``tunesmith unseal``. Sealing anew asks for the license, once; nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tunesmith_enterprise.commands.printing import AsJson, fields, note, print_json, result

if TYPE_CHECKING:
    from tunesmith_enterprise.governance.sealing.ring import KeyRing

__all__ = ["app", "opening"]

_FEATURE: Final = "governance"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
key_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(key_app, name="key", help="Make keys.")
opening = typer.Typer(rich_markup_mode=None)

Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="A key file, or a key of a service: awskms:ARN, gcpkms:NAME, vault:MOUNT/KEY. Repeatable: the first "
        "seals, all of them open, and those of the settings too.",
    ),
]
Sealed = Annotated[Path, typer.Argument(metavar="PATH", help="A sealed file, folder or run.", show_default=False)]


@app.callback()
def seal() -> None:
    """Encrypt models and data where they lie."""


@key_app.command()
def create(
    file: Annotated[Path, typer.Argument(help="Where the key is written, for you alone.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Draw a new key. Keep a copy elsewhere: without it nobody opens what it seals."""
    from tunesmith_enterprise.governance.sealing.keys import create_key_file

    made = create_key_file(file)
    told = {"file": str(file), "id": made.id}
    print_json(told) if as_json else fields(told)


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)],
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Seal a run: model, checkpoints, golden rows, report. Recipe, manifest and figures stay readable."""
    from tunesmith_enterprise.governance.sealing.folders import seal_run

    _report(folder, seal_run(folder, _sealing(folder, key)), as_json)


@app.command("folder")
def whole_folder(
    folder: Annotated[Path, typer.Argument(help="A model folder, or one with data.", show_default=False)],
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Seal every file of a folder."""
    from tunesmith_enterprise.governance.sealing.folders import seal_folder

    _report(folder, seal_folder(folder, _sealing(folder, key)), as_json)


@app.command("file")
def one_file(
    file: Annotated[Path, typer.Argument(help="A file, e.g. rows.jsonl.", show_default=False)],
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Seal a file to FILE.sealed, and remove the plain one."""
    from tunesmith_enterprise.governance.sealing.folders import seal_one

    ring = _sealing(file, key)
    _report(file, int(seal_one(file, ring)), as_json)


@app.command()
def show(path: Sealed, as_json: AsJson = False) -> None:
    """Say what a sealed file was, and which key opens it. Needs no key, and proves nothing: see `verify`."""
    from tunesmith_enterprise.governance.sealing.files import header_of

    header = header_of(path)
    keys = [slot.key for slot in header.slots if slot is not None]
    told = {"file": str(path), "name": header.facts.name, "bytes": header.facts.size, "keys": keys}
    if as_json:
        print_json(told)
    else:
        fields(told | {"bytes": f"{header.facts.size:,}", "keys": ", ".join(keys)})


@app.command()
def verify(path: Sealed, key: Key = None, as_json: AsJson = False) -> None:
    """Say whether everything opens and is whole. Nothing is written; the exit code is 1 where something is wrong."""
    from tunesmith_enterprise.governance.sealing import folders
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    found = folders.verify(path, key_ring(key or ()))
    if as_json:
        print_json({"path": str(path), "sound": found.sound, "wrong": found.wrong})
    else:
        fields({"path": path, "whole": f"{found.sound:,} files"})
        for name, why in found.wrong.items():
            result(f"{name}: {why}")
    if found.wrong:
        raise typer.Exit(1)


@app.command()
def rewrap(path: Sealed, key: Key = None, as_json: AsJson = False) -> None:
    """Change to another key: the first one. Only headers are written; the old key has to be at hand."""
    from tunesmith_enterprise.governance.sealing import folders
    from tunesmith_enterprise.governance.sealing.opening import allow
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    ring = key_ring(key or ())
    allow("rewrap", str(path), keys=[ring.sealing.id])
    changed, all_of_them = folders.rewrap(path, ring)
    told = {"path": str(path), "changed": changed, "files": all_of_them, "key": ring.sealing.id}
    print_json(told) if as_json else fields(told)


@opening.command()
def unseal(
    path: Sealed,
    out: Annotated[Path, typer.Option(help="Where it is written; must not be there.", show_default=False)],
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Open a sealed file, folder or run into another place. Needs no license, and leaves the sealed one as it is."""
    from tunesmith_enterprise.governance.sealing import folders
    from tunesmith_enterprise.governance.sealing.opening import allow
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    ring = key_ring(key or ())
    allow("unseal-copy", str(path), keys=[one.id for one in ring.keys], output=str(out))
    told = {"opened": folders.unseal(path, out, ring), "out": str(out)}
    print_json(told) if as_json else fields(told)


def _sealing(path: Path, key: list[str] | None) -> KeyRing:
    """The keys, when it may be sealed: asked once, before the first file."""
    import tunesmith_enterprise
    from tunesmith_enterprise.governance.sealing.opening import allow
    from tunesmith_enterprise.governance.sealing.ring import key_ring

    ring = key_ring(key or ())
    sealing = ring.sealing
    grant = tunesmith_enterprise.require(_FEATURE)
    if not allow("seal", str(path), keys=[sealing.id]):
        for text in grant.notes:
            note(text)
    return ring


def _report(path: Path, count: int, as_json: bool) -> None:
    told = {"path": str(path), "sealed": count}
    print_json(told) if as_json else fields({"path": path, "sealed": f"{count:,} files"})
