# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Results to stdout, everything that is said about the work to stderr; text that a terminal cannot be misled by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from tunesmith.licensing import SignedDocumentError, parse_timestamp
from tunesmith.licensing.fields import printable
from tunesmith.licensing.timestamps import timestamp_in_words

__all__ = ["AsJson", "date", "fields", "limits_text", "note", "print_json", "result", "state_text", "table", "when"]

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]


def result(text: str = "") -> None:
    """A line of what was asked for."""
    typer.echo(_safe(text))


def note(text: str) -> None:
    """A line about the work."""
    typer.echo(_safe(text), err=True)


def print_json(value: Any) -> None:
    """A result for a program; with escapes, so that nothing in it moves a cursor."""
    typer.echo(json.dumps(value, indent=2))


def fields(pairs: Mapping[str, object]) -> None:
    """Names and values in two columns; those without a value are left out."""
    shown = {name: str(value) for name, value in pairs.items() if value not in (None, "")}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        first, *rest = value.split("\n")
        result(f"{name:<{width}}  {first}")
        for line in rest:
            result(" " * (width + 2) + line)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under a header, aligned."""
    lines = [header, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(header))]
    for line in lines:
        result("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def when(at: datetime | None, now: datetime, *, never: str = "no end") -> str:
    """A point in time in words."""
    return never if at is None else timestamp_in_words(at, now)


def date(text: str, option: str) -> datetime:
    """What people write for a point in time.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return parse_timestamp(text if "T" in text else f"{text}T00:00:00Z", option)
    except SignedDocumentError:
        raise typer.BadParameter(
            f"{text!r} is no date: 2027-01-31, or 2027-01-31T12:00:00Z", param_hint=option
        ) from None


def state_text(one: Mapping[str, Any], now: datetime) -> str:
    """The state of a license of :func:`views.license_view`, with the next day that matters."""
    state, ends = one["state"], one["expires_at"] and when(parse_timestamp(one["expires_at"], "it"), now)
    words: str = state
    if one["why"]:
        words += f": {one['why']}"
    elif state == "grace":
        words += f": it ended on {ends}; everything goes on until {when(parse_timestamp(one['until'], 'it'), now)}"
    elif state == "fallback":
        words += f": it ended on {ends}, and this build stays licensed"
    elif ends:
        words += f", ends on {ends}"
    return words + (f"; replaced by {one['replaced_by']}" if one["replaced_by"] else "")


def limits_text(limits: Mapping[str, int]) -> str:
    """``4 gpus, 2 nodes``."""
    return ", ".join(f"{most:,} {name}" for name, most in limits.items()) or "no limits"


def _safe(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
