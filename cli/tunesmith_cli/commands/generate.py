# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith generate`: text on stdout, piece by piece."""

from __future__ import annotations

from typing import Annotated

import typer

from tunesmith_cli.sampling import Greedy, MaxNewTokens, Seed, Stop, Temperature, TopK, TopP, stream
from tunesmith_cli.settings import Debug, Json, Settings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def generate(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model folder, a named model or a hub id.")],
    prompt: Annotated[str, typer.Option("--prompt", metavar="TEXT", help="What the model goes on from.")],
    max_new_tokens: MaxNewTokens = None,
    greedy: Greedy = False,
    seed: Seed = 0,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    stop: Stop = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Continue a prompt, and print what comes. A chat model takes the prompt as a message and answers it."""
    import tunesmith
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    screen = Screen(settings)
    pieces = stream(
        ctx,
        tunesmith.load(model),
        prompt,
        max_new_tokens=max_new_tokens,
        greedy=greedy,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        stop=stop or (),
    )
    if settings.json:
        screen.json({"model": model, "prompt": prompt, "text": "".join(pieces)})
        return
    for piece in pieces:
        screen.result(piece, end="")
    screen.result()
