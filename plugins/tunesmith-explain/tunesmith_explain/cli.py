# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith explain RUN --data FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.settings import Columns, Debug, Format, Json, Quiet, Settings, column_mapping

if TYPE_CHECKING:
    from tunesmith.data.rows import Row
    from tunesmith.engine import Model

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command()
def explain(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="RUN", help="A run, or a model folder.", show_default=False)],
    data: Annotated[
        str,
        typer.Option("--data", metavar="FILE", help="Rows: a file, pattern, folder or dataset; - is a pipe."),
    ],
    columns: Columns = None,
    format_name: Format = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Explain at most so many rows, from the first on.")] = 10,
    steps: Annotated[int, typer.Option("--steps", min=1, max=10_000, help="Points of the integral.")] = 32,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="What says nothing: pad or mask; of images black or mean.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page; an existing file is left alone.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show which words, pixels or columns the answers rest on.

    What a row adds to the logit of the predicted label (and of the true one, where the row has another) is divided
    among its words, pixels or columns by integrated gradients.
    """
    import tunesmith
    from tunesmith.tasks.lengths import plural
    from tunesmith_cli.output import opened
    from tunesmith_cli.screen import Screen
    from tunesmith_explain.attributions import unconverged
    from tunesmith_explain.explaining import attribute
    from tunesmith_explain.page import render_page
    from tunesmith_explain.questions import BASELINES, check_task, chosen_baseline
    from tunesmith_explain.reading import examples_of
    from tunesmith_explain.terminal import as_plain, show

    screen = Screen(ctx.find_object(Settings) or Settings())
    mapping = column_mapping(columns)
    loaded = tunesmith.load(model)
    task = loaded.definition
    name = chosen_baseline(task, baseline)
    with opened(html) as page:  # before the work: a name that is taken is no surprise at its end
        some, more = _first_rows(loaded, data, mapping, format_name, rows)
        with loaded.lock:
            found = attribute(task, loaded.module, examples_of(task, some, mapping), steps=steps, baseline=name)
        if page is not None:
            in_words = BASELINES[check_task(task)][name]
            page.write(render_page(found, model=loaded.name, task=loaded.task, data=data, baseline=in_words))
    if as_json or screen.settings.json:
        screen.json([as_plain(one) for one in found])
    else:
        show(found, screen.out)
    for note in task.notes:
        screen.note(f"note: {note}")
    told = unconverged(found)
    if told:
        screen.note(f"note: {told}")
    if more:
        screen.note(f"note: {plural(len(some), 'row')} explained, and there are more; --rows says how many")
    if html is not None:
        screen.note(f"{plural(len(found), 'answer')} explained in {html}")


def _first_rows(
    model: Model, source: str, mapping: dict[str, str], format_name: str | None, most: int
) -> tuple[list[Row], bool]:
    """The rows that are explained, and whether there are more."""
    found: list[Row] = []
    for batch in _batches(model, source, mapping, format_name):
        found += batch
        if len(found) > most:
            break
    return found[:most], len(found) > most


def _batches(model: Model, source: str, mapping: dict[str, str], format_name: str | None) -> Iterator[list[Row]]:
    from tunesmith_cli.inputs import from_file, from_pipe

    if source != "-":
        changed: dict[str, Any] = {"format": format_name, "text_unit": "line"}
        yield from from_file(source, model.definition.data.model_copy(update=changed))
        return
    inputs = [column.name for column in model.definition.columns if not column.target]
    word = inputs[0] if inputs else ""
    pipe = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    yield from from_pipe(pipe, mapping.get(word, word), as_json=None if inputs else True)
