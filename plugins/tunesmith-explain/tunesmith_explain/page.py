# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attributions as one HTML page. It holds all it shows, runs no script and asks nothing of any server."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from tunesmith.evaluate.report.page import page_environment
from tunesmith_explain.attributions import Attribution, unconverged
from tunesmith_explain.heat import AGAINST, FOR, heat_png
from tunesmith_explain.summary import named

__all__ = ["render_page", "runs_of"]


def render_page(found: Sequence[Attribution], *, model: str, task: str, data: str, baseline: str) -> str:
    """The page.

    Args:
        found: in the order in which they are shown.
        model, task, data: what was explained, for the heading.
        baseline: the input that says nothing, in words.
    """
    page: str = (
        page_environment("tunesmith_explain")
        .get_template("explained.html.j2")
        .render(
            views=[_view(one) for one in found],
            facts={"model": model, "task": task, "data": data, "baseline": baseline},
            steps=found[0].steps if found else 0,
            note=unconverged(list(found)),
            worst=max((one.error for one in found), default=0.0),
            made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    return page


def runs_of(one: Attribution) -> list[tuple[str, float]]:
    """The text of an attribution in runs, in order and whole: words with their amounts, and 0 between them."""
    text, runs, end = one.text or "", [], 0
    for piece in one.pieces:
        start, stop = piece.start or 0, piece.end or 0
        if start > end:
            runs.append((text[end:start], 0.0))
        runs.append((text[start:stop], piece.score))
        end = stop
    if end < len(text):
        runs.append((text[end:], 0.0))
    return runs


def _view(one: Attribution) -> dict[str, Any]:
    full = one.strongest or 1.0
    return {
        "one": one,
        "words": [(text, _style(score / full), f"{score:+.3g}" if score else "") for text, score in runs_of(one)],
        "bars": [
            (named(piece), piece.score, round(50 * abs(piece.score) / full, 2))
            for piece in sorted(one.pieces, key=lambda piece: -abs(piece.score))
            if one.text is None
        ],
        "image": "" if one.heat is None else base64.b64encode(heat_png(one)).decode("ascii"),
    }


def _style(share: float) -> str:
    if abs(share) < 0.02:
        return ""
    red, green, blue = FOR if share > 0 else AGAINST
    return f"background: rgba({red}, {green}, {blue}, {abs(share) * 0.6:.3f})"
