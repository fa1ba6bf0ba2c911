# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith evaluate`: figures of a model on labelled rows."""

from __future__ import annotations

from typing import Annotated

import typer

from tunesmith_cli.settings import Columns, Debug, Format, Json, Quiet, Settings, column_mapping

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def evaluate(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model folder, a named model or a hub id.")],
    data: Annotated[
        list[str],
        typer.Option("--data", metavar="FILE", help="Labelled rows: file, pattern, folder or dataset. Repeatable."),
    ],
    columns: Columns = None,
    format_name: Format = None,
    generate: Annotated[
        int, typer.Option("--generate", metavar="N", min=0, help="Also answer N rows, and score the answers.")
    ] = 0,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", metavar="NAME", help="A figure of the answers (`tunesmith metrics list`). Repeatable."
        ),
    ] = None,
    answer_tokens: Annotated[
        int, typer.Option("--answer-tokens", metavar="N", min=1, help="Longest of these answers.")
    ] = 128,
    tokenize: Annotated[
        str, typer.Option("--tokenize", metavar="NAME", help="What BLEU and ROUGE count: 13a, intl, zh, char, none.")
    ] = "13a",
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a model on labelled rows. What is not given (columns, labels) is as it was in training."""
    import tunesmith
    from tunesmith.evaluate import evaluate as score
    from tunesmith_cli.screen import Screen

    settings = ctx.find_object(Settings) or Settings()
    mapping = column_mapping(columns)
    screen = Screen(settings)
    evaluation = score(
        tunesmith.load(model),
        data,
        columns=mapping or None,
        format=format_name,
        generate=generate,
        metrics=metrics or (),
        answer_tokens=answer_tokens,
        tokenize=tokenize,
    )
    for note in evaluation.notes:
        screen.note(f"note: {note}")
    if settings.json:
        screen.json({"model": model, "data": data, "rows": evaluation.rows, "metrics": evaluation.metrics})
        return
    screen.table(
        ["metric", "value"], [["rows", evaluation.rows], *([name, value] for name, value in evaluation.metrics.items())]
    )
