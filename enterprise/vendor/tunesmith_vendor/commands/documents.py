# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor inspect`` and ``verify``: what is in a file, and whether customers would believe it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith.licensing import dearmor_all
from tunesmith_vendor.commands.options import AsJson, DeskFolder, opened, plain, show_json
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import read_bytes
from tunesmith_vendor.inspecting import Looked, look

__all__ = ["inspect", "verify"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="A file with one document or several.")]


def inspect(file: File, desk: DeskFolder = None, as_json: AsJson = False) -> None:
    """Show every document of a file: its kind, its fields, who signed it, and whether the desk's roots believe it."""
    found, names = _looked(file, desk)
    if as_json:
        show_json({"documents": [_fields(item, names) for item in found]})
        return
    for number, item in enumerate(found):
        print(f"{'' if number == 0 else chr(10)}{item.kind}")
        for name, value in _flat("", item.says):
            print(f"  {plain(name):<24} {plain(value)}")
        print(f"  {'(signed by)':<24} {', '.join(_called(keyid, names) for keyid in item.signed_by)}")
        print(f"  {'(verdict)':<24} {item.verdict}")


def verify(file: File, desk: DeskFolder = None, as_json: AsJson = False) -> None:
    """Check every document of a file against the desk's roots; an error if one is not believed."""
    found, names = _looked(file, desk)
    bad = [item for item in found if item.good is False or (item.good is None and item.kind != "root")]
    if as_json:
        show_json({"verified": not bad, "documents": [_fields(item, names) for item in found]})
        if bad:
            raise typer.Exit(2)
        return
    for item in found:
        print(f"{item.kind}: {item.verdict}")
    if bad:
        raise VendorError(
            f"{len(bad)} of {len(found)} documents in this file would not be believed",
            given=f"{file}: {bad[0].kind}, {bad[0].verdict}",
            expected="signatures by keys of the desk's newest root",
            fix="is it the right desk? `tunesmith-vendor root show` says what its root is",
        )


def _looked(file: Path, folder: Path | None) -> tuple[list[Looked], Mapping[str, str]]:
    documents = dearmor_all(read_bytes(file, "the file"))
    desk = opened(folder)
    return look(documents, desk.trust() if desk.chain() else None), desk.names()


def _fields(item: Looked, names: Mapping[str, str]) -> dict[str, Any]:
    signers = [{"keyid": keyid, "name": names.get(keyid)} for keyid in item.signed_by]
    return {"kind": item.kind, "says": item.says, "signed_by": signers, "believed": item.good, "verdict": item.verdict}


def _called(keyid: str, names: Mapping[str, str]) -> str:
    return f"{names[keyid]} ({keyid[:16]}…)" if keyid in names else f"{keyid[:16]}…"


def _flat(name: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for inner, item in value.items():
            yield from _flat(f"{name}.{inner}" if name else inner, item)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value, 1):
            yield from _flat(f"{name}.{number}", item)
    elif isinstance(value, (list, dict)):
        yield name, ", ".join(map(str, value)) or "(none)"
    else:
        yield name, "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
