# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The options of `generate` and `chat` that say how the next token is chosen. The core checks their ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tunesmith.engine import EngineInfo, Model, Sampling

__all__ = ["Greedy", "MaxNewTokens", "Seed", "Stop", "Temperature", "TopK", "TopP", "settle", "stream"]

MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", metavar="N", help="Longest answer in tokens. Default: 128, or what fits."),
]
Greedy = Annotated[bool, typer.Option("--greedy", help="Always the likeliest token; nothing is drawn.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed draws the same text.")]
Temperature = Annotated[
    float | None, typer.Option("--temperature", metavar="T", help="Below 1 safer, above 1 wilder; 0 is greedy.")
]
TopK = Annotated[int | None, typer.Option("--top-k", metavar="K", help="Draw from the K likeliest tokens; 0 is all.")]
TopP = Annotated[
    float | None, typer.Option("--top-p", metavar="P", help="Draw from the smallest set of this probability; 1 is all.")
]
Stop = Annotated[
    list[str] | None, typer.Option("--stop", metavar="TEXT", help="Ends the answer; not part of it. Repeatable.")
]


def stream(ctx: typer.Context, model: Model, prompt: str | list[dict[str, str]], **options: Any) -> Iterator[str]:
    """``model.stream``; an option out of its range is wrong usage, not a bug."""
    try:
        return model.stream(prompt, **options)
    except ValueError as error:
        ctx.fail(str(error))


def settle(ctx: typer.Context, info: EngineInfo, **options: Any) -> Sampling:
    """The options, and where none was given the model's own settings; one out of its range is wrong usage, not a bug.

    Args:
        options: of :func:`tunesmith.engine.sampling.settle_sampling`.
    """
    from tunesmith.engine.sampling import settle_sampling

    own = {name: getattr(info.sampling, name) for name in ("temperature", "top_k", "top_p")}
    try:
        return settle_sampling(own, **options)
    except ValueError as error:
        ctx.fail(str(error))
