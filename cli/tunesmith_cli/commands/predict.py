# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith predict`: rows in, answers out, one JSON object a line, in order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tunesmith_cli.sampling import MaxNewTokens
from tunesmith_cli.settings import Columns, Debug, Format, Quiet, Settings, column_mapping

if TYPE_CHECKING:
    from tunesmith.data.rows import Row
    from tunesmith.engine import Model

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

WRITTEN_TOGETHER = 16  # rows


@app.command()
def predict(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model folder, a named model or a hub id.")],
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A file, pattern, folder or dataset; - is a pipe.", show_default=False)
    ] = "-",
    columns: Columns = None,
    format_name: Format = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here; an existing file is left alone.")
    ] = None,
    max_new_tokens: MaxNewTokens = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Answer rows, and print the answers as JSON lines, in order.

    From a pipe: JSON lines if the first line is a JSON object, else each line is a text. A .txt file is read line
    by line too. Classifiers give label and probabilities, and the file where an answer belongs to an image file.
    """
    import tunesmith
    from tunesmith_cli.output import opened
    from tunesmith_cli.screen import Screen, json_text

    screen = Screen(ctx.find_object(Settings) or Settings())
    mapping = column_mapping(columns)
    if source == "-" and sys.stdin.isatty():
        screen.note("reading rows from the keyboard, one a line; Ctrl-D ends")
    loaded = tunesmith.load(model)
    if max_new_tokens is not None and (max_new_tokens < 1 or not loaded.definition.generates):
        ctx.fail("--max-new-tokens is a number from 1, for a model that generates text")
    answered = 0
    with opened(out) as file:
        target: TextIO = screen.out if file is None else file
        ascii_only = file is None and screen.ascii_only
        for batch in _batches(loaded, source, mapping, format_name):
            for answer in _answers(loaded, batch, mapping, max_new_tokens):
                print(json_text(answer, ascii_only=ascii_only), file=target)
                answered += 1
            target.flush()
    if out is not None:
        screen.note(f"{answered:,} answers in {out}")


def _batches(model: Model, source: str, mapping: dict[str, str], format_name: str | None) -> Iterator[list[Row]]:
    from tunesmith_cli.inputs import from_file, from_pipe

    if source != "-":
        learned = model.definition.data
        yield from from_file(source, learned.model_copy(update={"format": format_name, "text_unit": "line"}))
        return
    inputs = [column.name for column in model.definition.columns if not column.target]
    word = "text" if model.chats or not inputs else inputs[0]
    pipe = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    as_json = _lines_are_json(format_name)
    if model.definition.columns and not inputs:  # a row of a table has names, which a line of text has not
        as_json = True
    yield from from_pipe(pipe, mapping.get(word, word), as_json=as_json)


def _lines_are_json(format_name: str | None) -> bool | None:
    """What ``--format`` says of a pipe, which is read line by line; ``None``: the first line tells."""
    from tunesmith.errors import DataError

    if format_name is None:
        return None
    short = format_name.rpartition("/")[2]
    if short in ("jsonl", "text"):
        return short == "jsonl"
    raise DataError(
        f"a pipe cannot be read as {format_name}",
        given=f"--format {format_name}",
        expected="--format jsonl or --format text: a pipe is read line by line",
        fix="write the rows to a file and name it: tunesmith predict MODEL FILE",
    )


def _answers(
    model: Model, batch: list[Row], mapping: dict[str, str], max_new_tokens: int | None
) -> Iterator[dict[str, object]]:
    # Text takes long to make: print the answers of a few rows as they are done.
    size = WRITTEN_TOGETHER if model.definition.generates else len(batch)
    for part in (batch[start : start + size] for start in range(0, len(batch), size)):
        answers = model.predict(part, columns=mapping or None, max_new_tokens=max_new_tokens)
        for row, answer in zip(part, answers, strict=True):
            yield _files(row) | answer


def _files(row: Row) -> dict[str, object]:
    """Files of a folder come in no order that one could count: an answer says which it belongs to."""
    return {name: str(value) for name, value in row.values.items() if isinstance(value, Path)}
