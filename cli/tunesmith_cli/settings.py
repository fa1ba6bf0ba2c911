# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What holds for every command: the settings of one call, and the options that set them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

__all__ = ["Columns", "Debug", "Format", "Json", "Quiet", "Settings", "column_mapping"]


@dataclass(slots=True)
class Settings:
    """One call of the program.

    Attributes:
        quiet: progress and notes are not printed; errors and results are.
        json: results are printed as JSON.
        debug: an error comes with its traceback, and the core's loggers are shown.
    """

    quiet: bool = False
    json: bool = False
    debug: bool = False


def _remember(name: str) -> Callable[[typer.Context, bool], bool]:
    # The options stand on the root and on every command, because people write them at the end of the line
    # as often as at its beginning. Both places write into the one Settings object that main() holds.
    def callback(ctx: typer.Context, value: bool) -> bool:
        settings = ctx.find_object(Settings)
        if value and settings is not None:
            setattr(settings, name, True)
        return value

    return callback


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors and results only.", callback=_remember("quiet"))
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error, and log lines.", callback=_remember("debug"))
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, for programs.", callback=_remember("json"))
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns", metavar="NAME=COLUMN", help="What the task reads = your column, e.g. text=body. Repeatable."
    ),
]

Format = Annotated[
    str | None,
    typer.Option("--format", metavar="READER", help="How to read the rows (`tunesmith readers list`)."),
]


def column_mapping(pairs: list[str] | None) -> dict[str, str]:
    """``["text=body"]`` as ``{"text": "body"}``.

    Raises:
        typer.BadParameter: a pair has no `=` or an empty side.
    """
    mapping = {}
    for pair in pairs or []:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            raise typer.BadParameter(f"{pair!r} is not NAME=COLUMN, e.g. text=body", param_hint="--columns")
        mapping[name] = column
    return mapping
