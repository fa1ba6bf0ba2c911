# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith << name >>`: commands of its own, in the program that everybody has."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer

__all__ = ["app"]

KEY = "<< column >>"
"""Which part of a model's answer to count."""

app = typer.Typer(rich_markup_mode=None)  # plain help, as that of the built-in commands


@app.callback()
def main() -> None:
    """How often a model gives each answer."""
    # With this function the commands below keep their names even while there is only one of them.


@app.command()
def count(
    model: Annotated[str, typer.Argument(help="A run or a model folder.", show_default=False)],
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="Rows: a file, a folder or dataset:NAME#SPLIT.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Count the answers that a model gives to the rows of a file."""
    # Here and not at the top: this file is imported for `--help` too, which should not wait for torch.
    import tunesmith
    from tunesmith.data import Problem, Row, read_rows
    from tunesmith.errors import DataError
    from tunesmith.registry import get_registry

    loaded = tunesmith.load(model)
    # `model.definition.data` knows how the rows of its training were read: encoding, columns.
    found = list(read_rows([source], loaded.definition.data, get_registry()))
    problems = [row for row in found if isinstance(row, Problem)]
    if problems:
        raise DataError(f"{len(problems):,} rows of {source} cannot be read", problems=problems)
    answers = loaded.predict([row for row in found if isinstance(row, Row)])
    if answers and KEY not in answers[0]:
        raise DataError(
            f"the answers of {model} have no {KEY!r} to count",
            given=f"task {loaded.task}, which answers {', '.join(answers[0])}",
            expected=f"a model whose answers have {KEY!r}",
        )
    counts = Counter(str(answer[KEY]) for answer in answers)
    if as_json:
        typer.echo(json.dumps(dict(sorted(counts.items()))))
        return
    for answer, times in sorted(counts.items()):
        typer.echo(f"{answer:<12} {times:>7,}  {times / len(answers):>6.1%}")
