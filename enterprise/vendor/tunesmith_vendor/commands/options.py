# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Options that several commands have, and what they show alike."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer

from tunesmith_vendor.desk import Desk, default_folder
from tunesmith_vendor.passphrases import Passphrases

__all__ = [
    "AsJson",
    "DeskFolder",
    "PassphraseDescriptor",
    "PassphraseFiles",
    "note",
    "opened",
    "passphrases",
    "plain",
    "show_json",
]

_OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

DeskFolder = Annotated[
    Path | None,
    typer.Option(
        "--desk",
        metavar="FOLDER",
        envvar="TUNESMITH_DESK",
        help="The desk's folder; else tunesmith-vendor in XDG_DATA_HOME or ~/.local/share.",
    ),
]
PassphraseFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--passphrase-file",
        metavar="[NAME=]FILE",
        help="The first line is the passphrase or PIN of all keys, or of the key NAME; else a prompt asks.",
    ),
]
PassphraseDescriptor = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        metavar="NUMBER",
        min=0,
        help="Read it from this open file descriptor.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def opened(folder: Path | None) -> Desk:
    """The desk of ``--desk``, ``TUNESMITH_DESK`` or the usual place."""
    return Desk(default_folder() if folder is None else folder.expanduser().absolute())


def passphrases(files: list[str] | None, descriptor: int | None) -> Passphrases:
    """What answers for passphrases, of the two options."""
    return Passphrases(files or (), descriptor)


def note(text: str) -> None:
    """A sentence for people, beside the output."""
    print(f"note: {text}", file=sys.stderr)


def show_json(value: Any) -> None:
    """One object on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def plain(text: str) -> str:
    """A text of a stranger's, with nothing in it that a terminal obeys: escapes, and marks that turn the direction."""
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
