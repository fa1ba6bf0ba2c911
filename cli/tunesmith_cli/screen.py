# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where output goes: results to stdout, everything that is said about the work to stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from tunesmith_cli.settings import Settings
from tunesmith_cli.words import figure

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Screen", "is_terminal", "json_text"]


def is_terminal(stream: TextIO) -> bool:
    """Somebody is looking at it (and it understands cursor movement)."""
    import os

    return stream.isatty() and os.environ.get("TERM") != "dumb"


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON that every parser reads: NaN and infinities, which JSON has not, become ``null``; paths become text."""
    return json.dumps(_plain(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int)):
        return value
    if hasattr(value, "item") and callable(value.item):  # numpy scalars
        return _plain(value.item())
    return str(value)


class Screen:
    """The two streams of one command."""

    def __init__(self, settings: Settings, *, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.settings = settings
        self.out = out if out is not None else sys.stdout
        self.err = err if err is not None else sys.stderr

    def note(self, text: str = "") -> None:
        """Say something about the work; silent under ``--quiet``."""
        if not self.settings.quiet:
            print(text, file=self.err, flush=True)

    def result(self, text: str = "", *, end: str = "\n") -> None:
        """Print what was asked for."""
        print(text, file=self.out, end=end, flush=True)

    def json(self, value: Any) -> None:
        """Print a result for a program."""
        self.result(json_text(value, indent=2, ascii_only=self.ascii_only))

    @property
    def ascii_only(self) -> bool:
        """stdout cannot carry every character, so JSON is printed with escapes instead of losing any."""
        return "utf" not in (self.out.encoding or "utf-8").lower()

    def fields(self, pairs: Mapping[str, object]) -> None:
        """Names and values in two aligned columns."""
        width = max((len(name) for name in pairs), default=0)
        for name, value in pairs.items():
            first, *rest = str(value).split("\n")
            self.result(f"{name:<{width}}  {first}".rstrip())
            for line in rest:
                self.result(" " * (width + 2) + line)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows under a header: columns fitted to the window on a terminal, plain aligned text otherwise.

        Numbers stand on the right and are rounded; everything else is text.
        """
        right = [
            bool(rows) and all(isinstance(row[at], (int, float)) or row[at] in ("", "–") for row in rows)
            for at in range(len(header))
        ]
        cells = [[figure(cell) for cell in row] for row in rows]
        if is_terminal(self.out):
            self._rich_table(header, cells, right)
        else:
            self._plain_table(header, cells, right)

    def _rich_table(self, header: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console(file=self.out, highlight=False)
        widths = _column_widths([list(header), *map(list, cells)], right, console.width - 2 * len(header) + 1)
        if widths is None:
            self._cards(header, cells, console)
            return
        table = Table(
            box=SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="bold",
            border_style="dim",
        )
        for name, on_right, width in zip(header, right, widths, strict=True):
            table.add_column(name, justify="right" if on_right else "left", width=width, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)

    def _cards(self, header: Sequence[str], cells: Sequence[Sequence[str]], console: Console) -> None:
        """For a window in which columns would be folded in the middle of words: a row is its name and what it has."""
        from rich.text import Text

        for name, *rest in cells:
            console.print(Text(name, style="bold"), soft_wrap=True)  # a path stays one piece, ready to be copied
            line = Text()
            for key, value in zip(header[1:], rest, strict=True):
                fact = Text.assemble("  ", (f"{key} ", "dim"), value)
                if line and line.cell_len + fact.cell_len > console.width:
                    console.print(line)
                    line = Text()
                line.append_text(fact)
            console.print(line)

    def _plain_table(self, header: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
        lines = [list(header), *cells]
        widths = [max(len(line[at]) for line in lines) for at in range(len(header))]
        for line in lines:
            padded = (
                cell.rjust(width) if on_right else cell.ljust(width)
                for cell, width, on_right in zip(line, widths, right, strict=True)
            )
            self.result("  ".join(padded).rstrip())


def _column_widths(lines: Sequence[Sequence[str]], right: Sequence[bool], room: int) -> list[int] | None:
    """Widths in which text is folded between words and figures stay whole; ``None`` where there is no room for that."""
    columns = range(len(right))
    natural = [max(len(line[at]) for line in lines) for at in columns]
    widths = [
        natural[at] if right[at] else max(len(word) for line in lines for word in line[at].split() or [""])
        for at in columns
    ]
    if sum(widths) > room:
        return None
    while sum(widths) < min(room, sum(natural)):  # whatever lacks most gets the next character
        widths[max(columns, key=lambda at: natural[at] - widths[at])] += 1
    return widths
