# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``tunesmith privacy scan FILE``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tunesmith_privacy.scanning import Place, Scan

__all__ = ["app"]

app = typer.Typer(help="Find personal data in files.", no_args_is_help=True)


@app.callback()
def privacy() -> None:
    """Find personal data in files."""


@app.command()
def scan(
    files: Annotated[list[str], typer.Argument(help="Files, patterns, dataset:… or hub:…", show_default=False)],
    entity: Annotated[list[str] | None, typer.Option(help="Look for this only; may be repeated.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="Look at this column only; may be repeated.")] = None,
    country: Annotated[list[str] | None, typer.Option(help="Look for numbers of this country, e.g. de.")] = None,
    language: Annotated[str, typer.Option(help="Language of the texts.")] = "en",
    model: Annotated[str | None, typer.Option(help="Installed model of spaCy, for names and places.")] = None,
    min_score: Annotated[float, typer.Option(help="Leave out what is less sure.", min=0, max=1)] = 0.4,
    file_format: Annotated[str | None, typer.Option("--format", help="Name of a reader; default: by ending.")] = None,
    encoding: Annotated[str, typer.Option(help="Of text files.")] = "utf-8",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for a program.")] = False,
    fail: Annotated[bool, typer.Option("--fail", help="End with exit code 2 when something is found.")] = False,
) -> None:
    """List where personal data stands. Excerpts are masked. Exit code 1: some rows could not be read."""
    from tunesmith.recipe.schema import DataSection
    from tunesmith_privacy.scanning import Scan

    detection = _detection(
        {
            "entities": entity or None,
            "countries": country or None,
            "language": language,
            "model": model,
            "min_score": min_score,
        }
    )
    # Of plain text every line is a row, so that what is found has a line to go to.
    data = DataSection(train=files, format=file_format, encoding=encoding, text_unit="line")
    looking = Scan(data, detection.detector(), tuple(column or ()))
    for place in looking.places():
        typer.echo(json.dumps(_plain(place), ensure_ascii=False) if as_json else _line(place))
    typer.echo(_summary(looking), err=True)
    for problem in looking.problems:
        typer.echo(f"not looked at: {problem}", err=True)
    if fail and looking.counts:
        raise typer.Exit(2)
    if looking.problems or looking.absent():
        raise typer.Exit(1)


def _detection(values: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    from tunesmith.errors import RecipeError
    from tunesmith.recipe.chosen import told
    from tunesmith_privacy.detector import Detection

    try:
        return Detection.model_validate(values)
    except ValidationError as error:
        raise RecipeError(
            "\n".join(told(error, "privacy scan", Detection)), fix="see `tunesmith privacy scan --help`"
        ) from error


def _line(place: Place) -> str:
    return f"{place.origin}: {place.where}: {place.entity} {place.score:.2f}  {place.excerpt}"


def _plain(place: Place) -> dict[str, Any]:
    values = dataclasses.asdict(place)
    origin = values.pop("origin")
    return {"file": origin["file"], "line": origin["line"], **values}


def _summary(looking: Scan) -> str:
    kinds = ", ".join(f"{count:,} {entity}" for entity, count in looking.counts.most_common())
    rows = "1 row" if looking.rows == 1 else f"{looking.rows:,} rows"
    found = f"{looking.counts.total():,} found in {looking.rows_with:,} of {rows}: {kinds}"
    lines = [found if looking.counts else f"nothing found in {rows}"]
    lines += [f"no row has the column {name!r}" for name in looking.absent()]
    return "\n".join(lines)
