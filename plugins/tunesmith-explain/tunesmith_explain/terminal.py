# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attributions in a terminal: words on colors where somebody is looking, plain lines otherwise; and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from tunesmith_cli.screen import is_terminal
from tunesmith_cli.words import figure
from tunesmith_explain.attributions import Attribution
from tunesmith_explain.page import runs_of
from tunesmith_explain.summary import speaking_text

__all__ = ["as_plain", "show"]

_FOR = ("#d7e6f2", "#9cc3e0", "#4f90bf")
_AGAINST = ("#fbe3d3", "#f2b88f", "#e08744")
"""Backgrounds from weak to strong; the words on them are black."""


def show(found: Sequence[Attribution], out: TextIO) -> None:
    """Print every answer: what it is, its text, and what speaks for and against it."""
    for place, one in enumerate(found):
        if place:
            print(file=out)
        print(_heading(one), file=out)
        if one.text is not None and is_terminal(out):
            _print_colored(one, out)
        elif one.text is not None:
            print(f"  {' '.join(one.text.split())}", file=out)
        if one.heat is not None:
            print(f"  {_where(one)}", file=out)
            continue
        names = ("raises it", "lowers it") if one.label is None else ("for", "against")
        for name, side in zip(names, speaking_text(one), strict=True):
            print(f"  {name:<9}  {side}", file=out)
    out.flush()


def as_plain(one: Attribution) -> dict[str, Any]:
    """For a program: all facts, pieces as objects, pixels left out."""
    facts = asdict(one)
    for name in ("pixels", "heat", "origin"):
        facts.pop(name)
    facts = {"where": str(one.origin), **facts, "error": one.error}
    facts["pieces"] = [{key: value for key, value in piece.items() if value is not None} for piece in facts["pieces"]]
    if one.heat is not None:
        facts["heat"] = [[round(float(value), 6) for value in line] for line in one.heat]
    return facts


def _heading(one: Attribution) -> str:
    part = f", part {one.part + 1} of {one.parts}" if one.parts > 1 else ""
    if one.label is None:
        true = "" if one.target is None else f" (true: {figure(one.target)})"
        return f"{one.origin}{part}: {figure(one.value)}{true}"
    verdict = "predicted" if one.predicted else "true, not predicted" if one.true else "not predicted"
    if one.predicted and one.true is not None:
        verdict += ", right" if one.true else ", wrong"
    return f"{one.origin}{part}: {one.label} ({verdict}), probability {figure(one.probability)}"


def _print_colored(one: Attribution, out: TextIO) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    full = one.strongest or 1.0
    line = Text()
    for text, score in runs_of(one):
        shades = _FOR if score > 0 else _AGAINST
        share = abs(score) / full
        line.append(text, None if share < 0.1 else f"black on {shades[min(2, int(share * 3))]}")
    Console(file=out, highlight=False).print(Padding(line, (0, 0, 0, 2)))


def _where(one: Attribution) -> str:
    """Where in an image most of what speaks for the answer is, by thirds; the page shows it."""
    assert one.heat is not None
    height, width = one.heat.shape
    names = [(v, h) for v in ("top", "middle", "bottom") for h in ("left", "center", "right")]
    sums = {}
    for place, (vertical, horizontal) in enumerate(names):
        top, left = divmod(place, 3)
        part = one.heat[top * height // 3 : (top + 1) * height // 3, left * width // 3 : (left + 1) * width // 3]
        sums[f"{vertical} {horizontal}"] = float(part.sum())
    order = sorted(sums, key=lambda name: -sums[name])
    return f"for  {', '.join(f'{name} {sums[name]:+.2f}' for name in order[:3])}   (--html FILE shows every pixel)"
