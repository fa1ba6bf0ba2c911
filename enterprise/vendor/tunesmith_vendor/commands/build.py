# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith-vendor build``: the wheel that customers get."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from tunesmith.licensing import format_timestamp, parse_timestamp, read_document
from tunesmith_vendor.building import build_wheel, read_chain
from tunesmith_vendor.commands.options import AsJson, DeskFolder, note, opened, show_json
from tunesmith_vendor.desk import CHAIN, utc_now
from tunesmith_vendor.errors import VendorError

__all__ = ["build"]


def build(
    enterprise: Annotated[
        Path,
        typer.Option("--enterprise", metavar="FOLDER|SDIST", help="The folder enterprise of a checkout, or its sdist."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the wheel goes.")],
    revocations: Annotated[
        Path | None, typer.Option("--revocations", metavar="FILE", help="The newest list of revocations.")
    ] = None,
    root_chain: Annotated[
        Path | None,
        typer.Option("--root-chain", metavar="FILE", help=f"The roots; else {CHAIN} of the desk."),
    ] = None,
    built_at: Annotated[
        str | None,
        typer.Option("--built-at", metavar="TIME", help="2026-11-26T12:00:00Z; else SOURCE_DATE_EPOCH, else now."),
    ] = None,
    watermark: Annotated[
        str | None,
        typer.Option("--watermark", metavar="TEXT", help="Tells copies apart; anybody can read it."),
    ] = None,
    desk: DeskFolder = None,
    as_json: AsJson = False,
) -> None:
    """Build the enterprise wheel with the roots, the date and the revocations in it."""
    place = opened(desk)
    if root_chain is None:
        place.trust()  # says what to do if there is none
    built = build_wheel(
        enterprise,
        out,
        read_chain(root_chain or place.folder / CHAIN),
        built_at=_moment(built_at),
        revocations=None if revocations is None else read_document(revocations, "revocations"),
        watermark=watermark,
    )
    if as_json:
        show_json(
            {
                "wheel": str(built.path),
                "sha256": built.sha256,
                "version": built.version,
                "built_at": format_timestamp(built.built_at),
                "root_version": built.root_version,
                "revocations": built.revocations,
            }
        )
        return
    print(f"{built.path}\n  sha256       {built.sha256}\n  version      {built.version}")
    print(f"  built at     {format_timestamp(built.built_at)}\n  root         version {built.root_version}")
    print(f"  revocations  {'none' if built.revocations is None else f'list {built.revocations}'}")
    if revocations is None:
        note("this build brings no list of revocations; one that is revoked works until a list reaches the customer")


def _moment(text: str | None) -> datetime:
    if text is not None:
        return parse_timestamp(text, "--built-at")
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return utc_now()
    try:
        return datetime.fromtimestamp(int(epoch), tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise VendorError("SOURCE_DATE_EPOCH is no time", given=epoch, expected="seconds since 1970") from None
