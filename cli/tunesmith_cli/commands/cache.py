# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith cache list|clear`: what is kept so that it need not be computed again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from tunesmith_cli.settings import Debug, Json, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunesmith.data.cache import CacheEntry
    from tunesmith_cli.screen import Screen

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

_KINDS = {
    "items": "encoded rows",
    "rows": "rows of large files",
    "frozen": "answers of frozen layers",
    "reference": "log-probabilities of answers",
}


@app.callback()
def cache() -> None:
    """What is kept so that it need not be computed again."""


@app.command("list")
def list_(ctx: typer.Context, json: Json = False, debug: Debug = False) -> None:
    """What the cache holds, last used first."""
    from tunesmith.data import cache_entries, cache_folder
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    found = cache_entries()
    if screen.settings.json:
        _json(screen, found)
    elif not found:
        folder = cache_folder(".")
        screen.note("the cache is off (TUNESMITH_CACHE)" if folder is None else f"nothing in {folder}")
    else:
        screen.table(["what", "size", "last used", "folder"], [_row(entry) for entry in found])


@app.command()
def clear(
    ctx: typer.Context,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Only what was not used for so many days.")
    ] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete what the cache holds, except what a job is making right now. It costs time to make it again, no more."""
    from tunesmith.data import clear_cache
    from tunesmith.evaluate.facts import size_text
    from tunesmith_cli.screen import Screen

    screen = Screen(ctx.find_object(Settings) or Settings())
    gone = clear_cache(older_than=older_than)
    if screen.settings.json:
        _json(screen, gone)
    else:
        size = size_text(sum(entry.bytes for entry in gone))
        screen.note(f"deleted {len(gone)} {'entry' if len(gone) == 1 else 'entries'}, {size}")


def _row(entry: CacheEntry) -> list[object]:
    from tunesmith.evaluate.facts import size_text

    what = _KINDS.get(entry.kind, entry.kind) + ("" if entry.whole else " (unfinished)")
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
    return [what, size_text(entry.bytes), used, entry.path]


def _json(screen: Screen, entries: Sequence[CacheEntry]) -> None:
    screen.json(
        [
            {
                "kind": entry.kind,
                "path": str(entry.path),
                "bytes": entry.bytes,
                "used": entry.used,
                "whole": entry.whole,
            }
            for entry in entries
        ]
    )
